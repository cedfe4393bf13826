"""Lines of logs beside the embedded store: files of SQLite, each with its index of words, the oldest removed whole.

One thread writes, one reads. A flood of lines keeps no commit of the catalogue waiting, and costs a file of some
megabytes its removal, where taking rows out of an index of words costs as much as putting them in.
"""

from __future__ import annotations

import asyncio
import heapq
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from registry.settings import StartRefused
from registry.store.interface import StoreUnavailable
from registry.store.logs import FoundLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from registry.store.logs import LogQuestion, LogRow, Phrase

T = TypeVar("T")
FOLDER: Final = "logs"
SEGMENT_BYTES: Final = 16 << 20
SEGMENT_S: Final = 3600.0
_LEAST_BYTES: Final = 256 << 10
_SHARE: Final = 12  # segments that `most_bytes` has room for, at least
_BUSY_S: Final = 5.0
SEARCH_S: Final = 4.0  # as long as the shared database may search
_STEPS: Final = 10_000  # of SQLite, between two looks at the clock: less than a millisecond
READ_CACHE_KIB: Final = 4_096
_TABLES: Final = (
    "CREATE TABLE IF NOT EXISTS lines (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, namespace TEXT NOT NULL,"
    " service TEXT NOT NULL, instance TEXT NOT NULL, severity INTEGER NOT NULL, trace_id TEXT NOT NULL,"
    " value BLOB NOT NULL)",
    "CREATE INDEX IF NOT EXISTS lines_by_time ON lines (at, id)",
    "CREATE INDEX IF NOT EXISTS lines_by_trace ON lines (trace_id) WHERE trace_id <> ''",
    # Without the words themselves: they are in the lines already.
    "CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5"
    "(line, content='', detail='full', tokenize=\"unicode61 remove_diacritics 0\")",
)
_ADD: Final = "INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_ADD_WORDS: Final = "INSERT INTO words (rowid, line) VALUES (?, ?)"


class _Segment(NamedTuple):
    """first: below the id of its first line: the microsecond it was begun in, as near as counts."""

    first: int
    path: Path


