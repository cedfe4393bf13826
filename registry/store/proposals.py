"""Changes of documents that somebody proposes: drafts, those in review, and what became of them."""

from typing import Final

import msgspec
from sqlalchemy import (
    BigInteger,
    Float,
    Integer,
    LargeBinary,
    Text,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from registry.store.steps import Query, Row, Step
from registry.store.tables.people import PROPOSALS


class ProposalRecord(msgspec.Struct, frozen=True, gc=False):
    """A row of `proposals`. version: one more with each write, so that of two who write one is told."""

    number: int
    version: int
    state: str
    updated_at: float
    revision: int | None
    value: bytes


_P: Final = PROPOSALS.c
_which: Final = bindparam("which", type_=BigInteger)
_seen: Final = bindparam("seen", type_=BigInteger)
_is_open: Final = _P.state != literal_column("'published'")
# Two who take the same number: one of them gets no row, and asks again.
_ADD: Final = Query(
    insert(PROPOSALS)
    .from_select(
        ["number", "version", "state", "updated_at", "revision", "value"],
        select(
            func.coalesce(func.max(_P.number), literal_column("0")) + literal_column("1"),
            literal_column("1"),
            bindparam("state", type_=Text),
            bindparam("updated_at", type_=Float),
            bindparam("revision", type_=BigInteger),
            bindparam("value", type_=LargeBinary),
        ).where(_P.number > literal_column("0")),  # SQLite takes no ON CONFLICT behind a SELECT without WHERE
    )
    .on_conflict_do_nothing()
    .returning(_P.number)
)
_ONE: Final = Query(select(PROPOSALS).where(_P.number == _which))
_COUNT_OPEN: Final = Query(select(func.count()).select_from(PROPOSALS).where(_is_open))
_LIST: Final = Query(
    select(PROPOSALS).where(_P.number < _which).order_by(_P.number.desc()).limit(bindparam("most", type_=Integer))
)
_LIST_OPEN: Final = Query(
    select(PROPOSALS)
    .where(_is_open, _P.number < _which)
    .order_by(_P.number.desc())
    .limit(bindparam("most", type_=Integer))
)
_OF_REVISION: Final = Query(select(PROPOSALS).where(_P.revision == _which))
_REPLACE: Final = Query(
    update(PROPOSALS)
    .where(_P.number == _which, _P.version == _seen)
    .values(
        version=_P.version + literal_column("1"),
        state=bindparam("new_state", type_=Text),
        updated_at=bindparam("new_updated_at", type_=Float),
        revision=bindparam("new_revision", type_=BigInteger),
        value=bindparam("new_value", type_=LargeBinary),
    )
    .returning(_P.version)
)
_REMOVE: Final = Query(delete(PROPOSALS).where(_P.number == _which, _P.version == _seen).returning(_P.number))


def add_proposal(*, state: str, updated_at: float, value: bytes) -> Step:
    """Its row is its number. NoRow: another took the number meanwhile."""
    values = {"state": state, "updated_at": updated_at, "revision": None, "value": value}
    return Step(_ADD, values, needs_row=True)


def read_proposal(number: int) -> Step:
    return Step(_ONE, {"which": number})


def count_open_proposals() -> Step:
    return Step(_COUNT_OPEN)


def list_proposals(before: int, limit: int, *, is_open: bool) -> Step:
    """Those below a number, the newest first. is_open: only those that are neither published nor gone."""
    return Step(_LIST_OPEN if is_open else _LIST, {"which": before, "most": limit})


def proposal_of_revision(revision: int) -> Step:
    """The one that it became."""
    return Step(_OF_REVISION, {"which": revision})


def replace_proposal(
    number: int, seen: int, *, state: str, updated_at: float, revision: int | None, value: bytes
) -> Step:
    """seen: its version until now. NoRow: somebody else has written it since, or it is gone."""
    values = {
        "which": number,
        "seen": seen,
        "new_state": state,
        "new_updated_at": updated_at,
        "new_revision": revision,
        "new_value": value,
    }
    return Step(_REPLACE, values, needs_row=True)


def remove_proposal(number: int, seen: int) -> Step:
    """As `replace_proposal`."""
    return Step(_REMOVE, {"which": number, "seen": seen}, needs_row=True)


def proposal_of(row: Row) -> ProposalRecord:
    return ProposalRecord(*row)
