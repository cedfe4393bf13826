"""Single calls and spans in the shared database, over connections of their own: what one registry heard, all find.

They come in messages of gateways; a message is a batch, which counts once and is removed whole.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, LargeBinary, Text, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import ARRAY, insert

from registry.store.postgres.link import Link, Reached
from registry.store.postgres.reading import run
from registry.store.postgres.statements import Statement
from registry.store.tables.told import TOLD_BATCHES, TOLD_ITEMS

if TYPE_CHECKING:
    from registry.store.calls import FoundItem, Told

# What a crash of the server takes along is less than a second of calls.
_SETTINGS: Final = {"synchronous_commit": "off"}
_PRUNED_AT_ONCE: Final = 50  # batches of one transaction
_ITEM, _BATCH = TOLD_ITEMS.c, TOLD_BATCHES.c
_KIND: Final = _ITEM.kind == bindparam("of_kind", type_=Text)


def _add() -> Statement:
    """The batch, unless it is there already, and its items."""
    named = {"kind": Text, "node": Text, "boot": Text, "sequence": BigInteger, "at": BigInteger}
    values: dict[str, Any] = {name: bindparam(name, type_=kind) for name, kind in named.items()}
    values |= {name: bindparam(name, type_=BigInteger) for name in ("items", "size")}
    batch = insert(TOLD_BATCHES).values(values).on_conflict_do_nothing().returning(_BATCH.id, _BATCH.kind).cte("batch")
    columns = {"trace_id": Text, "request_id": Text, "value": LargeBinary}
    arrays: list[Any] = [bindparam(f"all_{name}", type_=ARRAY(kind)) for name, kind in columns.items()]
    given = func.unnest(*arrays).table_valued(*columns).render_derived()
    shown: list[Any] = [batch.c.id, batch.c.kind, *(given.c[name] for name in columns)]
    return Statement(insert(TOLD_ITEMS).from_select(["batch", "kind", *columns], select(*shown)))


_ADD: Final = _add()
_PAGE: Final = Statement(
    select(_ITEM.id, _ITEM.value)
    .where(_KIND, _ITEM.id < bindparam("before", type_=BigInteger))
    .order_by(_ITEM.id.desc())
    .limit(bindparam("count", type_=BigInteger))
)
_BY: Final = {
    name: Statement(
        select(_ITEM.id, _ITEM.value)
        .where(_KIND, _ITEM[name] == bindparam("wanted", type_=Text))
        .order_by(_ITEM.id.desc())
        .limit(bindparam("count", type_=BigInteger))
    )
    for name in ("trace_id", "request_id")
}
_BATCHES: Final = Statement(
    select(_BATCH.id, _BATCH.at, _BATCH["items"], _BATCH.size)
    .where(_BATCH.kind == bindparam("of_kind", type_=Text))
    .order_by(_BATCH.id.desc())
)
_SOME: Final = bindparam("ids", type_=ARRAY(BigInteger))
_FORGET_ITEMS: Final = Statement(delete(TOLD_ITEMS).where(_ITEM.batch == func.any(_SOME)))
_FORGET_BATCHES: Final = Statement(delete(TOLD_BATCHES).where(_BATCH.id == func.any(_SOME)))


class PostgresCalls:
    """CallStore. url: of a database that `prepare` has seen. One connection writes, one reads."""

    def __init__(self, url: str) -> None:
        reached = Reached()
        self._writing = Link(url, name="calls", settings=_SETTINGS, reached=reached)
        self._reading = Link(url, name="calls read", settings={}, reached=reached)
        self._writes = asyncio.Lock()
        self._reads = asyncio.Lock()

    async def write(self, told: Told) -> None:
        values: dict[str, Any] = {
            "kind": told.kind,
            "node": told.node,
            "boot": told.boot,
            "sequence": told.sequence,
            "at": told.at,
            "items": len(told.items),
            "size": sum(len(item.value) for item in told.items),
            "all_trace_id": [item.trace_id for item in told.items],
            "all_request_id": [item.request_id for item in told.items],
            "all_value": [item.value for item in told.items],
        }
        async with self._writes:
            connection = await self._writing.open()
            with self._writing.judged():
                await run(connection, _ADD, **values)

    async def page(self, kind: str, before: int, count: int) -> list[FoundItem]:
        return await self._read(_PAGE, of_kind=kind, before=before, count=count)

    async def having(self, kind: str, name: str, wanted: str, count: int) -> list[FoundItem]:
        return await self._read(_BY[name], of_kind=kind, wanted=wanted, count=count)

    async def prune(self, kind: str, *, before: int, most_items: int, most_bytes: int) -> None:
        items = size = 0
        gone: list[int] = []
        for id_, at, count, bytes_ in await self._read(_BATCHES, of_kind=kind):
            # A batch that is in part too much goes when all of it is: no less is kept than may be.
            if at < before or items >= most_items or size >= most_bytes:
                gone.append(id_)
            items, size = items + count, size + bytes_
        for start in range(0, len(gone), _PRUNED_AT_ONCE):
            some = gone[start : start + _PRUNED_AT_ONCE]
            async with self._writes:
                connection = await self._writing.open()
                with self._writing.judged():
                    async with connection.transaction():
                        await run(connection, _FORGET_ITEMS, ids=some)
                        await run(connection, _FORGET_BATCHES, ids=some)

    async def close(self) -> None:
        await self._writing.close()
        await self._reading.close()

    async def _read(self, statement: Statement, **values: Any) -> list[Any]:
        async with self._reads:
            connection = await self._reading.open()
            with self._reading.judged():
                return [tuple(row) for row in await run(connection, statement, **values)]
