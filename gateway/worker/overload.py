"""Whether a worker has too much to do: how late its loop is and how much memory it holds, looked at each second.

Both ask for calls to be shed by their criticality (gateway/relay/shedding.py); memory for no new connections as well,
and then for idle ones to be closed.
"""

import ctypes
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gateway.relay.shedding import DEFAULT, NOTHING, SHEDDABLE, Shedding
from gateway.settings import OverloadSettings
from gateway.wire import places
from gateway.wire.listener_context import ListenerContext
from meshway.model.listener import LISTENERS

if TYPE_CHECKING:
    from gateway.telemetry.counters import Counters

SPAN_S: Final = 1.0
# Shedding takes away what called for it: for that long it goes on, or it would come and go each second.
HOLD_S: Final = 3.0
SOFT_MEMORY, HARD_MEMORY = 0.75, 0.9
# Of the time between two looks, used by this process: below it others hold the machine, and shedding frees nothing.
BUSY: Final = 0.5
# Between two times that freed memory is given back to the system; else what was once needed for a moment, as lines of
# the log while the disk took none, is held until the process ends (supervisor/heap.py keeps 8 MiB).
GIVE_BACK_S: Final = 60.0
GIVE_BACK_WHEN_SHORT_S: Final = 10.0
MOST_GIVING: Final = 1e-4  # of the time: who has many pieces to look through does so more seldom
LEVELS: Final = "meshway_overload_level"
LAGS: Final = "meshway_loop_lag_seconds"
MEMORY: Final = "meshway_worker_memory_bytes"
SHED: Final = "meshway_shed_total"
REFUSED: Final = "meshway_connections_refused_total"
CONNECTIONS: Final = "meshway_connections"
KEPT_OUT: Final = "meshway_addresses_kept_out"
STALLED: Final = "meshway_connections_stalled_total"
_AT_NOUGHT: Final = (
    (SHED, "criticality", ("sheddable", "default")),
    (REFUSED, "lacking", (places.CONNECTIONS, places.DESCRIPTORS, places.MEMORY, places.ADDRESS)),
    (STALLED, "listener", LISTENERS),
)
_STATM: Final = Path("/proc/self/statm")


