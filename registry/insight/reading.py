"""Numbers of a span: points of the coarsest steps that fit into it, finer ones at its edges, and reports in no point.

Every number is in exactly one of what is added up, whatever is being rolled up meanwhile: keys of points and the
reports are read at one moment, and points that a coarser one holds too are left out.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from meshway.telemetry import CONSUMERS, ROUTES, Key, Row, Rows
from registry.insight.ingest import SLOT_S
from registry.insight.packing import unpack, unpack_sections
from registry.insight.rolling import HOUR_S, KEPT_S, STEPS_S, add_all, credential_used
from registry.insight.shelf import Shelf, weight_of
from registry.store.insight import PointKey, point_value, points_within, reports_within, uses
from registry.store.interface import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Hashable, Iterable, Sequence

    from registry.store.insight import InsightStore

# Kept for the next who asks, as weights of a shelf: points unpacked, what was added up of them and nothing came to, and
# reports of the last seconds.
_MOST_POINTS: Final = 600_000
_MOST_SUMS: Final = 400_000
_MOST_REPORTS: Final = 400_000
_MOST_COUNTS: Final = 400_000
_AT_ONCE: Final = 2
_TURN_S: Final = 10.0


class Piece(NamedTuple):
    """A part of a span that points of one step cover. end: not included."""

    step_s: int
    first: int
    end: int


class _Report(NamedTuple):
    """As it stands in the store."""

    node: str
    boot: str
    sequence: int
    at: int
    value: bytes


class _Found(NamedTuple):
    points: list[PointKey]
    reports: list[_Report]


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
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._points: Shelf[PointKey, list[Row]] = Shelf(_MOST_POINTS)
        self._sums: Shelf[tuple[str, tuple[object, ...]], Rows] = Shelf(_MOST_SUMS)
        self._counts: Shelf[tuple[tuple[object, ...], Hashable], Rows] = Shelf(_MOST_COUNTS)
        self._reports: Shelf[tuple[str, str, int], dict[str, list[Row]]] = Shelf(_MOST_REPORTS)

    async def rows(
        self, section: str, first: float, end: float, key_of: Callable[[Key], Key | None] = lambda key: key
    ) -> Rows:
        """Of a section, added up. key_of: what is added under one key; None: what is left out. first, end: seconds
        since 1970, taken to the steps that are still kept. Raises StoreUnavailable."""
        async with self._turn():
            return await self._rows(section, first, end, key_of)

    async def counted(
        self, section: str, first: float, end: float, name: Hashable, key_of: Callable[[Key], Key | None]
    ) -> Rows:
        """As `rows`, for one who asks for the last minutes again and again: what each point comes to by the new keys is
        kept. name: of `key_of`, and of the section. Raises StoreUnavailable."""
        async with self._turn():
            found = await self._find(section, first, end, HOUR_S)
            total: Rows = {}
            parts: list[PointKey | _Report] = [*found.points, *found.reports]
            for part in parts:
                await add_all(total, (await self._count(section, part, name, key_of)).values())
            return total

    async def _count(
        self, section: str, part: PointKey | _Report, name: Hashable, key_of: Callable[[Key], Key | None]
    ) -> Rows:
        kept_as = (tuple(part if isinstance(part, PointKey) else part[:3]), name)
        known = self._counts.get(kept_as)
        if known is None:
            known = await asyncio.to_thread(_summed, await self._load(section, part), key_of)
            self._counts.put(kept_as, known, weight_of(known.values()))
        return known

    async def _rows(self, section: str, first: float, end: float, key_of: Callable[[Key], Key | None]) -> Rows:
        found = await self._find(section, first, end, HOUR_S)
        coarse = [each for each in found.points if each.step_s > SLOT_S]
        fine = [each for each in found.points if each.step_s == SLOT_S]
        total: Rows = {}
        # Apart, since each changes at its own pace: by the minute, every 10 s, every 2 s.
        for parts in (coarse, fine, found.reports):
            await add_all(total, renamed((await self._sum(section, parts)).values(), key_of))
        return total

    async def each(
        self, section: str, first: float, end: float, coarsest_s: int, take: Callable[[int, list[Row]], None]
    ) -> None:
        """Of a section, in the order of time, one after the other: all of a long span at once are gigabytes.

        coarsest_s: the longest time that may be taken as one. take: in a thread; told the begin of the 10 s, minute or
        hour, and the rows. Raises StoreUnavailable.
        """
        async with self._turn():
            found = await self._find(section, first, end, coarsest_s)
            parts: list[PointKey | _Report] = [*found.points, *found.reports]
            for part in sorted(parts, key=lambda part: part.at):
                await asyncio.to_thread(take, part.at, await self._load(section, part))

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
        return _Found([PointKey(*row) for rows in keys for row in rows], [_Report(*row) for row in reports])

    async def _load(self, section: str, part: PointKey | _Report) -> list[Row]:
        if isinstance(part, _Report):
            return self._unpacked(part, section)
        rows = self._points.get(part)
        if rows is None:
            (values,) = await self._store.read([point_value(part)])
            if not values:  # it was forgotten meanwhile
                return []
            rows = unpack(values[0][0])
            self._points.put(part, rows, weight_of(rows))
        return rows

    async def _sum(self, section: str, parts: Sequence[PointKey | _Report]) -> Rows:
        """All of the parts as one; none of the rows is to be changed. What others asked for just now is known."""
        if not parts:
            return {}
        name = (section, tuple(part if isinstance(part, PointKey) else part[:3] for part in parts))
        known = self._sums.get(name)
        if known is None:
            known = {}
            for part in parts:
                await add_all(known, await self._load(section, part))
            self._sums.put(name, known, weight_of(known.values()))
        return known

    def _unpacked(self, report: _Report, section: str) -> list[Row]:
        sections = self._reports.get(report[:3])
        if sections is None:
            sections = unpack_sections(report.value)
            self._reports.put(report[:3], sections, sum(map(weight_of, sections.values())))
        return sections.get(section, [])

    async def last_used(self) -> dict[tuple[str, str], int]:
        """When a rule of a Route was used last, by both names, and a Consumer's credential (`credential_used`); seconds
        since 1970, the begin of the 10 s."""
        now = self.wall()
        (kept, reports) = await self._store.read([uses(), reports_within(0, int(now) + HOUR_S)])
        found = {(route, rule): at for route, rule, at in kept}
        for report in (_Report(*row) for row in reports):
            for row in self._unpacked(report, ROUTES):
                name = (row.key[0], row.key[1])
                if name[0]:
                    found[name] = max(found.get(name, 0), report.at)
            for row in self._unpacked(report, CONSUMERS):
                name = credential_used(row.key)
                found[name] = max(found.get(name, 0), report.at)
        return found


def _summed(rows: Iterable[Row], key_of: Callable[[Key], Key | None]) -> Rows:
    """For a thread."""
    total: Rows = {}
    for row in rows:
        key = key_of(row.key)
        if key is None:
            continue
        if (known := total.get(key)) is None:
            total[key] = row.copied(key)
        else:
            known.add(row)
    return total


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
