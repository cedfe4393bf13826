"""Lines on their way to the store: read in a thread, gathered, written together, and answered when they are kept.

What waits is bounded, in bytes as they came and as they are kept, and what one caller may send is, in bytes a second:
above that it is told when to come again, and no other caller's lines are kept out.
"""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple

from meshway.otlp.log_reading import LogsFault, TooManyLines, read_json, read_protobuf
from meshway.problem import Problem, soon
from registry.logs.lines import MOST_KEPT, Judged, TooMuch, judge
from registry.store.interface import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshway.otlp.log_records import LogsOfResource
    from registry.logs.lines import Place
    from registry.store.logs import LogStore

MOST_BODY: Final = 4 << 20  # bytes as they come
MOST_UNPACKED: Final = 16 << 20
MOST_WAITING: Final = 32 << 20  # bytes of bodies that are not answered yet
MOST_HELD: Final = 2 * MOST_KEPT  # bytes of lines that are not written yet
RATE: Final = 8 << 20  # bytes a second of one caller, unpacked or as lines are kept, whichever is more
BURST: Final = 64 << 20
GATHER_S: Final = 0.1
MOST_BATCH: Final = 5_000  # lines of one write
_CALLERS: Final = 4_096
_log = logging.getLogger("registry.logs")


class Sent(NamedTuple):
    """A body and who sent it. is_packed: by gzip. caller: whose rate counts. own, may: registry/logs/lines.py."""

    body: bytes
    is_json: bool
    is_packed: bool
    caller: str
    own: Place | None
    may: Callable[[str, str], bool]


class _Waiting(NamedTuple):
    judged: Judged
    done: asyncio.Future[Judged]


class Intake:
    """forward: takes what was accepted, with its bytes, and never waits. wall: seconds since 1970. clock: monotonic.

    taken, rejected, refused: lines kept, lines not the caller's to send, and bodies that came above a bound.
    """

    def __init__(
        self,
        store: LogStore,
        forward: Callable[[list[LogsOfResource], int], None],
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._forward = forward
        self._wall = wall
        self._clock = clock
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="logs-decode")
        self._waiting: list[_Waiting] = []
        self._something = asyncio.Event()
        self._bytes = self._held = 0
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self.taken = self.rejected = self.refused = 0

    async def take(self, sent: Sent) -> Judged:
        """When its lines are kept. Raises Problem: 400 for what are no logs, 413, 429 and 503 as OTLP has them."""
        if self._bytes + len(sent.body) > MOST_WAITING:
            self.refused += 1
            raise _too_many(MOST_WAITING)
        self._hold_back(sent.caller)
        self._bytes += len(sent.body)
        try:
            read = asyncio.get_running_loop().run_in_executor(self._reader, self._read, sent)
            try:
                judged = await read
            except Problem as problem:
                if problem.status == 413:
                    self.refused += 1
                    self._spend(sent.caller, MOST_UNPACKED)  # it took as long to find out
                raise
            self._spend(sent.caller, judged.size)
            self.rejected += judged.rejected
            if not judged.rows:
                return judged
            if self._held + judged.size > MOST_HELD:
                self.refused += 1
                raise _too_many(MOST_HELD)
            return await self._kept(judged)
        finally:
            self._bytes -= len(sent.body)

    async def _kept(self, judged: Judged) -> Judged:
        waiting = _Waiting(judged, asyncio.get_running_loop().create_future())
        self._held += judged.size  # until they are written, also where nobody waits for the answer any more
        self._waiting.append(waiting)
        self._something.set()
        return await waiting.done

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await self._something.wait()
                await asyncio.sleep(GATHER_S)
                batch = self._next()
                try:
                    await self._write(batch)
                finally:
                    self._held -= sum(one.judged.size for one in batch)
        finally:
            for one in self._waiting:
                one.done.cancel()
            self._reader.shutdown(wait=False)

    def _next(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        lines = 0
        while self._waiting and (not batch or lines + len(self._waiting[0].judged.rows) <= MOST_BATCH):
            batch.append(self._waiting.pop(0))
            lines += len(batch[-1].judged.rows)
        if not self._waiting:
            self._something.clear()
        return batch

    async def _write(self, batch: list[_Waiting]) -> None:
        try:
            await self._store.write([row for one in batch for row in one.judged.rows])
        except StoreUnavailable as error:
            _log.warning("logs are not taken now: %s", error)
            detail = "the store of logs takes nothing now"
            refusal = Problem(503, "store_unavailable", "No logs now", detail=detail, headers=soon())
            for one in batch:
                if not one.done.done():
                    one.done.set_exception(refusal)
            return
        for one in batch:
            self.taken += len(one.judged.rows)
            self._forward(one.judged.accepted, one.judged.size)
            if not one.done.done():
                one.done.set_result(one.judged)

    def _hold_back(self, caller: str) -> None:
        """Raises Problem 429 where it has spent what it may for now."""
        debt = self._debt(caller)
        if debt >= BURST:
            self.refused += 1
            wait_s = max(1, round((debt - BURST) / RATE) + 1)
            detail = f"{caller} sends more than {RATE >> 20} MiB of logs a second"
            raise Problem(429, "too_many_logs", "Too many logs", detail=detail, headers={"Retry-After": str(wait_s)})

    def _debt(self, caller: str) -> float:
        debt, at = self._spent.get(caller, (0.0, 0.0))
        return max(0.0, debt - (self._clock() - at) * RATE)

    def _spend(self, caller: str, size: int) -> None:
        self._spent[caller] = (self._debt(caller) + size, self._clock())
        self._spent.move_to_end(caller)
        if len(self._spent) > _CALLERS:
            self._spent.popitem(last=False)

    # In the thread.

    def _read(self, sent: Sent) -> Judged:
        """Raises Problem."""
        body = unpacked(sent.body) if sent.is_packed else sent.body
        try:
            resources = read_json(body) if sent.is_json else read_protobuf(body)
            judged = judge(resources, sent.own, sent.may, int(self._wall() * 1e9))
            return judged._replace(size=max(judged.size, len(body)))
        except TooManyLines as fault:
            raise _too_large(f"the body {fault}") from fault
        except LogsFault as fault:
            raise Problem(400, "malformed_logs", "No logs", detail=f"the body {fault}") from fault
        except TooMuch:
            detail = f"its lines, each with the attributes of its resource, take more than {MOST_KEPT >> 20} MiB"
            raise _too_large(detail) from None


def unpacked(body: bytes) -> bytes:
    """Of gzip, all its members. Raises Problem: 400 for what is none, 413 for what holds more than MOST_UNPACKED."""
    out = bytearray()
    while body:
        reader = zlib.decompressobj(wbits=31)
        try:
            out += reader.decompress(body, MOST_UNPACKED + 1 - len(out))
        except zlib.error as error:
            raise Problem(400, "malformed_logs", "No logs", detail=f"the body is no gzip: {error}") from error
        if len(out) > MOST_UNPACKED:
            raise _too_large(f"unpacked it has more than {MOST_UNPACKED} bytes")
        if not reader.eof:
            raise Problem(400, "malformed_logs", "No logs", detail="the body is no gzip: it is cut off")
        body = reader.unused_data
    return bytes(out)


def _too_large(detail: str) -> Problem:
    return Problem(413, "too_large", "Content Too Large", detail=detail, mend="send smaller batches")


def _too_many(most: int) -> Problem:
    detail = f"{most >> 20} MiB of logs wait to be written already"
    return Problem(503, "busy", "Too many logs at once", detail=detail, headers=soon())
