"""Judges what is carried already by each newer revision, in slices: connections, sessions of datagrams, CONNECT, calls
that last.

Where nothing of their Routes has changed nothing is looked at. A revision that comes in the middle has another turn
after this one, so that whoever stands last is judged, too.
"""

from itertools import chain, islice
from time import perf_counter
from typing import TYPE_CHECKING, Final

from gateway.routing.standing import Judge
from gateway.routing.table import Tables, TablesHolder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.telemetry.counters import Counters
    from gateway.worker.streams import Streams

ENDED: Final = "meshway_connections_revoked_total"
AT_ONCE: Final = 64
MOST_S: Final = 0.002  # of a beat of 10 ms


class Judging:
    """Of one worker. `begin` after each swap of the tables, `beat` some times a second. streams: finds the answers that
    go on."""

    def __init__(self, holder: TablesHolder, counters: "Counters | None", streams: "Streams") -> None:
        self._holder, self._counters, self._streams = holder, counters, streams
        self._judged_by = _routes(holder.tables)
        self._rest: Iterator[Judge | None] = iter(())
        self._is_under_way = False

    def begin(self) -> None:
        if self._is_under_way:
            return
        now = _routes(self._holder.tables)
        if any(one is not other for one, other in zip(now, self._judged_by, strict=True)):
            self._judged_by = now
            self._begin(is_new=True)

    def _begin(self, *, is_new: bool) -> None:
        self._is_under_way = True
        self._rest = chain(self._streams.found(is_new=is_new), self._carried())

    def _carried(self) -> "Iterator[Judge]":
        """Gathered last: what was a call without an answer a moment ago may be a WebSocket by now."""
        yield from tuple(self._holder.carried)

    def beat(self) -> None:
        if not self._is_under_way:
            if self._streams.is_due:
                self._begin(is_new=False)
            return
        tables, carried, until = self._holder.tables, self._holder.carried, perf_counter() + MOST_S
        while perf_counter() < until:
            judges = tuple(islice(self._rest, AT_ONCE))
            if not judges:
                self._is_under_way = False
                self.begin()
                return
            for judge in judges:
                if judge is not None and judge in carried and (reason := judge(tables)):
                    self._count(reason)

    def _count(self, reason: str) -> None:
        if self._counters is not None:
            self._counters.add(self._counters.counter(ENDED, reason=reason))


def _routes(tables: Tables) -> tuple[object, ...]:
    """Tables in which these are the same objects carry the same. Of those in force: Consumers are replaced."""
    holds = (tables.connections, tables.connects, tables.sessions, tables.edge, tables.mesh, tables.named)
    return (*holds, tables.parts.consumers.held)
