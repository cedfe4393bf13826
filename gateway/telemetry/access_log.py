"""The access log: one JSON line a call, made at its end, gathered for 50 ms and written in a thread.

A line is made at once, while all it tells is still in the processor's caches, and goes into one growing buffer: kept as
exchanges, or as a thousand pieces, they would wander through memory. AccessLog documents say otherwise of the calls
they are for: which have a line, what is in it, where it goes.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from gateway.exchange import Exchange
from gateway.telemetry.access_line import LineWriter
from gateway.telemetry.call_plan import LogPlan
from gateway.telemetry.log_sink import FILE, LogSink, SinkPlace
from gateway.telemetry.otlp_sink import OtlpSink, OtlpSinks
from gateway.telemetry.written_line import written

_log = logging.getLogger("meshway.gateway.worker")

AddLine = Callable[[Exchange, float, bytes], None]


class AccessLog:
    """path: opened for appending, shared by all workers of the host; "" writes nothing.

    buffer: bytes that wait at most. dropped: lines lost since the start, told to `on_dropped` as they are lost. sinks:
    of documents. collectors: opens those that tell one.
    """

    def __init__(
        self,
        path: str,
        buffer: int,
        on_dropped: Callable[[int], None],
        *,
        now: Callable[[], float] = time.monotonic,
        collectors: OtlpSinks | None = None,
    ) -> None:
        self._on_dropped = on_dropped
        self._now = now
        self._folder = Path(path).parent
        self.writer = LineWriter(time.time() - now())
        self._collectors = collectors
        self._own = LogSink(SinkPlace(FILE, path), buffer, on_dropped) if path else None
        self.sinks: dict[SinkPlace, LogSink | OtlpSink] = {}

    @property
    def is_on(self) -> bool:
        return self._own is not None

    def add(self, exchange: Exchange, ended: float, outcome: bytes) -> None:
        """ended: seconds of the worker's clock. outcome: access_line.outcome_of."""
        own = self._own
        if own is not None:
            lines = own.lines
            lines += self.writer.of(exchange, ended, outcome)
            if len(lines) > own.most:
                own.shed()

    def adder(self, plan: LogPlan | None) -> AddLine | None:
        """What adds the lines of calls with this plan; None: nothing does."""
        own = self._own
        if own is None or (plan is not None and plan.is_off):
            return None
        if plan is None:
            return self.add
        sinks = [self._sink(place, plan.buffer) for place in plan.sinks] or [own]
        sinks = list(dict.fromkeys(sinks))  # what cannot be opened is the gateway's own
        is_wanted, writer = plan.is_wanted, self.writer

        def add(exchange: Exchange, ended: float, outcome: bytes) -> None:
            if is_wanted is not None and not is_wanted(exchange, ended):
                return
            line = written(plan, exchange, writer.of(exchange, ended, outcome))
            for sink in sinks:
                sink.add(line)

        return add

    def keep_only(self, places: Sequence[SinkPlace]) -> None:
        """Documents name these and no others."""
        for place in self.sinks.keys() - set(places):
            self.sinks.pop(place).close()

    def beat(self) -> None:
        """Called every 50 ms: hands over what was gathered, unless the disk still has the last of it."""
        self.writer.wall_offset = time.time() - self._now()
        for sink in self._all():
            sink.beat()

    def reopen(self) -> None:
        """After the files were moved away (SIGHUP)."""
        for sink in self._all():
            sink.reopen()

    def close(self) -> None:
        """Writes what is there, then closes."""
        for sink in self._all():
            sink.close()

    async def say_goodbye(self) -> None:
        """Collectors get what is there, for a second at most; files are written when they are closed."""
        await asyncio.gather(*(sink.flush() for sink in self.sinks.values() if isinstance(sink, OtlpSink)))

    def _all(self) -> list[LogSink | OtlpSink]:
        return [*self.sinks.values(), *([] if self._own is None else [self._own])]

    def _sink(self, place: SinkPlace, buffer: int) -> LogSink | OtlpSink:
        """One for each place, however many documents name it; the largest buffer of them counts."""
        assert self._own is not None
        sink = self.sinks.get(place)
        if sink is None and place.otlp is not None:
            if self._collectors is None:
                return self._own
            sink = self.sinks[place] = self._collectors.open(place.otlp, buffer, self._on_dropped)
        elif sink is None:
            path = str(self._folder / place.path) if place.kind == FILE else place.path
            try:
                sink = self.sinks[place] = LogSink(SinkPlace(place.kind, path), buffer, self._on_dropped)
            except OSError as error:
                _log.error("the access log goes to the gateway's own file: %s cannot be opened: %s", path, error)
                return self._own
        sink.most = max(sink.most, buffer)
        return sink
