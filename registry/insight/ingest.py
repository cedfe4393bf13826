"""Takes what gateways report of their calls: each report counts once, and is durable when it is answered.

A report that is not answered is sent again, here or to another registry. Which was counted is told by node, boot and
sequence, in the same transaction that keeps the report; so while the store is away nothing is taken, and the gateways
keep what they have for ten minutes.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from meshway.problem import Problem, soon
from meshway.telemetry import CONSUMERS, EDGES, INSTANCES, ROUTES, TRACKS, Row
from registry.insight.packing import Sections, compressed, encoded
from registry.store.insight import take_report
from registry.store.interface import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshway.telemetry import Numbers
    from registry.store.insight import InsightStore
    from registry.store.steps import Step

SLOT_S: Final = 10
MOST_WAITING: Final = 256
MOST_BYTES: Final = 64 << 20  # of all that wait
BATCH: Final = 32
# A gateway's clock that is ahead of ours: its numbers count as of now.
_AHEAD_S: Final = 5.0
# A report of longer ago finds no points it could be added to.
LATEST_S: Final = 3_000.0

_log = logging.getLogger("registry.insight")


class _Taken(msgspec.Struct, frozen=True):
    report: Numbers
    slot: int
    sections: Sections
    encoded: bytes
    answer: asyncio.Future[None]


class Ingest:
    """version_of: of an instance, by namespace, service and id; "": it has none. wall: seconds since 1970. kept: told
    of each report that is in the store by now: node, boot, sequence, and its rows.

    reports, doubled, late, refused: since the start, those that count, that were counted before, that came too late,
    and that were turned away.
    """

    def __init__(
        self,
        store: InsightStore,
        version_of: Callable[[tuple[str, str, str]], str],
        wall: Callable[[], float],
        kept: Callable[[tuple[str, str, int], Sections], None] = lambda _, __: None,
    ) -> None:
        self._store = store
        self._kept = kept
        self._version_of = version_of
        self._wall = wall
        self._waiting: deque[_Taken] = deque()
        self._bytes = 0
        self._woken = asyncio.Event()
        self.reports = self.doubled = self.late = self.refused = 0

    def take(self, report: Numbers) -> asyncio.Future[None]:
        """Done when it counts, or counted before. It fails with a Problem (503): nothing of it is kept."""
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        now = self._wall()
        at = min((report.begun + report.ended) / 2, report.ended, now + _AHEAD_S)
        if at < now - LATEST_S:
            self.late += 1
            answer.set_result(None)
        elif len(self._waiting) >= MOST_WAITING or self._bytes >= MOST_BYTES:
            self.refused += 1
            answer.set_exception(_busy("too many reports wait for the store"))
        else:
            sections: Sections = {
                EDGES: report.edges,
                ROUTES: report.routes,
                INSTANCES: [self._versioned(row) for row in report.instances],
                CONSUMERS: report.consumers,
                TRACKS: report.tracks,
            }
            body = encoded(sections)
            self._waiting.append(_Taken(report, int(at) // SLOT_S * SLOT_S, sections, body, answer))
            self._bytes += len(body)
            self._woken.set()
        return answer

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
                self._bytes -= sum(len(taken.encoded) for taken in batch)
                await self._keep(batch)

    async def _keep(self, batch: list[_Taken]) -> None:
        steps: list[Step] = []
        now = self._wall()
        # In a thread: compressing lets others have the interpreter.
        packed = await asyncio.to_thread(lambda: [compressed(taken.encoded) for taken in batch])
        for taken, value in zip(batch, packed, strict=True):
            report = taken.report
            steps += take_report(
                report.node,
                report.boot,
                report.sequence,
                taking=secrets.token_hex(8),
                moment=now,
                slot=taken.slot,
                packed=value,
            )
        try:
            rows = await self._store.do(steps)
        except StoreUnavailable as error:
            self.refused += len(batch)
            for taken in batch:
                if not taken.answer.done():
                    taken.answer.set_exception(_busy(f"the store does not take numbers: {error}"))
            return
        counted = sum(bool(position) for position in rows[::2])
        self.reports += counted
        self.doubled += len(batch) - counted
        for taken, position in zip(batch, rows[::2], strict=True):
            if position:
                self._kept((taken.report.node, taken.report.boot, taken.report.sequence), taken.sections)
            if not taken.answer.done():
                taken.answer.set_result(None)

    def _versioned(self, row: Row) -> Row:
        """Which version an instance had is not to be told later."""
        service, instance = row.key
        namespace, _, name = service.partition("/")
        version = self._version_of((namespace, name, instance))
        return msgspec.structs.replace(row, key=(service, instance, version))


def _busy(detail: str) -> Problem:
    return Problem(503, "not_kept", "Not kept", detail=detail, mend="send it again", headers=soon())
