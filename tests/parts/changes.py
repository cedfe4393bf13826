"""Changes of the feed as the registry would send them."""

from typing import Any

import msgspec

from meshway.model.instance import Instance
from meshway.snapshot import INSTANCE, Change


def document(
    kind: str, name: str, spec: dict[str, Any], namespace: str = "default", created_at: str | None = None
) -> Change:
    metadata = {"name": name, "namespace": namespace}
    if created_at is not None:
        metadata["created_at"] = created_at
    value = {"apiVersion": "meshway/v1", "kind": kind, "metadata": metadata, "spec": spec}
    return Change("put", kind, namespace, name, msgspec.Raw(msgspec.msgpack.encode(value)))


def gone(kind: str, name: str, namespace: str = "default") -> Change:
    return Change("delete", kind, namespace, name)


def running(service: str, identity: str, namespace: str = "default", **fields: Any) -> Change:
    """An instance, passing on 127.0.0.1:8000 unless fields say otherwise."""
    known: dict[str, Any] = {"address": "127.0.0.1", "port": 8000} | fields
    instance = Instance(namespace=namespace, service=service, id=identity, **known)
    value = msgspec.Raw(msgspec.msgpack.encode(instance))
    return Change("put", INSTANCE, namespace, f"{service}/{identity}", value)


def left(service: str, identity: str, namespace: str = "default") -> Change:
    return Change("delete", INSTANCE, namespace, f"{service}/{identity}")


def edge_route(*rules: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A Route's spec for shop.example."""
    return {"hosts": ["shop.example"], "rules": list(rules)} | fields


def to(service: str, path: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    """A rule: path is a PathMatch, fields go into the rule."""
    rule: dict[str, Any] = {"destinations": [{"service": service}]} | fields
    return rule | ({"match": [{"path": path}]} if path else {})
