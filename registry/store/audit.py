"""The audit log, which row is its last, and behind which it begins."""

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import BigInteger, LargeBinary, SmallInteger, bindparam, delete, literal_column, select
from sqlalchemy.dialects.postgresql import insert as insert_step

from registry.store.compiled import NO_OFFSET, insert, sql, upsert
from registry.store.interface import NO_AUDIT, AuditHeadRecord, AuditRecord
from registry.store.steps import Query, Row, Step
from registry.store.tables.people import AUDIT, AUDIT_HEAD

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
_LAST: Final = literal_column("1", SmallInteger)  # the ids of the two rows of AUDIT_HEAD
_CUT_AT: Final = literal_column("2", SmallInteger)
HEAD: Final = select(AUDIT_HEAD).where(AUDIT_HEAD.c.id == _LAST)
_AFTER: Final = sql(AFTER)
_BEFORE: Final = sql(BEFORE)
_HEAD: Final = sql(HEAD)
_ADD: Final = sql(insert(AUDIT))
_CUT: Final = Query(select(AUDIT_HEAD).where(AUDIT_HEAD.c.id == _CUT_AT))
_FORGET: Final = Query(delete(AUDIT).where(AUDIT.c.seq <= bindparam("last", type_=BigInteger)))
_FORGET_CUT: Final = Query(delete(AUDIT_HEAD).where(AUDIT_HEAD.c.id == _CUT_AT))
_PUT_CUT: Final = Query(
    insert_step(AUDIT_HEAD).values(
        id=_CUT_AT, seq=bindparam("last", type_=BigInteger), hash=bindparam("hash", type_=LargeBinary)
    )
)
_PUT_HEAD: Final = sql(upsert(AUDIT_HEAD))


def add(connection: sqlite3.Connection, records: Sequence[AuditRecord]) -> None:
    connection.executemany(_ADD, [msgspec.structs.astuple(record) for record in records])


def put_head(connection: sqlite3.Connection, record: AuditHeadRecord) -> None:
    connection.execute(_PUT_HEAD, msgspec.structs.astuple(record))


def read_cut() -> Step:
    """Its one row, or none: up to where the log was forgotten."""
    return Step(_CUT)


def cut_of(rows: Sequence[Row]) -> AuditHeadRecord:
    return AuditHeadRecord(*rows[0]) if rows else NO_AUDIT


def forget_audit(last: int, digest: bytes) -> list[Step]:
    """The rows up to this one, digest: its hash, behind which the log goes on."""
    return [Step(_FORGET, {"last": last}), Step(_FORGET_CUT), Step(_PUT_CUT, {"last": last, "hash": digest})]


def head(connection: sqlite3.Connection) -> AuditHeadRecord | None:
    row = connection.execute(_HEAD).fetchone()
    return None if row is None else AuditHeadRecord(*row)


def after(connection: sqlite3.Connection, seq: int, limit: int) -> list[AuditRecord]:
    return [AuditRecord(*row) for row in connection.execute(_AFTER, (seq, limit, NO_OFFSET))]


def before(connection: sqlite3.Connection, seq: int, limit: int) -> list[AuditRecord]:
    return [AuditRecord(*row) for row in connection.execute(_BEFORE, (seq, limit, NO_OFFSET))]
