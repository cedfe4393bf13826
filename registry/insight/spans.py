"""The last spans that gateways told of, in memory, by trace: for sites without a collector."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from registry.insight.requests import Heard

if TYPE_CHECKING:
    from meshway.spans import Span, SpansTold

MOST_KEPT: Final = 10_000


class SpanLog:
    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._heard = Heard()
        self._order: deque[Span] = deque()
        self._by_trace: dict[str, list[Span]] = {}

    def add(self, told: SpansTold) -> None:
        if not self._heard.is_new(told.node, told.boot, told.sequence):
            return
        for span in told.spans:
            kept = msgspec.structs.replace(span, node=told.node)
            self._order.append(kept)
            self._by_trace.setdefault(kept.trace_id, []).append(kept)
        while len(self._order) > self._most:
            oldest = self._order.popleft()
            spans = self._by_trace[oldest.trace_id]
            spans.remove(oldest)
            if not spans:
                del self._by_trace[oldest.trace_id]

    def trace(self, trace_id: str) -> list[Span]:
        """In the order in which they began."""
        return sorted(self._by_trace.get(trace_id, ()), key=lambda span: span.began_s)
