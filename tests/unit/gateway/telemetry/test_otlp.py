"""Written bytes against a reader of protobuf's wire format that knows nothing of ours.

Field numbers: opentelemetry-proto 1.x, trace/v1/trace.proto and common/v1/common.proto.
"""

from struct import unpack
from typing import Any

from gateway.telemetry.otlp import export_request
from meshway.spans import Span, SpanEvent

Fields = list[tuple[int, Any]]


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def fields(data: bytes) -> Fields:
    found: Fields = []
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
            found.append((key >> 3, value))
        elif key & 7 == 1:
            found.append((key >> 3, data[at : at + 8]))
            at += 8
        else:
            assert key & 7 == 2
            size, at = varint(data, at)
            found.append((key >> 3, data[at : at + size]))
            at += size
    assert at == len(data)
    return found


def attributes(found: Fields, field: int) -> dict[str, Any]:
    pairs = {}
    for number, content in found:
        if number == field:
            name, value = dict(fields(content))[1], dict(fields(content))[2]
            ((kind, what),) = fields(value)
            pairs[name.decode()] = what.decode() if kind == 1 else unpack("<d", what)[0] if kind == 4 else what
    return pairs


def test_a_span_is_told_as_the_protocol_has_it() -> None:
    span = Span(
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
        span_id="00f067aa0ba902b7",
        parent_id="b7ad6b7169203331",
        name="GET shop/cart",
        kind="client",
        began_s=1_700_000_000.25,
        ended_s=1_700_000_001.5,
        error=True,
        attributes={"http.response.status_code": 503, "meshway.service": "shop/béta", "a.share": 0.5, "is": True},
        events=(SpanEvent(name="tried again", at_s=1_700_000_001.0, attributes={"policy": "x" * 300}),),
    )
    ((_, resource_spans),) = fields(export_request([span, span], "gw-1", "1.2"))
    (_, resource), (_, scoped) = fields(resource_spans)
    assert attributes(fields(resource), 1) == {
        "service.name": "meshway-gateway",
        "service.instance.id": "gw-1",
        "service.version": "1.2",
    }
    (_, scope), (number, first), (_, second) = fields(scoped)
    assert dict(fields(scope)) == {1: b"meshway.gateway", 2: b"1.2"}
    assert (number, first) == (2, second)
    told = fields(first)
    one = dict(told)
    assert (one[1].hex(), one[2].hex(), one[4].hex()) == (span.trace_id, span.span_id, span.parent_id)
    assert (one[5], one[6]) == (b"GET shop/cart", 3)
    assert [unpack("<Q", one[at])[0] for at in (7, 8)] == [1_700_000_000_250_000_000, 1_700_000_001_500_000_000]
    assert attributes(told, 9) == dict(span.attributes)
    assert dict(fields(one[15])) == {3: 2}
    event = fields(one[11])
    assert (unpack("<Q", dict(event)[1])[0], dict(event)[2]) == (1_700_000_001_000_000_000, b"tried again")
    assert attributes(event, 3) == {"policy": "x" * 300}
