"""Calls kept for rehearsals: errors, slow ones and some of the rest; heads only, what may be secret left out.

A worker keeps fifty calls a second: all of a quiet mesh, a hundredth of a busy one. Each line says for how many calls
it stands, so whoever reads them knows what share they are. A file holds an hour's; the supervisor takes away what is
old. The last calls, all of them, are held in memory as well (recent.py reads them).
"""

import os
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec

from gateway.exchange import EDGE, Exchange
from meshway.http1.message import RequestHead
from meshway.secrecy import is_secret, without_secrets

GAP_S: Final = 0.02  # between two calls that are kept of the rest, and between two errors or slow ones, in the mean
BURST_S: Final = 1.0  # what a quiet span saves up for
SLOW_S: Final = 1.0
MOST_PENDING: Final = 4 << 20  # bytes that wait for the disk
MOST_RECENT: Final = 2_048  # calls in memory
# A head of more bytes is counted, not held: 2,048 of the longest that are read would be 128 MiB.
MOST_HEAD: Final = 4_096
MOST_HEAD_READ: Final = 1 << 20  # more than is ever read

# When it ended and when it began, of the worker's clock; head, listener's face, peer, scheme; what the finisher sorted
# it by.
Sorted = tuple[int, str, str, str, int, str, str, str, str | int]
Ended = tuple[float, float, RequestHead | None, int, str, bytes, Sorted]


class Recorded(msgspec.Struct, frozen=True):
    """A call as it is kept. at: when it began, seconds since 1970. seen: for how many calls it stands, itself included.

    authority, target, headers: as received, secrets left out; left_out: the names of headers whose values are not kept.
    route, rule, service, status, reason: what became of it. listener: its face; by: the one it came by.
    """

    at: float
    seen: int
    listener: str
    peer: str
    scheme: str
    method: str
    authority: str
    target: str
    headers: list[tuple[str, str]]
    left_out: list[str] = []
    route: str = ""
    rule: str = ""
    service: str = ""
    status: int = 0
    reason: str = ""
    by: str = ""


_encode: Final = msgspec.json.Encoder().encode


class Recorder:
    """folder: shared by all workers of the host. due: when the next call of the rest is kept, told by the finisher.

    seen: calls since the last line. dropped: lines the disk did not take. remember: adds to `ended`, the last calls.
    """

    __slots__ = (
        "_errors_due", "_file", "_folder", "_hour", "_lines", "_wall", "_writer", "_writing", "dropped", "due", "ended",
        "remember", "seen",
    )  # fmt: skip

    def __init__(self, folder: Path, *, wall: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._wall = wall
        self._lines = bytearray()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="recorder")
        self._writing: Future[None] | None = None
        self._errors_due = 0.0
        self._hour, self._file = -1, folder
        self.due = 0.0
        self.seen = 0
        self.dropped = 0
        self.ended: deque[Ended] = deque(maxlen=MOST_RECENT)
        self.remember = self.ended.append
        folder.mkdir(parents=True, exist_ok=True)

    def take(self, exchange: Exchange, now: float) -> None:
        """A call is over that is due, failed or was slow. now: of the worker's clock. What had no request is none."""
        if exchange.head.head_size > MOST_HEAD_READ:
            return
        if now >= self.due:
            self.due = max(self.due, now - BURST_S) + GAP_S
        elif now >= self._errors_due:
            self._errors_due = max(self._errors_due, now - BURST_S) + GAP_S
        else:
            return
        if len(self._lines) > MOST_PENDING:
            self.dropped += 1
            return
        line = line_of(exchange, self._wall() - (now - exchange.started), self.seen)
        self.seen = 0
        self._lines += line

    def beat(self) -> None:
        """Every 50 ms: hands over what was gathered, unless the disk still has the last of it."""
        if self._lines and (self._writing is None or self._writing.done()):
            lines, self._lines = bytes(self._lines), bytearray()
            self._writing = self._writer.submit(self._write, lines, self.file())

    def file(self) -> Path:
        """Of this hour, made once in it: pathlib interns the parts of a path, and a name that comes and goes twenty
        times a second uses up Python's table of them: within a quarter of an hour it was made anew, 1.9 MiB larger."""
        wall_s = self._wall()
        hour = int(wall_s // 3600)
        if hour != self._hour:
            self._hour, self._file = hour, file_of(self._folder, wall_s)
        return self._file

    def close(self) -> None:
        """Writes what is there."""
        if self._writing is not None:
            self._writing.result(timeout=5.0)
        self.beat()
        self._writer.shutdown(wait=True)

    def _write(self, lines: bytes, path: Path) -> None:
        """In the writer's thread. One write: lines of several workers do not mix."""
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            self.dropped += lines.count(b"\n")
            return
        try:
            os.write(descriptor, lines)
        except OSError:
            self.dropped += lines.count(b"\n")
        finally:
            os.close(descriptor)


def file_of(folder: Path, wall_s: float) -> Path:
    """Of the hour; names in order of time."""
    return folder / time.strftime("calls-%Y%m%d-%H.jsonl", time.gmtime(wall_s))


def line_of(exchange: Exchange, at_s: float, seen: int) -> bytes:
    """at_s: when it began, seconds since 1970. seen: for how many calls it stands."""
    plan, cluster = exchange.plan, exchange.cluster
    return recorded_line(
        exchange.head,
        at_s,
        seen,
        exchange.listener,
        exchange.peer,
        exchange.scheme,
        route=plan.route if plan is not None else "",
        rule=plan.rule if plan is not None else "",
        service=cluster.name if cluster is not None else "",
        status=exchange.status,
        reason=exchange.reason,
        by=exchange.listener_name,
    )


def recorded_line(
    head: RequestHead, at_s: float, seen: int, listener: int, peer: str, scheme: bytes, **outcome: str | int
) -> bytes:
    """outcome: the fields of `Recorded` that say what became of the call."""
    fields, left_out = _fields_of(head.block)
    line = Recorded(
        at=round(at_s, 3),
        seen=seen,
        listener="edge" if listener == EDGE else "mesh",
        peer=peer,
        scheme=scheme.decode("ascii"),
        method=head.method.decode("latin-1"),
        authority=head.authority.decode("latin-1"),
        target=without_secrets(head.target).decode("latin-1"),
        headers=fields,
        left_out=left_out,
        **outcome,  # type: ignore[arg-type]  # texts, and a whole number for status
    )
    return _encode(line) + b"\n"


def _fields_of(block: bytes) -> tuple[list[tuple[str, str]], list[str]]:
    """Names and values, and the names of those whose values are nobody's business."""
    kept: list[tuple[str, str]] = []
    left_out: list[str] = []
    for line in block.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if not colon:
            continue
        if is_secret(name, value):
            left_out.append(name.decode("latin-1").lower())
        else:
            kept.append((name.decode("latin-1"), value.strip(b" \t").decode("latin-1")))
    return kept, left_out
