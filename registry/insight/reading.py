"""Numbers of a span: points of the coarsest steps that fit into it, finer ones at its edges, and reports in no point.

Every number is in exactly one of what is added up, whatever is being rolled up meanwhile: keys of points and the
reports are read at one moment, and points that a coarser one holds too are left out.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from meshway.telemetry import ROUTES, Key, Row, Rows
from registry.insight.ingest import SLOT_S
from registry.insight.packing import unpack, unpack_sections
from registry.insight.rolling import HOUR_S, KEPT_S, STEPS_S, add_all
from registry.store.insight import PointKey, point_value, points_within, reports_within, uses
from registry.store.interface import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from registry.store.insight import InsightStore

# Rows of points that are kept unpacked for the next who asks, about 400 bytes each.
_MOST_CACHED: Final = 100_000
# What was added up for one who asked, as long as nothing came to it; and reports of the last seconds.
_MOST_SUMS: Final = 24
_MOST_REPORTS: Final = 200
_AT_ONCE: Final = 2
_TURN_S: Final = 10.0


class Piece(NamedTuple):
    """A part of a span that points of one step cover. end: not included."""

    step_s: int
    first: int
    end: int


class Timed(NamedTuple):
    """at: the begin of the 10 s, minute or hour that the rows are of."""

    at: int
    rows: list[Row]


class _Part(NamedTuple):
    """A point or a report. key: that of its row in the store."""

    key: Any
    at: int
    rows: list[Row]


class _Found(NamedTuple):
    points: list[_Part]
    reports: list[_Part]


class Reading:
    """wall: seconds since 1970. kept_s: by step."""

    def __init__(
        self,
        store: InsightStore,
        wall: Callable[[], float],
        *,
        kept_s: Callable[[], dict[int, float]] = lambda: dict(KEPT_S),
    ) -> None:
        self.wall = wall
        self._store = store
        self.kept_s = kept_s
        self._cached: OrderedDict[PointKey, list[Row]] = OrderedDict()
        self._cached_rows = 0
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._sums: OrderedDict[tuple[str, tuple[object, ...]], Rows] = OrderedDict()
        self._reports: OrderedDict[tuple[str, str, int], dict[str, list[Row]]] = OrderedDict()

    async def rows(
        self, section: str, first: float, end: float, key_of: Callable[[Key], Key | None] = lambda key: key
    ) -> Rows:
        """Of a section, added up. key_of: what is added under one key; None: what is left out. first, end: seconds
        since 1970, taken to the steps that are still kept. Raises StoreUnavailable."""
        async with self._turn():
            return await self._rows(section, first, end, key_of)

    async def _rows(self, section: str, first: float, end: float, key_of: Callable[[Key], Key | None]) -> Rows:
        found = await self._find(section, first, end, HOUR_S)
        coarse = [each for each in found.points if each.key.step_s > SLOT_S]
        fine = [each for each in found.points if each.key.step_s == SLOT_S]
        total: Rows = {}
        # Apart, since each changes at its own pace: by the minute, every 10 s, every 2 s.
        for parts in (coarse, fine, found.reports):
            await add_all(total, renamed((await self._sum(section, parts)).values(), key_of))
        return total

    async def timed(self, section: str, first: float, end: float, coarsest_s: int) -> list[Timed]:
        """Of a section, by time, in no order. coarsest_s: the longest time that may be taken as one."""
        async with self._turn():
            found = await self._find(section, first, end, coarsest_s)
        return [Timed(part.at, part.rows) for part in (*found.points, *found.reports)]

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """A long span is the work of seconds: not many at once, so that the rest of the registry has its share."""
        try:
            async with asyncio.timeout(_TURN_S):
                await self._places.acquire()
        except TimeoutError as error:
            raise StoreUnavailable("too much is asked at once") from error
        try:
            yield
        finally:
            self._places.release()

    async def _find(self, section: str, first: float, end: float, coarsest_s: int) -> _Found:
        pieces = pieces_of(first, end, self.wall(), coarsest_s, self.kept_s())
        if not pieces:
            return _Found([], [])
        steps = [points_within(piece.step_s, section, piece.first, piece.end) for piece in pieces]
        *keys, reports = await self._store.read([*steps, reports_within(pieces[0].first, pieces[-1].end)])
        wanted = [PointKey(*row) for rows in keys for row in rows]
        fresh: dict[PointKey, list[Row]] = {}
        for key in wanted:
            if key not in self._cached:
                (values,) = await self._store.read([point_value(key)])
                for (value,) in values:  # none: it was forgotten meanwhile
                    fresh[key] = unpack(value)
        points = [_Part(key, key.at, fresh.get(key) or self._cached.get(key, [])) for key in wanted]
        self._keep(fresh)
        return _Found(
            points, [_Part((row[0], row[1], row[2]), row[3], self._unpacked(row, section)) for row in reports]
        )

    async def _sum(self, section: str, parts: list[_Part]) -> Rows:
        """All of the parts as one; none of the rows is to be changed. What others asked for just now is known."""
        if not parts:
            return {}
        name = (section, tuple(part.key for part in parts))
        known = self._sums.pop(name, None)
        if known is None:
            known = {}
            for part in parts:
                await add_all(known, part.rows)
        self._sums[name] = known
        while len(self._sums) > _MOST_SUMS:
            self._sums.popitem(last=False)
        return known

    def _unpacked(self, report: Sequence[Any], section: str) -> list[Row]:
        node, boot, sequence, _, value = report
        name = (node, boot, sequence)
        sections = self._reports.pop(name, None)
        if sections is None:
            sections = unpack_sections(value)
        self._reports[name] = sections
        while len(self._reports) > _MOST_REPORTS:
            self._reports.popitem(last=False)
        return sections.get(section, [])

    async def last_used(self) -> dict[tuple[str, str], int]:
        """When a rule of a Route was used last, by both names; seconds since 1970, the begin of the 10 s."""
        now = self.wall()
        (kept, reports) = await self._store.read([uses(), reports_within(0, int(now) + HOUR_S)])
        found = {(route, rule): at for route, rule, at in kept}
        for report in reports:
            for row in self._unpacked(report, ROUTES):
                name = (row.key[0], row.key[1])
                if name[0]:
                    found[name] = max(found.get(name, 0), report[3])
        return found

    def _keep(self, fresh: dict[PointKey, list[Row]]) -> None:
        for key, rows in fresh.items():
            self._cached[key] = rows
            self._cached_rows += len(rows)
        while self._cached_rows > _MOST_CACHED:
            _, rows = self._cached.popitem(last=False)
            self._cached_rows -= len(rows)


def renamed(rows: Iterable[Row], key_of: Callable[[Key], Key | None]) -> Iterable[Row]:
    for row in rows:
        key = key_of(row.key)
        if key == row.key:
            yield row
        elif key is not None:
            yield row.copied(key)


def pieces_of(first: float, end: float, now: float, coarsest_s: int, kept_s: dict[int, float]) -> list[Piece]:
    """A span cut into steps: what is still kept of fine steps decides how near its ends are met; they are moved
    outwards."""
    steps = [step_s for step_s in STEPS_S if step_s <= coarsest_s]
    low, high = span_of(first, end, now, kept_s)
    if low >= high:
        return []
    left: list[Piece] = []
    right: list[Piece] = []
    for step_s, coarser_s in zip(steps, [*steps[1:], 0], strict=True):
        inner_low = _up(low, coarser_s) if coarser_s else high
        inner_high = _down(high, coarser_s) if coarser_s else low
        if not coarser_s or inner_low >= inner_high:
            middle = Piece(step_s, low, high)
            break
        if low < inner_low:
            left.append(Piece(step_s, low, inner_low))
        if inner_high < high:
            right.append(Piece(step_s, inner_high, high))
        low, high = inner_low, inner_high
    return [*left, middle, *reversed(right)]


def span_of(first: float, end: float, now: float, kept_s: dict[int, float]) -> tuple[int, int]:
    """Where what is read of a span begins and ends."""
    return _down(first, finest_step_s(first, now, kept_s)), _up(end, finest_step_s(end, now, kept_s))


def finest_step_s(at: float, now: float, kept_s: dict[int, float]) -> int:
    """The shortest time that can be told apart at `at`."""
    return next((step_s for step_s in STEPS_S if at >= now - kept_s[step_s] + step_s), HOUR_S)


def _down(at: float, step_s: int) -> int:
    return int(at // step_s) * step_s


def _up(at: float, step_s: int) -> int:
    return -int(-at // step_s) * step_s
