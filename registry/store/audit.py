"""The audit log, and which row is its last."""

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import BigInteger, bindparam, select

from registry.store.compiled import NO_OFFSET, insert, sql, upsert
from registry.store.interface import AuditHeadRecord, AuditRecord
from registry.store.tables import AUDIT, AUDIT_HEAD

AFTER: Final = (
    select(AUDIT)
    .where(AUDIT.c.seq > bindparam("after"))
    .order_by(AUDIT.c.seq)
    .limit(bindparam("count", type_=BigInteger))
)
BEFORE: Final = (
    select(AUDIT)
    .where(AUDIT.c.seq < bindparam("before"))
    .order_by(AUDIT.c.seq.desc())
    .limit(bindparam("count", type_=BigInteger))
)
HEAD: Final = select(AUDIT_HEAD)
_AFTER: Final = sql(AFTER)
_BEFORE: Final = sql(BEFORE)
_HEAD: Final = sql(HEAD)
_ADD: Final = sql(insert(AUDIT))
_PUT_HEAD: Final = sql(upsert(AUDIT_HEAD))


def add(connection: sqlite3.Connection, records: Sequence[AuditRecord]) -> None:
    connection.executemany(_ADD, [msgspec.structs.astuple(record) for record in records])


def put_head(connection: sqlite3.Connection, record: AuditHeadRecord) -> None:
    connection.execute(_PUT_HEAD, msgspec.structs.astuple(record))


def head(connection: sqlite3.Connection) -> AuditHeadRecord | None:
    row = connection.execute(_HEAD).fetchone()
    return None if row is None else AuditHeadRecord(*row)


def after(connection: sqlite3.Connection, seq: int, limit: int) -> list[AuditRecord]:
    return [AuditRecord(*row) for row in connection.execute(_AFTER, (seq, limit, NO_OFFSET))]


def before(connection: sqlite3.Connection, seq: int, limit: int) -> list[AuditRecord]:
    return [AuditRecord(*row) for row in connection.execute(_BEFORE, (seq, limit, NO_OFFSET))]
