"""Curator's nodes and our registrations, each as the other."""

import json
from typing import Any

import pytest

from meshway.model.registration import read_registration
from registry.sources.curator import MARK, NotCopied, node_of, registration_of


def _node(**fields: Any) -> bytes:
    return json.dumps({"name": "Books", "id": "b:1", "address": "10.0.0.7", "port": 8080} | fields).encode()


def _copy(data: bytes, service: str = "Books", node_id: str = "b:1") -> Any:
    return registration_of(service, node_id, data, namespace="shop", ttl_s=30.0)


def test_a_node_becomes_what_the_registry_takes() -> None:
    spring = {"@class": "x", "id": "books", "name": "Books", "metadata": {"version": "2", "zone": "a", "owner": "ana"}}
    copy = _copy(_node(sslPort=8443, payload=spring, registrationTimeUTC=1, serviceType="DYNAMIC", future={}))
    assert (copy.namespace, copy.service, copy.address, copy.port) == ("shop", "books", "10.0.0.7", 8080)
    assert (copy.version, copy.zone, copy.ports, copy.ttl_s) == ("2", "a", {"tls": 8443}, 30.0)
    assert copy.metadata == {"version": "2", "zone": "a", "owner": "ana", MARK: "zookeeper"}
    assert copy.id.startswith("b-1-")
    read_registration(
        json.loads(copy.body()), namespace="shop", service=copy.service, instance_id=copy.id, address=None
    )


def test_a_payload_of_another_kind_gives_its_texts() -> None:
    assert _copy(_node(payload={"a": "1", "n": 2, "": "x"})).metadata == {"a": "1", MARK: "zookeeper"}
    assert _copy(_node(payload="text")).metadata == {MARK: "zookeeper"}
    assert _copy(_node(payload={"metadata": ["x"]})).metadata == {MARK: "zookeeper"}


def test_metadata_beyond_what_an_instance_may_have_is_left_out() -> None:
    copy = _copy(_node(payload={f"k{n}": "v" * 100 for n in range(200)}))
    read_registration(
        json.loads(copy.body()), namespace="shop", service=copy.service, instance_id=copy.id, address=None
    )
    assert 30 < len(copy.metadata) <= 64


def test_a_node_with_tls_only_is_called_at_that_port() -> None:
    copy = _copy(_node(port=None, sslPort=8443))
    assert (copy.port, copy.ports) == (8443, {})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no ServiceInstance"),
        (b"[]", "no ServiceInstance"),
        (b"\xff", "no ServiceInstance"),
        (_node(port="x"), "no ServiceInstance"),
        (_node(enabled=False), "not enabled"),
        (_node(address=None), "no address"),
        (_node(port=0), "no port"),
        (_node(port=70_000), "no port"),
    ],
)
def test_what_cannot_be_called_has_no_copy(data: bytes, reason: str) -> None:
    with pytest.raises(NotCopied, match=reason):
        _copy(data)


def test_names_that_no_instance_can_have_are_said() -> None:
    with pytest.raises(NotCopied, match="no name"):
        _copy(_node(), node_id="x" * 300)
    assert _copy(_node(), service="my_books").service.startswith("my-books-")


def test_an_instance_becomes_a_node_that_is_not_copied_back() -> None:
    value = {"service": "orders", "id": "o1", "address": "10.0.0.1", "port": 80, "metadata": {"a": "b"}}
    service, node_id, data = node_of(value, registered_ms=7)
    assert (service, node_id) == ("orders", "meshway-o1")
    assert json.loads(data) == {
        "name": "orders",
        "id": "meshway-o1",
        "address": "10.0.0.1",
        "port": 80,
        "sslPort": None,
        "payload": None,
        "registrationTimeUTC": 7,
        "serviceType": "DYNAMIC",
        "uriSpec": None,
        "enabled": True,
    }
    with pytest.raises(NotCopied, match="copy of ours"):
        _copy(data, service, node_id)
    copied = _copy(_node())
    with pytest.raises(NotCopied, match="copy of theirs"):
        node_of(value | {"metadata": copied.metadata}, registered_ms=7)
    with pytest.raises(NotCopied, match="not to be called"):
        node_of(value | {"status": "draining"}, registered_ms=7)