class Overload:
    """column: the worker's, for its metrics. listeners: of the worker, which share their places. turn: called with
    whether calls are to be shed from now on. close_idle: called while memory is beyond its upper mark, shrink: while
    it is short, with what is only kept to save work. resident: bytes this process holds, 0 = unknown. used: seconds of
    CPU it has had.
    """

    __slots__ = (
        "_cells",
        "_close_idle",
        "_counters",
        "_due",
        "_give_back_at",
        "_given_back_at",
        "_lags",
        "_listeners",
        "_looked_at",
        "_open",
        "_places",
        "_resident",
        "_settings",
        "_shedding",
        "_shrink",
        "_told",
        "_turn",
        "_until",
        "_used",
        "_used_s",
    )  # fmt: skip

    def __init__(
        self,
        settings: OverloadSettings,
        shedding: Shedding,
        listeners: Sequence[ListenerContext],
        counters: "Counters",
        column: int,
        *,
        turn: Callable[[bool], None],
        close_idle: Callable[[], None],
        shrink: Callable[[], None],
        resident: "Callable[[], int] | None" = None,
        used: "Callable[[], float] | None" = None,
    ) -> None:
        self._settings = settings
        self._shedding = shedding
        self._listeners = listeners
        self._places = listeners[0].places
        self._counters = counters
        self._turn = turn
        self._close_idle = close_idle
        self._shrink = shrink
        self._resident = resident or resident_bytes
        worker = str(column)
        self._cells = tuple(counters.gauge(name, worker=worker) for name in (LEVELS, LAGS, MEMORY))
        self._open = {listener.name: self._gauges_of(listener.name) for listener in listeners}
        self._told: dict[tuple[str, str], int] = {}
        for name, label, values in _AT_NOUGHT:  # a counter whose first value is not nought hides how it came about
            for value in values:
                counters.counter(name, **{label: value})
        self._lags: list[float] = []
        self._due = 0.0
        self._used = used or time.process_time
        self._used_s = 0.0
        self._looked_at = 0.0
        self._until = 0.0
        self._give_back_at = self._given_back_at = 0.0

    def beat(self, now: float, lag_s: float) -> None:
        """At each tick of the loop. lag_s: how long after its time it comes."""
        self._lags.append(lag_s)
        if now >= self._due:
            self._due = now + SPAN_S
            self._look(now)

    def _look(self, now: float) -> None:
        lag_s, self._lags = worst_but_one(self._lags), []
        resident = self._resident()
        used_s = self._used()
        is_ours, self._used_s, self._looked_at = used_s - self._used_s >= BUSY * (now - self._looked_at), used_s, now
        level = max(self._level_of_lag(lag_s) if is_ours else NOTHING, self._level_of_memory(resident, now))
        shedding, before = self._shedding, self._shedding.level
        if level >= before:
            self._until = now + HOLD_S
        elif now < self._until:
            level = before
        if level != before:
            shedding.level = level
            self._turn(level > NOTHING)
        shedding.forget()
        for cell, value in zip(self._cells, (level, lag_s, resident), strict=True):
            self._counters.set(cell, float(value))
        self._look_at_listeners()
        self._count(SHED, "criticality", shedding.shed)
        self._count(REFUSED, "lacking", self._places.refused)

    def _look_at_listeners(self) -> None:
        """Of one name there may be two for a while: one that drains, and the one in its place."""
        open_now, kept_out, cut = dict.fromkeys(self._open, 0), Counter[str](), Counter[str]()
        for listener in self._listeners:
            open_now[listener.name] = open_now.get(listener.name, 0) + len(listener.connections)
            kept_out[listener.name] += listener.kept_out
            cut[listener.name] += listener.cut
        for name, count in open_now.items():
            if name not in self._open:
                self._open[name] = self._gauges_of(name)
            for cell, value in zip(self._open[name], (count, kept_out[name]), strict=True):
                self._counters.set(cell, float(value))
        self._count(STALLED, "listener", cut)

    def _gauges_of(self, listener: str) -> tuple[int, int]:
        """Cells of its open connections, and of the addresses that it keeps out."""
        return (
            self._counters.gauge(CONNECTIONS, listener=listener),
            self._counters.gauge(KEPT_OUT, listener=listener),
        )

    def _level_of_lag(self, lag_s: float) -> int:
        settings = self._settings
        if not settings.lag_hard_s:
            return NOTHING
        return DEFAULT if lag_s > settings.lag_hard_s else SHEDDABLE if lag_s > settings.lag_soft_s else NOTHING

    def _level_of_memory(self, resident: int, now: float) -> int:
        most = self._settings.memory
        self._places.is_short_of_memory = is_short = bool(most) and resident > SOFT_MEMORY * most
        if is_short:
            self._shrink()
        if now >= self._give_back_at or (is_short and now >= self._given_back_at + GIVE_BACK_WHEN_SHORT_S):
            took_s = give_back()
            self._given_back_at, self._give_back_at = now, now + max(GIVE_BACK_S, took_s / MOST_GIVING)
        if not is_short:
            return NOTHING
        if resident <= HARD_MEMORY * most:
            return SHEDDABLE
        self._close_idle()
        return DEFAULT

    def _count(self, name: str, label: str, counts: Mapping[str, int]) -> None:
        for value, count in counts.items():
            already = self._told.get((name, value), 0)
            if count > already:
                self._told[(name, value)] = count
                self._counters.add(self._counters.counter(name, **{label: value}), count - already)


def worst_but_one(lags: list[float]) -> float:
    """The 99th percentile of about a hundred beats: one pause alone, as a change of tables makes, is no overload."""
    return sorted(lags)[-2] if len(lags) > 1 else 0.0


def resident_bytes() -> int:
    """Of this process; 0 where the system does not tell."""
    try:
        return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def give_back() -> float:
    """What glibc holds of memory that was freed, to the system: else it counts as held for ever. Seconds it took: a
    third of a millisecond beside 10,000 routes."""
    began = time.perf_counter()
    with suppress(OSError, AttributeError):  # other C libraries do it by themselves
        ctypes.CDLL(None).malloc_trim(0)
    return time.perf_counter() - began
