import msgspec
import pytest

from meshway.model.instance import Instance, Tags, decode_instance


def encoded(identity: str, **fields: object) -> bytes:
    known: dict[str, object] = {"address": "10.0.0.1", "port": 9000} | fields
    return msgspec.msgpack.encode({"namespace": "shop", "service": "cart", "id": identity} | known)


def test_it_reads_what_was_written() -> None:
    fields = {"ports": {"grpc": 9001}, "metadata": {"team": "a"}, "tags": ("x", "y"), "version": "v2", "zone": "eu-1"}
    wanted = Instance(namespace="shop", service="cart", id="1", address="10.0.0.1", port=9000, **fields)  # type: ignore[arg-type]
    assert decode_instance(encoded("1", **fields), {}) == wanted
    assert decode_instance(encoded("1"), {}) == Instance(
        namespace="shop", service="cart", id="1", address="10.0.0.1", port=9000
    )


def test_what_many_share_stands_in_memory_once() -> None:
    tags: Tags = {}
    one, two = (decode_instance(encoded(at, tags=["x"], version="v2", zone="eu-1"), tags) for at in "12")
    for field in ("namespace", "service", "version", "zone", "tags", "ports", "metadata"):
        assert getattr(one, field) is getattr(two, field), field


def test_what_is_none_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_instance(encoded("1", port="http"), {})
