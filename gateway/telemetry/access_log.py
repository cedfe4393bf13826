"""The access log: one JSON line a call, encoded in slices beside the calls and written in a thread.

A call appends one entry; every 50 ms the worker's beat encodes up to SLICE of them at a time and hands the bytes to
the writer. What the disk does not take in time is dropped and counted, never waited for.
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

from gateway.exchange import EDGE, Exchange

SLICE: Final = 100  # lines encoded in one go: about 0.3 ms of the loop
BUFFER: Final = 4 << 20

Entry = tuple[Exchange, float]


class AttemptLine(msgspec.Struct):
    """began_ms: after the call's start, which is the line's time less its duration."""

    instance: str
    began_ms: float


class LogLine(msgspec.Struct, omit_defaults=False):
    """The fields of a line. Durations in milliseconds, sizes in bytes; "" where a call never came that far.

    path: without its query. time: when the call ended, RFC 3339. attempts_detail: each attempt in order, of a call that
    took more than one.
    """

    time: str
    duration_ms: float
    first_byte_ms: float | None
    listener: str
    peer: str
    principal: str
    method: str
    authority: str
    path: str
    route: str
    rule: str
    service: str
    instance: str
    attempts: int
    status: int
    flag: str
    reason: str
    bytes_in: int
    bytes_out: int
    request_id: str
    trace_id: str
    protocol: str
    attempts_detail: list[AttemptLine] | msgspec.UnsetType = msgspec.UNSET


class AccessLog:
    """path: opened for appending, shared by all workers of the host; "" writes nothing.

    pending: entries that wait at most. dropped: lines lost since the start, told to `on_dropped` as they are lost.
    """

    def __init__(
        self, path: str, pending: int, on_dropped: Callable[[int], None], *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = Path(path) if path else None
        self._pending = pending if path else 0
        self._on_dropped = on_dropped
        self._now = now
        self._entries: deque[Entry] = deque()
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._encoder = msgspec.json.Encoder()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="access-log")
        self._writing: Future[int] | None = None
        self._descriptor = -1
        if self._path is not None:
            self._descriptor = _open(self._path)

    def add(self, exchange: Exchange, ended: float) -> None:
        """ended: seconds of the worker's clock. The exchange is not changed after it."""
        if len(self._entries) < self._pending:
            self._entries.append((exchange, ended))
        elif self._path is not None:
            self._on_dropped(1)

    def beat(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called every 50 ms: encodes one slice and comes back for the next in the loop's next round."""
        if self._entries and self._buffered < BUFFER:
            self._encode(SLICE)
            if self._entries:
                loop.call_soon(self.beat, loop)
        self._hand_over()

    def reopen(self) -> None:
        """After the file was moved away (SIGHUP)."""
        if self._path is not None:
            self._writer.submit(self._reopen)

    def close(self) -> None:
        """Writes what is there, then closes."""
        while self._entries:
            self._encode(SLICE)
        if self._writing is not None:
            self._writing.result(timeout=5.0)
            self._writing = None
        self._hand_over()
        self._writer.shutdown(wait=True)
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _encode(self, count: int) -> None:
        entries, encode = self._entries, self._encoder.encode
        wall_offset = time.time() - self._now()
        lines = [
            encode(log_line(exchange, ended, ended + wall_offset))
            for exchange, ended in (entries.popleft() for _ in range(min(count, len(entries))))
        ]
        chunk = b"\n".join(lines) + b"\n"
        self._buffer.append(chunk)
        self._buffered += len(chunk)

    def _hand_over(self) -> None:
        if self._writing is not None:
            if not self._writing.done():
                return
            if lost := self._writing.result():
                self._on_dropped(lost)
            self._writing = None
        if self._buffer:
            data, self._buffer, self._buffered = b"".join(self._buffer), [], 0
            self._writing = self._writer.submit(self._write, data)

    def _write(self, data: bytes) -> int:
        """In the writer's thread. Returns how many lines were lost."""
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except OSError:
                return bytes(view).count(b"\n")
        return 0

    def _reopen(self) -> None:
        assert self._path is not None
        try:
            fresh = _open(self._path)
        except OSError:
            return  # the moved file is a better place than none
        os.close(self._descriptor)
        self._descriptor = fresh


def _open(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)


def log_line(exchange: Exchange, ended: float, wall: float) -> LogLine:
    """wall: seconds since 1970 when the call ended."""
    plan, cluster, endpoint, head = exchange.plan, exchange.cluster, exchange.endpoint, exchange.head
    return LogLine(
        f"{_second(int(wall))}.{int(wall % 1.0 * 1000.0):03d}Z",
        round((ended - exchange.started) * 1000.0, 3),
        round((exchange.first_byte - exchange.started) * 1000.0, 3) if exchange.first_byte else None,
        "edge" if exchange.listener == EDGE else "mesh",
        exchange.peer,
        exchange.principal.name if exchange.principal is not None else "",
        exchange.method.decode("latin-1"),
        exchange.authority.decode("latin-1"),
        exchange.path.decode("latin-1"),
        plan.route if plan is not None else "",
        plan.rule if plan is not None else "",
        cluster.name if cluster is not None else "",
        endpoint.id if endpoint is not None else "",
        exchange.attempts,
        exchange.status,
        exchange.flag,
        exchange.reason,
        exchange.bytes_in,
        exchange.bytes_out,
        exchange.request_id.decode("latin-1"),
        _trace_id(exchange.traceparent),
        "HTTP/1.1" if head.minor else "HTTP/1.0",
        _attempts(exchange) if exchange.attempts > 1 else msgspec.UNSET,
    )


@lru_cache(maxsize=4)  # nearly all lines of a slice ended in the same second
def _second(wall: int) -> str:
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _attempts(exchange: Exchange) -> list[AttemptLine]:
    begins = (exchange.started, *exchange.retried_at)
    return [
        AttemptLine(endpoint.id, round((began - exchange.started) * 1000.0, 3))
        for endpoint, began in zip(exchange.tried, begins, strict=True)
    ]


def _trace_id(traceparent: bytes) -> str:
    """W3C Trace Context §3.2: version-traceid-parentid-flags."""
    return traceparent[3:35].decode("latin-1") if len(traceparent) >= 55 else ""
