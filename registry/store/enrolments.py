"""One-time tokens by which a program gets its first certificate."""

from typing import Final

import msgspec
from sqlalchemy import Float, LargeBinary, Text, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from registry.store.steps import Query, Row, Step
from registry.store.tables.trust import ENROLMENTS


class EnrolmentRecord(msgspec.Struct, frozen=True, gc=False):
    """A row of `enrolments`. expires_at: seconds since 1970."""

    id: str
    hash: bytes
    subject: str
    cidr: str
    expires_at: float
    created_by: str


_E: Final = ENROLMENTS.c
_id: Final = bindparam("which", type_=Text)
_ADD: Final = Query(insert(ENROLMENTS).values({column.name: bindparam(column.name) for column in _E}))
_ONE: Final = Query(select(ENROLMENTS).where(_E.id == _id))
_SPEND: Final = Query(
    delete(ENROLMENTS)
    .where(_E.id == _id, _E.hash == bindparam("digest", type_=LargeBinary), _E.expires_at > bindparam("now"))
    .returning(_E.id)
)
_REMOVE_OF: Final = Query(delete(ENROLMENTS).where(_E.subject == bindparam("of", type_=Text)).returning(_E.id))
_FORGET: Final = Query(delete(ENROLMENTS).where(_E.expires_at < bindparam("before", type_=Float)))


def add_enrolment(record: EnrolmentRecord) -> Step:
    return Step(_ADD, msgspec.structs.asdict(record))


def read_enrolment(enrolment: str) -> Step:
    return Step(_ONE, {"which": enrolment})


def spend_enrolment(enrolment: str, digest: bytes, now: float) -> Step:
    """NoRow: somebody else has, or it has expired."""
    return Step(_SPEND, {"which": enrolment, "digest": digest, "now": now}, needs_row=True)


def remove_enrolments_of(subject: str) -> Step:
    """Its rows are their ids."""
    return Step(_REMOVE_OF, {"of": subject})


def forget_enrolments(before: float) -> Step:
    return Step(_FORGET, {"before": before})


def enrolment_of(row: Row) -> EnrolmentRecord:
    return EnrolmentRecord(*row)
