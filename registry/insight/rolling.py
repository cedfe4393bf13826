"""Makes points of reports, coarser points of finer ones, and forgets what is older than it is kept.

One registry on a store does it (`Store.lead`); what it reads and what it writes stand in one transaction, so that a
number is never counted twice or lost, whenever the process ends. A report that came late makes another part of a point.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING, Final

from meshway.telemetry import CONSUMERS, EDGES, INSTANCES, ROUTES, TRACKS, Key, Row, Rows, add_row
from registry.insight.ingest import SLOT_S
from registry.insight.packing import pack, unpack, unpack_sections
from registry.store.insight import (
    PointKey,
    add_point,
    forget_points,
    forget_positions,
    forget_report,
    forget_rolled,
    forget_uses,
    mark_rolled,
    note_use,
    point_value,
    report_slots,
    reports_within,
    sizes,
    times_to_roll,
    unrolled,
)
from registry.store.interface import StoreUnavailable
from registry.store.steps import NoRow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from registry.store.insight import InsightStore
    from registry.store.steps import Step

MINUTE_S: Final = 60
HOUR_S: Final = 3_600
STEPS_S: Final = (SLOT_S, MINUTE_S, HOUR_S)
# How long points are kept, by step, seconds.
KEPT_S: Final = {SLOT_S: 3_600, MINUTE_S: 172_800, HOUR_S: 7_776_000}
MOST_BYTES: Final = 2 << 30
EVERY_S: Final = 5.0
# A gateway's report of a span that just ended is on its way.
_GRACE_S: Final = {SLOT_S: 6.0, MINUTE_S: 10.0, HOUR_S: 30.0}
_FORGET_EVERY_S: Final = 60.0
_POSITIONS_KEPT_S: Final = 86_400.0
_TIMES: Final = 12  # spans a turn of one step
_STRIDE: Final = 500  # rows between two turns of the loop

_log = logging.getLogger("registry.insight")


class Rolling:
    """lead: whether this registry does it now. kept_s: by step. most_bytes: of all points; above it the oldest of the
    step that takes most go first. spans: rolled since the start; dropped_bytes: for want of room."""

    def __init__(
        self,
        store: InsightStore,
        lead: Callable[[], Awaitable[bool]],
        wall: Callable[[], float],
        *,
        kept_s: Callable[[], dict[int, float]] = lambda: dict(KEPT_S),
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._store = store
        self._lead = lead
        self._wall = wall
        self._kept_s = kept_s
        self._most_bytes = most_bytes
        self._forget_at = 0.0
        self._turn = asyncio.Lock()
        self.spans = 0
        self.dropped_bytes = 0
        self.bytes = 0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                if await self._lead():
                    await self.turn()
            except StoreUnavailable as error:
                _log.warning("numbers of calls are not rolled up now: %s", error)
            except NoRow:
                _log.info("another registry rolls the numbers of calls up")

    async def turn(self) -> None:
        """What is due now. Raises StoreUnavailable, NoRow."""
        async with self._turn:
            await self._do_turn()

    async def _do_turn(self) -> None:
        now = self._wall()
        ((*slots,),) = await self._store.read([report_slots(_closed(now, SLOT_S), _TIMES)])
        for (slot,) in slots:
            await self._roll_reports(slot)
        for step_s, coarser_s in ((SLOT_S, MINUTE_S), (MINUTE_S, HOUR_S)):
            ((*times,),) = await self._store.read(
                [times_to_roll(step_s, _closed(now, coarser_s), _TIMES * coarser_s // step_s)]
            )
            for begin in sorted({at // coarser_s * coarser_s for (at,) in times}):
                await self._roll_points(step_s, coarser_s, begin)
        if now >= self._forget_at:
            self._forget_at = now + _FORGET_EVERY_S
            await self._forget(now)

    async def _roll_reports(self, slot: int) -> None:
        ((*reports,),) = await self._store.read([reports_within(slot, slot + SLOT_S)])
        sections: dict[str, Rows] = {EDGES: {}, ROUTES: {}, INSTANCES: {}, CONSUMERS: {}, TRACKS: {}}
        done: list[Step] = []
        for node, boot, sequence, _, value in reports:
            for section, rows in unpack_sections(value).items():
                await add_all(sections[section], rows)
            done.append(forget_report(node, boot, sequence))
        used = {row.key[:2] for row in sections[ROUTES].values() if row.key[0]}
        used |= {credential_used(row.key) for row in sections[CONSUMERS].values()}
        done += [note_use(what, part, slot) for what, part in sorted(used)]
        await self._write(SLOT_S, slot, sections, done)

    async def _roll_points(self, step_s: int, coarser_s: int, begin: int) -> None:
        ((*found,),) = await self._store.read([unrolled(step_s, begin, begin + coarser_s)])
        sections: dict[str, Rows] = {}
        done: list[Step] = []
        for row in found:
            key = PointKey(*row)
            (((value,),),) = await self._store.read([point_value(key)])
            await add_all(sections.setdefault(key.section, {}), unpack(value))
            done.append(mark_rolled(key))
        await self._write(coarser_s, begin, sections, done)

    async def _write(self, step_s: int, at: int, sections: dict[str, Rows], done: list[Step]) -> None:
        part = secrets.token_hex(8)
        points = []
        for section, rows in sections.items():
            if rows:
                packed = await asyncio.to_thread(pack, list(rows.values()))
                points.append(add_point(PointKey(step_s, at, section, part), packed))
        await self._store.do([*done, *points])
        self.spans += 1

    async def _forget(self, now: float) -> None:
        kept_s = self._kept_s()
        steps = [
            (forget_points if step_s == HOUR_S else forget_rolled)(step_s, int(now - kept_s[step_s]))
            for step_s in STEPS_S
        ]
        longest = int(now - max(kept_s.values()))
        await self._store.do([*steps, forget_positions(now - _POSITIONS_KEPT_S), forget_uses(longest)])
        ((*found,),) = await self._store.read([sizes()])
        self.bytes = sum(size for _, size, _, _ in found)
        if self.bytes > self._most_bytes:
            # A tenth of the largest step's span at a time, until it fits.
            step_s, size, first, last = max(found, key=lambda row: row[1])
            end = first + max((last - first) // 10, step_s)
            await self._store.do([forget_points(step_s, end)])
            self.dropped_bytes += size // 10
            self._forget_at = 0.0
            _log.warning("numbers take %d bytes: the oldest points of %d s are dropped", self.bytes, step_s)


def credential_used(key: Key) -> tuple[str, str]:
    """A Consumer's credential as `insight_last_used` names it, beside the rules of Routes, which have no blank."""
    return f"consumer {key[0]}", key[1]


async def add_all(rows: Rows, more: Iterable[Row]) -> None:
    """Lets others have the loop now and then."""
    for number, row in enumerate(more):
        add_row(rows, row)
        if number % _STRIDE == _STRIDE - 1:
            await asyncio.sleep(0)


def _closed(now: float, step_s: int) -> int:
    """The end of the spans that nobody reports of any more, but for those that come late."""
    return int(now - _GRACE_S[step_s]) // step_s * step_s
