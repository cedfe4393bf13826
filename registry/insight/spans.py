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
    from collections.abc import Callable

    from meshway.spans import SpansTold

MOST_KEPT: Final = 10_000
BYTES_EACH: Final = 3_355  # on the average, of those that may be kept
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Span).decode


class SpanLog:
    """most: spans, as it is set now."""

    def __init__(self, most: Callable[[], int] = lambda: MOST_KEPT, bytes_each: int = BYTES_EACH) -> None:
        self._most = most
        self._bytes_each = bytes_each
        self._bytes = 0
        self._heard = Heard()
        self._order: deque[str] = deque()
        # Lists: most traces have few spans, and a deque has room for 64 from its first one on.
        self._by_trace: dict[str, list[bytes]] = {}

    def add(self, told: SpansTold) -> None:
        if not self._heard.is_new(told.node, told.boot, told.sequence):
            return
        for span in told.spans:
            kept = _encode(msgspec.structs.replace(span, node=told.node))
            self._order.append(span.trace_id)
            self._by_trace.setdefault(span.trace_id, []).append(kept)
            self._bytes += len(kept)
        most = self._most()
        while len(self._order) > most or self._bytes > most * self._bytes_each:
            oldest = self._order.popleft()
            spans = self._by_trace[oldest]
            self._bytes -= len(spans.pop(0))
            if not spans:
                del self._by_trace[oldest]

    async def trace(self, trace_id: str) -> list[Span]:
        """In the order in which they began."""
        return sorted(map(_decode, self._by_trace.get(trace_id, ())), key=lambda span: span.began_s)
