"""Calls that gateways tell of one by one, kept 24 h or 200 MB: failed and slow ones and a part of the rest.

Lines of JSON in files of 8 MiB or an hour, in the order in which they came; the oldest files go first. Reading and
writing run each in a thread of its own: a long search keeps no calls from the disk. What gateways told another registry
is there; where registries share a database, shared_calls.py keeps them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from meshway.call_lines import CallLine
from meshway.problem import Problem, soon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from meshway.call_filter import Holds
    from meshway.call_lines import CallsTold
    from registry.insight.sight import Sight

KEPT_S: Final = 24 * 3600.0
MOST_BYTES: Final = 200 << 20
FILE_BYTES: Final = 8 << 20
FILE_S: Final = 3600.0
MOST_READ: Final = 64 << 20  # of one search; it goes on at its cursor
MOST_WRITES: Final = 64  # that wait for the disk
MOST_SEARCHES: Final = 8  # at once
WRITE_S: Final = 5.0
MOST_OF_ONE: Final = 100
_GATEWAYS: Final = 4_096  # whose last message is remembered
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(CallLine).decode


class Found(NamedTuple):
    """next: where the search goes on, None: there is nothing older."""

    calls: list[CallLine]
    next: str | None


class Heard:
    """Which messages have come already, by gateway and its start."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: OrderedDict[tuple[str, str], int] = OrderedDict()

    def is_new(self, node: str, boot: str, sequence: int) -> bool:
        key = (node, boot)
        if sequence <= self._last.get(key, 0):
            return False
        self._last[key] = sequence
        self._last.move_to_end(key)
        if len(self._last) > _GATEWAYS:
            self._last.popitem(last=False)
        return True


class RequestLog:
    """folder: of the files, made when absent. wall: seconds since 1970. waiting: messages that wait for the disk.
    dropped: calls that it did not take."""

    def __init__(self, folder: Path, wall: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._wall = wall
        self._heard = Heard()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="requests")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="requests-read")
        self._searches = 0
        self._last_write: Future[None] | None = None
        self.waiting = 0
        self._file: Path | None = None
        self._size = 0
        self._began_s = 0.0
        self.dropped = 0

    def add(self, told: CallsTold) -> None:
        """On the loop; written later."""
        if not told.calls or not self._heard.is_new(told.node, told.boot, told.sequence):
            return
        if self.waiting >= MOST_WRITES:
            self.dropped += len(told.calls)
            return
        self.waiting += 1
        loop = asyncio.get_running_loop()

        def write() -> None:
            lost = self._write(told.node, told.calls)
            loop.call_soon_threadsafe(self._written, lost)

        self._last_write = self._thread.submit(write)

    async def search(self, holds: Holds, *, sight: Sight, limit: int, cursor: str | None = None) -> Found:
        """The newest first, and filtered as they are seen. Raises ValueError for a cursor that none is, Problem (503)
        where too many search already."""
        place = None if cursor is None else _place(cursor)
        if self._searches >= MOST_SEARCHES:
            detail = f"{MOST_SEARCHES} searches of kept requests wait already"
            raise Problem(503, "busy", "Too many searches", detail=detail, headers=soon())
        self._searches += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._reader, self._search, holds, sight, limit, place, self._last_write
            )
        finally:
            self._searches -= 1

    async def of(self, name: str, wanted: str, sight: Sight) -> list[CallLine]:
        """Calls whose `trace_id` or `request_id` is wanted, at most MOST_OF_ONE. Raises Problem 503."""
        calls: list[CallLine] = []
        cursor: str | None = None
        while len(calls) < MOST_OF_ONE:
            found = await self.search(
                lambda line: getattr(line, name) == wanted, sight=sight, limit=MOST_OF_ONE, cursor=cursor
            )
            calls += found.calls
            if (cursor := found.next) is None:
                break
        return calls

    def close(self) -> None:
        self._thread.shutdown(wait=True)
        self._reader.shutdown(wait=True)

    def _written(self, lost: int) -> None:
        self.waiting -= 1
        self.dropped += lost

    # In the threads.

    def _write(self, node: str, calls: Sequence[CallLine]) -> int:
        lines = b"".join(_encode(msgspec.structs.replace(call, node=node)) + b"\n" for call in calls)
        try:
            now = self._wall()
            is_over = self._size + len(lines) > FILE_BYTES or now > self._began_s + FILE_S
            if self._file is None or is_over:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._file = self._folder / f"requests-{int(now * 1e6):020}.jsonl"
                self._size, self._began_s = 0, now
                self._prune()
            with self._file.open("ab") as opened:
                opened.write(lines)
        except OSError:
            return len(calls)
        self._size += len(lines)
        return 0

    def _prune(self) -> None:
        """A file may hold what came an hour after its beginning."""
        files = self._files()
        sizes = [path.stat().st_size for path in files]
        for at, path in enumerate(files):
            if not self._is_old(path) and sum(sizes[at:]) <= MOST_BYTES - FILE_BYTES:
                return
            path.unlink(missing_ok=True)

    def _is_old(self, path: Path) -> bool:
        return _began_s(path) < self._wall() - KEPT_S - FILE_S

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("requests-*.jsonl"))

    def _search(
        self, holds: Holds, sight: Sight, limit: int, place: tuple[str, int] | None, after: Future[None] | None
    ) -> Found:
        """after: what was told until then is found."""
        if after is not None:
            wait((after,), timeout=WRITE_S)
        found: list[CallLine] = []
        read = 0
        for path in reversed(self._files()):
            if self._is_old(path):
                break
            if place is not None and path.name > place[0]:
                continue
            data = _content(path)
            end = min(place[1], len(data)) if place is not None and path.name == place[0] else len(data)
            for at, line in _backwards(data, end):
                read += len(line)
                call = _read(line)
                if call is None:
                    continue
                seen = sight.call(call)
                if seen is not None and holds(seen):
                    found.append(seen)
                if len(found) >= limit or read >= MOST_READ:
                    return Found(found, f"{path.name}:{at}")
        return Found(found, None)


def _place(cursor: str) -> tuple[str, int]:
    name, _, at = cursor.rpartition(":")
    if not name.startswith("requests-") or "/" in name or not at.isdecimal():
        raise ValueError("is no cursor of this list")
    return name, int(at)


def _began_s(path: Path) -> float:
    return int(path.stem.partition("-")[2]) / 1e6


def _content(path: Path) -> bytes:
    """What was pruned meanwhile holds nothing."""
    with contextlib.suppress(OSError):
        return path.read_bytes()
    return b""


def _backwards(data: bytes, end: int) -> Iterator[tuple[int, bytes]]:
    """Lines before `end`, the last first, with where each begins; what a crash left half has no LF and is passed
    over."""
    end = data.rfind(b"\n", 0, end) + 1
    while end > 0:
        at = data.rfind(b"\n", 0, end - 1) + 1
        yield at, data[at : end - 1]
        end = at


def _read(line: bytes) -> CallLine | None:
    with contextlib.suppress(msgspec.DecodeError):
        return _decode(line)
    return None
