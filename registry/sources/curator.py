"""Curator's service nodes and our registrations, each as the other: pure.

A node is `<path>/<service>/<id>` with a ServiceInstance as JSON (Apache Curator, x-discovery). Its payload is the
application's own; Spring Cloud Zookeeper keeps its metadata there.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from meshway.client.registration import Registration
from meshway.model.registration import MAX_METADATA
from registry.compat.labels import is_label, label_of

MARK: Final = "meshway-bridge"
"""In the metadata of a copy: it is not copied back."""
SOURCE: Final = "zookeeper"
OUR_PREFIX: Final = "meshway-"
"""Of the id of a node that is a copy of ours; the payload is the application's, so no mark can stand there."""
MAX_PORT: Final = 65_535
_MAX_KEYS: Final = 64
_MAX_TEXT: Final = 255
# Room for our mark, and for the registry's own counting of bytes.
_METADATA_ROOM: Final = MAX_METADATA - 64


class NotCopied(Exception):
    """Why a node, or an instance, has no copy; one line."""


class ServiceInstance(msgspec.Struct, kw_only=True):
    """As Curator writes it. enabled false: its own clients leave it out, too."""

    name: str = ""
    id: str = ""
    address: str | None = None
    port: int | None = None
    ssl_port: int | None = msgspec.field(name="sslPort", default=None)
    payload: Any = None
    registration_time_utc: int = msgspec.field(name="registrationTimeUTC", default=0)
    service_type: str = msgspec.field(name="serviceType", default="DYNAMIC")
    uri_spec: Any = msgspec.field(name="uriSpec", default=None)
    enabled: bool = True


_decode: Final = msgspec.json.Decoder(ServiceInstance).decode
_encode: Final = msgspec.json.Encoder().encode


def registration_of(service: str, node_id: str, data: bytes, *, namespace: str, ttl_s: float) -> Registration:
    """A node as what the registry is told. Raises NotCopied."""
    if node_id.startswith(OUR_PREFIX):
        raise NotCopied("it is a copy of ours")
    try:
        found = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotCopied(f"it is no ServiceInstance: {error}") from None
    if not found.enabled:
        raise NotCopied("it is not enabled")
    port = found.port or found.ssl_port
    if not found.address or not port:
        raise NotCopied("it has no address or no port")
    if not 1 <= port <= MAX_PORT:
        raise NotCopied(f"{port} is no port")
    metadata = _metadata(found.payload)
    return Registration(
        namespace=namespace,
        service=service_label(service),
        id=_label(node_id),
        address=found.address.lower(),
        port=port,
        ports={"tls": found.ssl_port} if found.port and found.ssl_port and found.ssl_port <= MAX_PORT else {},
        version=metadata.get("version", "")[:_MAX_TEXT],
        zone=metadata.get("zone", "")[:_MAX_TEXT],
        metadata=metadata | {MARK: SOURCE},
        ttl_s=ttl_s,
    )


def node_of(value: dict[str, Any], *, registered_ms: int) -> tuple[str, str, bytes]:
    """An instance of ours, as the watch shows it, as a node: service, id, data. Raises NotCopied."""
    if MARK in value.get("metadata", {}):
        raise NotCopied("it is a copy of theirs")
    if value.get("status", "passing") != "passing":
        raise NotCopied("it is not to be called")
    node_id = OUR_PREFIX + value["id"]
    instance = ServiceInstance(
        name=value["service"],
        id=node_id,
        address=value["address"],
        port=value["port"],
        registration_time_utc=registered_ms,
    )
    return value["service"], node_id, _encode(instance)


def service_label(service: str) -> str:
    """In lower case where that is a label. Raises NotCopied."""
    return service.lower() if is_label(service.lower()) else _label(service)


def _label(name: str) -> str:
    try:
        return label_of(name)
    except ValueError as error:
        raise NotCopied(str(error)) from None


def _metadata(payload: Any) -> dict[str, str]:
    """Spring's own, else the payload's texts; as many of them as an instance may have."""
    members = payload.get("metadata", payload) if isinstance(payload, dict) else {}
    if not isinstance(members, dict):
        return {}
    metadata: dict[str, str] = {}
    left = _METADATA_ROOM
    for key, value in members.items():
        size = len(key.encode()) + len(value.encode()) if isinstance(value, str) else 0
        if size and key and len(key) <= _MAX_TEXT and size <= left and len(metadata) < _MAX_KEYS - 1:
            metadata[key] = value
            left -= size
    return metadata
