"""Spans as OTLP's protobuf (opentelemetry-proto 1.x, collector/trace/v1): ExportTraceServiceRequest.

Written here, for the few fields that a span of ours has: protobuf's own library takes 20 MiB and a fifth of a second.
"""

from collections.abc import Sequence
from typing import Final

from meshway.otlp.values import attributes
from meshway.protobuf import block, fixed64, number, octets
from meshway.spans import Span, SpanEvent

SCOPE: Final = "meshway.gateway"
_KINDS: Final = {"server": 2, "client": 3}
_ERROR: Final = 2


def gateway_resource(node: str, version: str) -> dict[str, str]:
    """node: the gateway's name."""
    return {"service.name": "meshway-gateway", "service.instance.id": node, "service.version": version}


def export_request(spans: Sequence[Span], node: str, version: str) -> bytes:
    scope = octets(1, SCOPE.encode()) + octets(2, version.encode())
    scoped = block(1, scope) + b"".join(block(2, _span(span)) for span in spans)
    return block(1, block(1, attributes(1, gateway_resource(node, version))) + block(2, scoped))


def _span(span: Span) -> bytes:
    parts = [
        octets(1, bytes.fromhex(span.trace_id)),
        octets(2, bytes.fromhex(span.span_id)),
        octets(4, bytes.fromhex(span.parent_id)),
        _text(5, span.name),
        number(6, _KINDS[span.kind]),
        _time(7, span.began_s),
        _time(8, span.ended_s),
        attributes(9, span.attributes),
        *(block(11, _event(event)) for event in span.events),
        block(15, number(3, _ERROR)) if span.error else b"",
    ]
    return b"".join(parts)


def _event(event: SpanEvent) -> bytes:
    return b"".join((_time(1, event.at_s), _text(2, event.name), attributes(3, event.attributes)))


def _time(field: int, seconds: float) -> bytes:
    """In nanoseconds; a float of today holds no more than microseconds."""
    return fixed64(field, max(0, round(seconds * 1e6) * 1000))


def _text(field: int, text: str) -> bytes:
    return octets(field, text.encode("utf-8", "replace"))
