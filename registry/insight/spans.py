"""The last spans that gateways told of, in memory, by trace: for sites without a collector.

Held as JSON, a third of what they take as objects.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from meshway.spans import Span
from registry.insight.requests import Heard

if TYPE_CHECKING:
    from meshway.spans import SpansTold

MOST_KEPT: Final = 10_000
MOST_BYTES: Final = 32 << 20
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Span).decode


class SpanLog:
    def __init__(self, most: int = MOST_KEPT, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._heard = Heard()
        self._order: deque[str] = deque()
        self._by_trace: dict[str, deque[bytes]] = {}

    def add(self, told: SpansTold) -> None:
        if not self._heard.is_new(told.node, told.boot, told.sequence):
            return
        for span in told.spans:
            kept = _encode(msgspec.structs.replace(span, node=told.node))
            self._order.append(span.trace_id)
            self._by_trace.setdefault(span.trace_id, deque()).append(kept)
            self._bytes += len(kept)
        while len(self._order) > self._most or self._bytes > self._most_bytes:
            oldest = self._order.popleft()
            spans = self._by_trace[oldest]
            self._bytes -= len(spans.popleft())
            if not spans:
                del self._by_trace[oldest]

    def trace(self, trace_id: str) -> list[Span]:
        """In the order in which they began."""
        return sorted(map(_decode, self._by_trace.get(trace_id, ())), key=lambda span: span.began_s)
