"""Statements that are run, and what several of them read together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from registry.store.interface import (
    NO_AUDIT,
    AuditHeadRecord,
    ChangeRecord,
    DocumentRecord,
    InstanceRecord,
    Loaded,
    PeopleRecord,
    TokenRecord,
)
from registry.store.postgres import statements

if TYPE_CHECKING:
    from registry.store.postgres.link import Connection
    from registry.store.postgres.statements import Statement

# For a statement that reads or clears a whole table: a million rows take longer than any other answer may.
WHOLE_TABLE_S: Final = 120.0


async def run(
    connection: Connection, statement: Statement, *, within_s: float | None = None, **values: Any
) -> list[Any]:
    """within_s: None: what every answer has (link.ANSWER_S)."""
    return await connection.fetch(statement.text, *statement.values(values), timeout=within_s)


async def load(connection: Connection) -> Loaded:
    """All but the onces, at one moment: in a transaction that sees nothing newer."""
    instances = await run(connection, statements.ALL_INSTANCES, within_s=WHOLE_TABLE_S)
    documents = await run(connection, statements.ALL_DOCUMENTS, within_s=WHOLE_TABLE_S)
    ((epoch, revision, number, at, first),) = await run(connection, statements.READ_HEAD)
    return Loaded(
        epoch=epoch,
        revision=revision,
        at=at,
        floor=revision + 1 if first is None else first,
        instance_number=number,
        namespaces=[name for (name,) in await run(connection, statements.NAMESPACE_NAMES)],
        instances=[InstanceRecord(*row) for row in instances],
        documents=[DocumentRecord(*row) for row in documents],
        onces=[],
        tokens=[TokenRecord(*row) for row in await run(connection, statements.ALL_TOKENS)],
        people=[PeopleRecord(*row) for row in await run(connection, statements.ALL_PEOPLE)],
        audit_head=next((AuditHeadRecord(*row) for row in await run(connection, statements.AUDIT_HEAD_NOW)), NO_AUDIT),
    )


async def whole_revisions(connection: Connection, first: int, limit: int) -> list[ChangeRecord]:
    """limit: of changes; the last revision is read to its end all the same."""
    found = await run(connection, statements.CHANGES_FROM, first=first, count=limit)
    if len(found) == limit:
        last = found[-1]
        found += await run(connection, statements.REST_OF, revision=last["revision"], position=last["position"])
    return [ChangeRecord(*row) for row in found]
