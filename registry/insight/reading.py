"""Numbers of a span: points of the coarsest steps that fit into it, finer ones at its edges, and reports in no point.

Every number is in exactly one of what is added up, whatever is being rolled up meanwhile: keys of points and the
reports are read at one moment, and points that a coarser one holds too are left out.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar
from weakref import WeakValueDictionary

from meshway.telemetry import CONSUMERS, EDGES, ROUTES, Key, Row, Rows
from registry.insight.ingest import SLOT_S
from registry.insight.packing import Sections, unpack, unpack_section
from registry.insight.pieces import pieces_of
from registry.insight.rolling import HOUR_S, KEPT_S, credential_used
from registry.insight.shelf import Shelf, weight_of
from registry.insight.sums import add_all, copied, merged, take_away
from registry.store.insight import (
    PointKey,
    point_value,
    points_within,
    report_keys_within,
    report_value,
    reports_within,
    uses,
)
from registry.store.interface import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Mapping, Sequence

    from registry.store.insight import InsightStore
    from registry.store.steps import Step

# Kept for the next who asks, as weights of a shelf: points unpacked, what was added up of them, and reports of the last
# seconds.
_MOST_POINTS: Final = 600_000
_MOST_SUMS: Final = 800_000
_MOST_REPORTS: Final = 800_000
# Of two seconds a row has few buckets: they are not counted.
_REPORTED_ROW, _REPORT_WEIGHT = 14, 10
# By those who show now; the others are read when they are asked for.
_ASKED_OFTEN: Final = (EDGES, ROUTES)
# Reports are made points of meanwhile; then what is asked is looked for anew.
_TRIES: Final = 5
_AT_ONCE: Final = 2
_TURN_S: Final = 10.0
_T = TypeVar("_T")


class _Report(NamedTuple):
    """As it stands in the store. value: b"": not read yet."""

    node: str
    boot: str
    sequence: int
    at: int
    value: bytes = b""


class _Found(NamedTuple):
    points: list[PointKey]
    reports: list[_Report]


PartKey = tuple[object, ...]


class Sum(NamedTuple):
    """What these parts come to. parts: by what they are known by."""

    parts: Mapping[PartKey, PointKey | _Report]
    rows: Rows


class _Gone(Exception):
    """A report is in a point by now."""


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
        self._sums: Shelf[Hashable, Sum] = Shelf(_MOST_SUMS)
        # A page asks for five figures of the same steps at once: one counts, the others find it counted.
        self._moving: WeakValueDictionary[Hashable, asyncio.Lock] = WeakValueDictionary()
        self._reports: Shelf[tuple[str, str, int, str], Sequence[Row]] = Shelf(_MOST_REPORTS)

    def heard(self, name: tuple[str, str, int], sections: Sections) -> None:
        """What a report says that is in the store: not read from there again. name: its node, boot and sequence."""
        for section in _ASKED_OFTEN:
            self._keep((*name, section), sections.get(section, ()))

    async def rows(
        self, section: str, first: float, end: float, key_of: Callable[[Key], Key | None] = lambda key: key
    ) -> Rows:
        """Of a section, added up, for one who asks once. key_of: what is added under one key; None: what is left out.
        first, end: seconds since 1970, taken to the steps that are still kept. Raises StoreUnavailable."""
        total: Rows = {}
        await self.each(section, first, end, HOUR_S, lambda _, rows: add_all(total, rows, key_of))
        return total

    async def counted(
        self, section: str, first: float, end: float, name: Hashable, key_of: Callable[[Key], Key | None]
    ) -> Rows:
        """As `rows`, for those who ask for the last minutes again and again: only what came and went since is counted.
        name: of `key_of`. Raises StoreUnavailable."""

        async def count() -> Rows:
            found = await self._find_keys(section, first, end, HOUR_S)
            # Apart, since each changes at its own pace: by the minute, every 10 s, every 2 s.
            groups: dict[Hashable, list[PointKey | _Report]] = {}
            for point in found.points:
                groups.setdefault((int(end - first), point.step_s > SLOT_S), []).append(point)
            for report in found.reports:
                groups.setdefault(report.at, []).append(report)
            sums = [
                await self._moved(section, (section, name, group), parts, key_of) for group, parts in groups.items()
            ]
            return await asyncio.to_thread(merged, sums)

        return await self._settled(count)

    async def stepped(
        self,
        section: str,
        steps: range,
        end: float,
        coarsest_s: int,
        name: Hashable,
        key_of: Callable[[Key], Key | None],
        take: Callable[[int, Rows], None],
    ) -> None:
        """As `counted`, each step by itself, in the order of time. steps: where they begin, seconds since 1970. take:
        told the begin of a step that has rows, and these, which are not to be changed. Raises StoreUnavailable."""

        async def count() -> list[tuple[int, Rows]]:
            found = await self._find_keys(section, steps.start, end, coarsest_s)
            groups: dict[int, list[PointKey | _Report]] = {}
            parts: list[PointKey | _Report] = [*found.points, *found.reports]
            for part in parts:
                if part.at in range(steps.start, steps.stop):
                    groups.setdefault(steps.start + (part.at - steps.start) // steps.step * steps.step, []).append(part)
            return [
                (begin, await self._moved(section, (section, name, begin, steps.step), parts, key_of))
                for begin, parts in sorted(groups.items())
            ]

        for begin, rows in await self._settled(count):
            take(begin, rows)

    async def _settled(self, count: Callable[[], Awaitable[_T]]) -> _T:
        async with self._turn():
            for _ in range(_TRIES):
                with suppress(_Gone):
                    return await count()
        raise StoreUnavailable("numbers are rolled up faster than they can be read")

    async def _moved(
        self, section: str, group: Hashable, parts: Sequence[PointKey | _Report], key_of: Callable[[Key], Key | None]
    ) -> Rows:
        """All of the parts as one, from what was known of the group. None of the rows is to be changed."""
        wanted: dict[PartKey, PointKey | _Report] = {part[:4]: part for part in parts}
        alone = self._moving.setdefault(group, asyncio.Lock())
        async with alone:
            known = self._sums.get(group)
            if known is not None and known.parts.keys() == wanted.keys():
                return known.rows
            rows, come = await self._left(section, known, wanted, key_of)
            for part in come:
                await asyncio.to_thread(add_all, rows, await self._load(section, part), key_of)
            self._sums.put(group, Sum(wanted, rows), weight_of(rows.values()))
            return rows

    async def _left(
        self,
        section: str,
        known: Sum | None,
        wanted: Mapping[PartKey, PointKey | _Report],
        key_of: Callable[[Key], Key | None],
    ) -> tuple[Rows, list[PointKey | _Report]]:
        """What is known of the parts that are wanted still, and those that are to be added to it."""
        if known is None:
            return {}, list(wanted.values())
        come = [part for key, part in wanted.items() if key not in known.parts]
        gone = [part for key, part in known.parts.items() if key not in wanted]
        if len(come) + len(gone) >= len(wanted) or any(isinstance(part, _Report) for part in gone):
            return {}, list(wanted.values())
        rows = await asyncio.to_thread(copied, known.rows)
        for part in gone:
            forgotten = await self._load(section, part)
            if not forgotten:
                return {}, list(wanted.values())
            await asyncio.to_thread(take_away, rows, forgotten, key_of)
        return rows, come

    async def each(
        self, section: str, first: float, end: float, coarsest_s: int, take: Callable[[int, Sequence[Row]], None]
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
        """With what reports say."""
        return await self._ask(section, first, end, coarsest_s, reports_within)

    async def _find_keys(self, section: str, first: float, end: float, coarsest_s: int) -> _Found:
        """Reports are thousands of rows: those that were counted are not read again."""
        return await self._ask(section, first, end, coarsest_s, report_keys_within)

    async def _ask(
        self, section: str, first: float, end: float, coarsest_s: int, reports: Callable[[int, int], Step]
    ) -> _Found:
        pieces = pieces_of(first, end, self.wall(), coarsest_s, self.kept_s())
        if not pieces:
            return _Found([], [])
        steps = [points_within(piece.step_s, section, piece.first, piece.end) for piece in pieces]
        *keys, told = await self._store.read([*steps, reports(pieces[0].first, pieces[-1].end)])
        return _Found([PointKey(*row) for rows in keys for row in rows], [_Report(*row) for row in told])

    async def _load(self, section: str, part: PointKey | _Report) -> Sequence[Row]:
        """Raises _Gone."""
        if isinstance(part, _Report):
            return await self._reported(section, part)
        rows = self._points.get(part)
        if rows is None:
            (values,) = await self._store.read([point_value(part)])
            if not values:  # it was forgotten meanwhile
                return []
            rows = unpack(values[0][0])
            self._points.put(part, rows, weight_of(rows))
        return rows

    async def _reported(self, section: str, report: _Report) -> Sequence[Row]:
        if not report.value and self._reports.get((*report[:3], section)) is None:
            (values,) = await self._store.read([report_value(*report[:3])])
            if not values:
                raise _Gone
            report = report._replace(value=values[0][0])
        return self._unpacked(report, section)

    def _unpacked(self, report: _Report, section: str) -> Sequence[Row]:
        name = (*report[:3], section)
        rows = self._reports.get(name)
        if rows is None:
            rows = unpack_section(report.value, section)
            self._keep(name, rows)
        return rows

    def _keep(self, name: tuple[str, str, int, str], rows: Sequence[Row]) -> None:
        self._reports.put(name, rows, _REPORT_WEIGHT + _REPORTED_ROW * len(rows))

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
