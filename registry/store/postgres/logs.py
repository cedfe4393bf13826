"""Lines of logs in the shared database, over connections of their own; what one registry took, all find.

Lines come and go in batches: a batch is what one registry wrote at once, and the oldest of them are removed whole.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Integer, LargeBinary, Text, bindparam, cast, delete, func, literal, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY, TSVECTOR, insert

from registry.store.logs import FoundLog
from registry.store.postgres.link import Link, Reached
from registry.store.postgres.reading import run
from registry.store.postgres.statements import Statement
from registry.store.tables.told import LOG_BATCHES, LOG_LINES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from registry.store.logs import LogQuestion, LogRow, Phrase

# What a crash of the server takes along is less than a second of lines; no commit of the catalogue waits for them.
_SETTINGS: Final = {"synchronous_commit": "off"}
_READ_SETTINGS: Final = {"statement_timeout": "4s"}
_PRUNED_AT_ONCE: Final = 20  # batches of one transaction
# What a line takes beside its value, as measured: other columns and indexes; and words, which stand in the row with
# their places and in an index.
_LINE_BYTES: Final = 450
_OF_WORDS: Final = 3
_MOST_POSITION: Final = 16_383  # of a tsvector
_LINE, _BATCH = LOG_LINES.c, LOG_BATCHES.c

_COLUMNS: Final = {
    "at": BigInteger, "namespace": Text, "service": Text, "instance": Text, "severity": Integer, "trace_id": Text,
    "words": Text, "value": LargeBinary,
}  # fmt: skip


def _add() -> Statement:
    """The batch, and its lines with their words; one statement."""
    batch = (
        insert(LOG_BATCHES)
        .values(
            at=bindparam("moment", type_=BigInteger),
            lines=bindparam("count", type_=BigInteger),
            size=bindparam("size", type_=BigInteger),
        )
        .returning(_BATCH.id)
        .cte("batch")
    )
    arrays: list[Any] = [bindparam(f"all_{name}", type_=ARRAY(kind)) for name, kind in _COLUMNS.items()]
    given = func.unnest(*arrays).table_valued(*_COLUMNS).render_derived()
    shown = [cast(given.c[name], TSVECTOR) if name == "words" else given.c[name] for name in _COLUMNS]
    return Statement(insert(LOG_LINES).from_select(["batch", *_COLUMNS], select(batch.c.id, *shown)))


_ADD: Final = _add()
_NEWEST: Final = Statement(select(func.max(_LINE.id)))
_BATCHES: Final = Statement(select(_BATCH.id, _BATCH.at, _BATCH.lines, _BATCH.size).order_by(_BATCH.id.desc()))
_SOME: Final = bindparam("ids", type_=ARRAY(BigInteger))
_FORGET_LINES: Final = Statement(delete(LOG_LINES).where(_LINE.batch == func.any(_SOME)))
_FORGET_BATCHES: Final = Statement(delete(LOG_BATCHES).where(_BATCH.id == func.any(_SOME)).returning(_BATCH.lines))


class PostgresLogs:
    """LogStore. url: of a database that `prepare` has seen. wall: seconds since 1970. One connection writes, one
    reads."""

    def __init__(self, url: str, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        reached = Reached()
        self._writing = Link(url, name="logs", settings=_SETTINGS, reached=reached)
        self._reading = Link(url, name="logs read", settings=_READ_SETTINGS, reached=reached)
        self._writes = asyncio.Lock()
        self._reads = asyncio.Lock()

    async def write(self, rows: Sequence[LogRow]) -> None:
        values: dict[str, Any] = {f"all_{name}": [getattr(row, name) for row in rows] for name in _COLUMNS}
        values["all_words"] = [_vector(row.words) for row in rows]
        size = sum(len(row.value) + _OF_WORDS * len(row.words) + _LINE_BYTES for row in rows)
        async with self._writes:
            connection = await self._writing.open()
            with self._writing.judged():
                await run(connection, _ADD, moment=int(self._wall() * 1e6), count=len(rows), size=size, **values)

    async def search(self, question: LogQuestion, limit: int) -> list[FoundLog]:
        query = select(_LINE.at, _LINE.id, _LINE.value).where(*_conditions(question)).limit(literal(limit))
        query = (
            query.order_by(_LINE.id) if question.after is not None else query.order_by(_LINE.at.desc(), _LINE.id.desc())
        )
        async with self._reads:
            connection = await self._reading.open()
            with self._reading.judged():
                return [FoundLog(*row) for row in await run(connection, Statement(query))]

    async def newest(self) -> int:
        async with self._reads:
            connection = await self._reading.open()
            with self._reading.judged():
                ((newest,),) = await run(connection, _NEWEST)
                return int(newest or 0)

    async def prune(self, before: int, most_bytes: int) -> int:
        """One registry does it for all."""
        async with self._writes:
            connection = await self._writing.open()
            with self._writing.judged():
                old, heavy, kept = list[int](), dict[int, int](), 0
                for id_, at, lines, size in await run(connection, _BATCHES):
                    kept += size
                    if at < before:
                        old.append(id_)
                    elif kept > most_bytes:
                        heavy[id_] = lines
        ids = [*reversed(heavy), *reversed(old)]
        for start in range(0, len(ids), _PRUNED_AT_ONCE):
            async with self._writes:
                connection = await self._writing.open()
                with self._writing.judged():
                    async with connection.transaction():
                        some = ids[start : start + _PRUNED_AT_ONCE]
                        await run(connection, _FORGET_LINES, ids=some)
                        await run(connection, _FORGET_BATCHES, ids=some)
        return sum(heavy.values())

    async def close(self) -> None:
        await self._writing.close()
        await self._reading.close()


def _conditions(question: LogQuestion) -> list[Any]:
    parts: list[Any] = []
    if question.namespaces is not None:
        parts.append(_LINE.namespace == func.any(literal(sorted(question.namespaces), ARRAY(Text))))
    asked = ((name, getattr(question, name)) for name in ("namespace", "service", "instance", "trace_id"))
    parts += [_LINE[name] == wanted for name, wanted in asked if wanted]
    if question.severity:
        parts.append(_LINE.severity >= question.severity)
    if question.since:
        parts.append(_LINE.at >= question.since)
    if question.until:
        parts.append(_LINE.at < question.until)
    if question.before is not None:
        parts.append(tuple_(_LINE.at, _LINE.id) < tuple_(*map(literal, question.before)))
    if question.after is not None:
        parts.append(_LINE.id > question.after)
    for phrase in question.phrases:
        holds = _LINE.words.op("@@")(cast(literal(_query(phrase), Text), TSQUERY))
        parts.append(~holds if phrase.is_not else holds)
    return parts


def _query(phrase: Phrase) -> str:
    """Words hold letters and digits alone."""
    words = [f"'{word}'" for word in phrase.words]
    return " <-> ".join(words) + (":*" if phrase.is_prefix else "")


def _vector(words: str) -> str:
    """Words with their places, as the database would write it."""
    return " ".join(f"'{word}':{place}" for place, word in enumerate(words.split()[:_MOST_POSITION], 1))
