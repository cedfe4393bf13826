"""Spans as OTLP's protobuf (opentelemetry-proto 1.x, collector/trace/v1): ExportTraceServiceRequest.

Written here, for the few fields that a span of ours has: protobuf's own library takes 20 MiB and a fifth of a second.
"""

from collections.abc import Iterable, Mapping, Sequence
from struct import pack
from typing import Final

from meshway.spans import Attribute, Span, SpanEvent

CONTENT_TYPE: Final = b"application/x-protobuf"
SCOPE: Final = "meshway.gateway"
_KINDS: Final = {"server": 2, "client": 3}
_ERROR: Final = 2
_VARINT, _FIXED64, _BYTES = 0, 1, 2


def export_request(spans: Sequence[Span], node: str, version: str) -> bytes:
    """node: the gateway's name."""
    resource = b"".join(
        _block(1, _attribute(name, value))
        for name, value in (
            ("service.name", "meshway-gateway"),
            ("service.instance.id", node),
            ("service.version", version),
        )
    )
    scope = _text(1, SCOPE) + _text(2, version)
    scoped = _block(1, scope) + b"".join(_block(2, _span(span)) for span in spans)
    return _block(1, _block(1, resource) + _block(2, scoped))


def _span(span: Span) -> bytes:
    parts = [
        _bytes(1, bytes.fromhex(span.trace_id)),
        _bytes(2, bytes.fromhex(span.span_id)),
        _bytes(4, bytes.fromhex(span.parent_id)) if span.parent_id else b"",
        _text(5, span.name),
        _number(6, _KINDS[span.kind]),
        _time(7, span.began_s),
        _time(8, span.ended_s),
        *_attributes(9, span.attributes),
        *(_block(11, _event(event)) for event in span.events),
        _block(15, _number(3, _ERROR)) if span.error else b"",
    ]
    return b"".join(parts)


def _event(event: SpanEvent) -> bytes:
    return b"".join((_time(1, event.at_s), _text(2, event.name), *_attributes(3, event.attributes)))


def _attributes(field: int, attributes: Mapping[str, Attribute]) -> Iterable[bytes]:
    return (_block(field, _attribute(name, value)) for name, value in attributes.items())


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, bool):
        any_value = _number(2, int(value))
    elif isinstance(value, int):
        any_value = _number(3, value)
    elif isinstance(value, float):
        any_value = _key(4, _FIXED64) + pack("<d", value)
    else:
        any_value = _text(1, value)
    return _text(1, name) + _block(2, any_value)


def _time(field: int, seconds: float) -> bytes:
    """In nanoseconds; a float of today holds no more than microseconds."""
    return _key(field, _FIXED64) + pack("<Q", max(0, round(seconds * 1e6) * 1000))


def _number(field: int, value: int) -> bytes:
    return _key(field, _VARINT) + _varint(value & 0xFFFFFFFFFFFFFFFF)


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode("utf-8", "replace"))


def _block(field: int, content: bytes) -> bytes:
    return _bytes(field, content)


def _bytes(field: int, content: bytes) -> bytes:
    return _key(field, _BYTES) + _varint(len(content)) + content


def _key(field: int, wire: int) -> bytes:
    return _varint(field << 3 | wire)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
