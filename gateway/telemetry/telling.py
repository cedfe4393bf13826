"""Calls of which more is told than numbers: lines the registry keeps, and spans of traced calls.

Failed and slow calls, those whose trace is sampled, and as much of the rest as documents want. What is gathered here
goes to the supervisor with every beat; more than a worker's share is counted, not told.
"""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from gateway.exchange import Exchange
from gateway.telemetry.access_line import LineWriter
from gateway.telemetry.call_plan import WHOLE, CallPlan
from gateway.telemetry.call_spans import spans_of
from gateway.telemetry.counters import Counters
from meshway.call_lines import MOST_TEXT, CallLine
from meshway.spans import Span

LINES_PER_S: Final = 200.0
BURST_S: Final = 1.0
A_FRAME: Final = 100  # lines, and spans
UNKEPT: Final = "meshway_requests_unkept_total"
UNTRACED: Final = "meshway_traces_dropped_total"


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(CallLine).decode


class _Allowance:
    """So many a second, those of a quiet second saved up."""

    __slots__ = ("_due",)

    def __init__(self) -> None:
        self._due = 0.0

    def take(self, per_s: float, now: float) -> bool:
        if per_s <= 0.0:
            return False
        due = max(self._due, now - BURST_S)
        if due > now:
            return False
        self._due = due + 1.0 / per_s
        return True


class Telling:
    """writer: of lines. keeps_lines: the registry gets some. workers: how many share what a gateway may trace. lines,
    spans: since they were last taken.
    """

    __slots__ = (
        "_counters",
        "_keeps_lines",
        "_lines_allowed",
        "_spans_allowed",
        "_unkept",
        "_untraced",
        "_workers",
        "_writer",
        "lines",
        "spans",
    )

    def __init__(
        self, counters: Counters, writer: LineWriter, workers: Callable[[], int], *, keeps_lines: bool
    ) -> None:
        self._counters = counters
        self._writer = writer
        self._keeps_lines = keeps_lines
        self._workers = workers
        self._lines_allowed, self._spans_allowed = _Allowance(), _Allowance()
        self._unkept, self._untraced = counters.counter(UNKEPT), counters.counter(UNTRACED)
        self.lines: list[bytes] = []
        self.spans: list[Span] = []

    def tell(
        self, exchange: Exchange, now: float, outcome: bytes, plan: CallPlan, source: str, *, failed: bool
    ) -> None:
        """A call is over that failed, was slow or sampled, or of which a document wants more than those."""
        trace_text = exchange.traceparent
        if len(trace_text) < 55:
            return
        took_s, keep, trace = now - exchange.started, plan.keep, plan.trace
        drawn = int(trace_text[31:35], 16)
        is_kept = (failed and drawn < keep.errors) or took_s >= keep.slow_s or (not failed and drawn < keep.rest)
        if is_kept and self._keeps_lines:
            if self._lines_allowed.take(LINES_PER_S, now):
                self.lines.append(_shortened(self._writer.of(exchange, now, outcome)))
            else:
                self._counters.add(self._unkept)
        if trace_text[54] & 1 or (failed and trace.errors) or took_s >= trace.slow_s:
            if self._spans_allowed.take(trace.per_second / max(self._workers(), 1), now):
                self.spans += spans_of(exchange, now, self._writer.wall_offset, trace.attributes, source)
            else:
                self._counters.add(self._untraced)

    def take(self) -> Iterator[tuple[list[bytes], list[Span]]]:
        """In pieces that each go into a frame."""
        lines, self.lines = self.lines, []
        spans, self.spans = self.spans, []
        for at in range(0, max(len(lines), len(spans)), A_FRAME):
            yield lines[at : at + A_FRAME], spans[at : at + A_FRAME]


def _shortened(line: bytes) -> bytes:
    """Few are so long that it is worth a look."""
    return line if len(line) <= MOST_TEXT else _encode(_decode(line).shortened())


def asks_of_all(plan: CallPlan) -> bool:
    """Whether calls must be looked at that neither failed nor were slow, and whose trace is not sampled."""
    return plan.keep.rest > plan.trace.head or plan.trace.trusts != "mesh" or plan.keep.rest >= WHOLE