class LogSegments:
    """folder: made when absent. wall: seconds since 1970. Raises StartRefused."""

    def __init__(self, folder: Path, wall: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._wall = wall
        self._most_bytes = _SHARE * SEGMENT_BYTES
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StartRefused(f"{folder} cannot be made: {error.strerror}") from error
        self._last_id = 0
        self._writing: sqlite3.Connection | None = None
        self._begun = 0
        self._path: Path | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="logs")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="logs-read")

    async def write(self, rows: Sequence[LogRow]) -> None:
        await self._run(self._writer, partial(self._write, rows))

    async def search(self, question: LogQuestion, limit: int) -> list[FoundLog]:
        """One that takes longer than SEARCH_S is given up: others wait for the thread."""
        return await self._run(self._reader, partial(self._search, question, limit))

    async def newest(self) -> int:
        return await self._run(self._reader, self._newest)

    async def prune(self, before: int, most_bytes: int) -> int:
        return await self._run(self._writer, partial(self._prune, before, most_bytes))

    async def close(self) -> None:
        await self._run(self._writer, self._end_segment)
        self._writer.shutdown(wait=False)
        self._reader.shutdown(wait=False)

    async def _run(self, thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(thread, work)
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(f"logs: {error}") from error

    # In the writer's thread.

    def _write(self, rows: Sequence[LogRow]) -> None:
        connection = self._segment()
        first = max(self._last_id + 1, int(self._wall() * 1e6), self._begun + 1)
        numbered = list(enumerate(rows, first))
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(_ADD, ((id_, *row[:6], row.value) for id_, row in numbered))
            connection.executemany(_ADD_WORDS, ((id_, row.words) for id_, row in numbered))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._last_id = numbered[-1][0]

    def _segment(self) -> sqlite3.Connection:
        """The one that is written to now."""
        now = int(self._wall() * 1e6)
        if self._writing is not None and self._path is not None:
            if _size(self._path) < self._segment_bytes and now < self._begun + SEGMENT_S * 1e6:
                return self._writing
            self._end_segment()
        if self._last_id == 0:
            self._last_id = self._newest()
        self._begun = max(now, self._last_id + 1)
        self._path = self._folder / f"logs-{self._begun:020}.db"
        self._writing = _open(self._path)
        for statement in _TABLES:
            self._writing.execute(statement)
        return self._writing

    @property
    def _segment_bytes(self) -> int:
        return max(min(SEGMENT_BYTES, self._most_bytes // _SHARE), _LEAST_BYTES)

    def _end_segment(self) -> None:
        """One file remains of it, without a journal beside it."""
        connection, self._writing = self._writing, None
        if connection is not None:
            with suppress(sqlite3.Error):  # somebody reads it: the journal stays, and says nothing new
                connection.execute("PRAGMA journal_mode=DELETE")
            connection.close()

    def _prune(self, before: int, most_bytes: int) -> int:
        self._most_bytes = most_bytes
        segments = self._segments()
        sizes = [_size(one.path) for one in segments]
        dropped = 0
        for at, one in enumerate(segments):
            is_old = _last_of(one) < before
            if not is_old and sum(sizes[at:]) <= most_bytes - self._segment_bytes:
                break
            if one.path == self._path:
                self._end_segment()
            if not is_old:
                dropped += _count(one.path)
            _remove(one.path)
        return dropped

    # In either.

    def _segments(self) -> list[_Segment]:
        """The oldest first."""
        return [_Segment(int(path.stem.partition("-")[2]), path) for path in sorted(self._folder.glob("logs-*.db"))]

    def _newest(self) -> int:
        return max((_last_of(one) for one in self._segments()[-2:]), default=0)

    # In the reader's thread.

    def _search(self, question: LogQuestion, limit: int) -> list[FoundLog]:
        deadline = time.monotonic() + SEARCH_S
        try:
            if question.after is not None:
                return self._following(question, limit, deadline)
            return self._youngest(question, limit, deadline)
        except sqlite3.OperationalError as error:
            if time.monotonic() < deadline:
                raise
            raise StoreUnavailable(f"the search took more than {SEARCH_S:g} s: name a service or a time") from error

    def _youngest(self, question: LogQuestion, limit: int, deadline: float) -> list[FoundLog]:
        where, values = _condition(question)
        found: list[FoundLog] = []
        statement = f"SELECT at, id, value FROM lines WHERE {where} ORDER BY at DESC, id DESC"  # noqa: S608  # our own words
        opened: list[sqlite3.Connection] = []
        try:
            for row in _merged(self._of_segments(question, statement, values, opened, deadline)):
                found.append(row)
                if len(found) >= limit:
                    break
        finally:
            for connection in opened:
                connection.close()
        return found

    def _of_segments(
        self,
        question: LogQuestion,
        statement: str,
        values: list[object],
        opened: list[sqlite3.Connection],
        deadline: float,
    ) -> Iterator[tuple[int, Iterator[FoundLog]]]:
        """The youngest time a segment holds, and its lines: the youngest segment first, which is opened when it is
        asked for."""
        spans: list[tuple[int, sqlite3.Connection]] = []
        for one in reversed(self._segments()):
            connection = _open_to_read(one.path, deadline)
            if connection is None:
                continue
            opened.append(connection)
            ((low, high),) = connection.execute("SELECT (SELECT min(at) FROM lines), (SELECT max(at) FROM lines)")
            if low is None or high < question.since or (question.until and low >= question.until):
                continue
            spans.append((high, connection))
        spans.sort(key=lambda span: -span[0])
        for high, connection in spans:
            yield high, (FoundLog(*row) for row in connection.execute(statement, values))

    def _following(self, question: LogQuestion, limit: int, deadline: float) -> list[FoundLog]:
        assert question.after is not None
        where, values = _condition(question)
        statement = f"SELECT at, id, value FROM lines WHERE {where} ORDER BY id LIMIT {limit:d}"  # noqa: S608  # our own words
        segments = self._segments()
        found: list[FoundLog] = []
        for at, one in enumerate(segments):
            if at + 1 < len(segments) and segments[at + 1].first <= question.after:
                continue
            connection = _open_to_read(one.path, deadline)
            if connection is not None:
                with closing(connection):
                    found += [FoundLog(*row) for row in connection.execute(statement, values)]
            if len(found) >= limit:
                break
        return found[:limit]


def _merged(segments: Iterable[tuple[int, Iterator[FoundLog]]]) -> Iterator[FoundLog]:
    """All in one order, the youngest first; a segment is read when what is older than its youngest line is due."""
    waiting: list[tuple[int, int, FoundLog, Iterator[FoundLog]]] = []

    def take(lines: Iterator[FoundLog]) -> None:
        for line in lines:
            heapq.heappush(waiting, (-line.at, -line.id, line, lines))
            return

    for high, lines in segments:
        while waiting and -waiting[0][0] > high:
            _, _, line, rest = heapq.heappop(waiting)
            yield line
            take(rest)
        take(lines)
    while waiting:
        _, _, line, rest = heapq.heappop(waiting)
        yield line
        take(rest)


def _condition(question: LogQuestion) -> tuple[str, list[object]]:
    """Of a line, with its values in order."""
    parts, values = ["1"], list[object]()

    def add(part: str, *given: object) -> None:
        parts.append(part)
        values.extend(given)

    if question.namespaces is not None:
        add(f"namespace IN ({', '.join('?' * len(question.namespaces))})", *sorted(question.namespaces))
    for name in ("namespace", "service", "instance", "trace_id"):
        if wanted := getattr(question, name):
            add(f"{name} = ?", wanted)
    if question.severity:
        add("severity >= ?", question.severity)
    if question.since:
        add("at >= ?", question.since)
    if question.until:
        add("at < ?", question.until)
    if question.before is not None:
        add("(at, id) < (?, ?)", *question.before)
    if question.after is not None:
        add("id > ?", question.after)
    wanted = [_match(phrase) for phrase in question.phrases if not phrase.is_not]
    if wanted:
        add("id IN (SELECT rowid FROM words WHERE words MATCH ?)", " AND ".join(wanted))
    for phrase in question.phrases:
        if phrase.is_not:
            add("id NOT IN (SELECT rowid FROM words WHERE words MATCH ?)", _match(phrase))
    return " AND ".join(parts), values


def _match(phrase: Phrase) -> str:
    """As FTS5 has it; words hold letters and digits alone."""
    return f'"{" ".join(phrase.words)}"' + ("*" if phrase.is_prefix else "")


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


def _open_to_read(path: Path, deadline: float | None = None) -> sqlite3.Connection | None:
    """None: it has just been removed, or has no tables yet. deadline: of what is read, monotonic seconds; behind it
    sqlite3.OperationalError is raised."""
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=_BUSY_S, isolation_level=None)
    except sqlite3.OperationalError:
        if not path.exists():
            return None
        raise
    if deadline is not None:
        connection.set_progress_handler(lambda: time.monotonic() >= deadline, _STEPS)
    connection.execute(f"PRAGMA cache_size=-{READ_CACHE_KIB}")
    ((count,),) = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'words'")
    if not count:
        connection.close()
        return None
    return connection


def _size(path: Path) -> int:
    """With what is in the journal beside it."""
    size = 0
    for each in (path, path.with_name(path.name + "-wal")):
        with suppress(OSError):
            size += each.stat().st_size
    return size


def _last_of(segment: _Segment) -> int:
    """The id of its last line, which is when that came."""
    connection = _open_to_read(segment.path)
    if connection is None:
        return segment.first
    with closing(connection):
        ((last,),) = connection.execute("SELECT max(id) FROM lines").fetchall()
    return segment.first if last is None else int(last)


def _count(path: Path) -> int:
    connection = _open_to_read(path)
    if connection is None:
        return 0
    with closing(connection):
        ((count,),) = connection.execute("SELECT count(*) FROM lines").fetchall()
        return int(count)


def _remove(path: Path) -> None:
    for each in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
        each.unlink(missing_ok=True)
