"""What a worker does by the clock: each 10 ms what calls wait for, each 50 ms what is told, each second a sign."""

import asyncio
import time
from typing import TYPE_CHECKING, Final

from gateway.channel import Alive, Told
from gateway.relay.deadline import TICK_S

if TYPE_CHECKING:
    from gateway.worker.worker import Worker

BEATS_PER_SLOW_BEAT: Final = 5  # 50 ms: access log, waits and ejections
BEATS_PER_SIGN: Final = 100  # 1 s: tells the supervisor that the loop turns


class Beats:
    """Of one worker that has begun, until its process ends."""

    def __init__(self, worker: "Worker", loop: asyncio.AbstractEventLoop) -> None:
        self._of = worker
        self._loop = loop
        self._count = 0
        self._next = time.monotonic() + TICK_S
        loop.call_later(TICK_S, self._beat)

    def _beat(self) -> None:
        self._loop.call_later(TICK_S, self._beat)
        of, now = self._of, time.monotonic()
        of.overload.beat(now, now - self._next)
        self._next = now + TICK_S
        of.wheel.advance(now)
        of.judging.beat()
        for each in tuple(of.parts.advancing):
            each.advance(now)
        self._count += 1
        if self._count % BEATS_PER_SLOW_BEAT == 0:
            self._beat_slowly(now)
        if self._count % BEATS_PER_SIGN == 0:
            of.channel.send(Alive())

    def _beat_slowly(self, now: float) -> None:
        of = self._of
        tables = of.holder.tables
        tables.tick(now)
        for lines, spans in of.records.beat(now):
            of.channel.send(Told(lines=lines, spans=spans))
        of.evidence.beat(tables)
        of.gauges.beat(tables, of.compiler.limits)
        of.listening.beat(now)
        of.serving.beat()
