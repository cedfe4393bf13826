"""Whom the mesh trusts: the row of trust, and the authorities."""

from typing import Final, Literal

import msgspec
from sqlalchemy import BigInteger, Float, Text, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from registry.store.steps import Query, Row, Step
from registry.store.tables.trust import AUTHORITIES, TRUST

Role = Literal["root", "intermediate", "token_key"]
State = Literal["next", "current", "old"]


class TrustRecord(msgspec.Struct, frozen=True, gc=False):
    """A row of `trust`."""

    id: int
    trust_domain: str
    phase: str
    generation: int


class AuthorityRecord(msgspec.Struct, frozen=True, gc=False):
    """A row of `authorities`. Times: seconds since 1970."""

    id: str
    role: Role
    issuer: str
    state: State
    certificate: bytes
    sealed_key: bytes | None
    not_after: float
    created_at: float


# The same words on SQLite: both have taken them from PostgreSQL.
_BEGIN: Final = Query(
    insert(TRUST)
    .values(id=1, trust_domain=bindparam("trust_domain"), phase=bindparam("phase"), generation=1)
    .on_conflict_do_nothing()
    .returning(TRUST.c.id)
)
_ADD_TRUST: Final = Query(insert(TRUST).values({column.name: bindparam(column.name) for column in TRUST.columns}))
_READ: Final = Query(select(TRUST))
_CHANGE: Final = Query(update(TRUST).values(generation=TRUST.c.generation + 1).returning(TRUST.c.generation))
_MOVE: Final = Query(
    update(TRUST)
    .values(phase=bindparam("to_phase"), generation=TRUST.c.generation + 1)
    .where(TRUST.c.generation == bindparam("seen", type_=BigInteger))
    .returning(TRUST.c.generation)
)
_HOLD: Final = Query(
    select(TRUST.c.id).where(TRUST.c.generation == bindparam("seen", type_=BigInteger)).with_for_update(read=True)
)
_ALL: Final = Query(select(AUTHORITIES).order_by(AUTHORITIES.c.created_at, AUTHORITIES.c.id))
_ADD: Final = Query(insert(AUTHORITIES).values({column.name: bindparam(column.name) for column in AUTHORITIES.columns}))
_SET_STATE: Final = Query(
    update(AUTHORITIES)
    .values(state=bindparam("to_state", type_=Text))
    .where(AUTHORITIES.c.id == bindparam("authority", type_=Text))
)
_RETIRE: Final = Query(
    update(AUTHORITIES)
    .values(state="old", not_after=bindparam("until", type_=Float))
    .where(AUTHORITIES.c.id == bindparam("authority", type_=Text))
)
_TAKE_KEY: Final = Query(
    update(AUTHORITIES)
    .values(sealed_key=None)
    .where(AUTHORITIES.c.id == bindparam("authority", type_=Text), AUTHORITIES.c.sealed_key.is_not(None))
    .returning(AUTHORITIES.c.id)
)
_REMOVE: Final = Query(delete(AUTHORITIES).where(AUTHORITIES.c.id == bindparam("authority", type_=Text)))
_FORGET: Final = Query(
    delete(AUTHORITIES).where(AUTHORITIES.c.not_after < bindparam("before", type_=Float), AUTHORITIES.c.state == "old")
)


def begin_trust(trust_domain: str, phase: str) -> Step:
    """NoRow: somebody else has begun."""
    return Step(_BEGIN, {"trust_domain": trust_domain, "phase": phase}, needs_row=True)


def add_trust(record: TrustRecord) -> Step:
    return Step(_ADD_TRUST, msgspec.structs.asdict(record))


def read_trust() -> Step:
    return Step(_READ)


def move_trust(seen: int, phase: str) -> Step:
    """From a generation to the next. NoRow: it was another one."""
    return Step(_MOVE, {"seen": seen, "to_phase": phase}, needs_row=True)


def change_trust() -> Step:
    """What else is done with it is told by the next generation. NoRow: there is no authority."""
    return Step(_CHANGE, needs_row=True)


def hold_trust(seen: int) -> Step:
    """Until the transaction ends the generation stays what it was seen to be. NoRow: it is another one."""
    return Step(_HOLD, {"seen": seen}, needs_row=True)


def read_authorities() -> Step:
    """The oldest first."""
    return Step(_ALL)


def add_authority(record: AuthorityRecord) -> Step:
    return Step(_ADD, msgspec.structs.asdict(record))


def set_state(authority: str, state: State) -> Step:
    return Step(_SET_STATE, {"authority": authority, "to_state": state})


def retire(authority: str, until: float) -> Step:
    """It signs no more, and is forgotten then."""
    return Step(_RETIRE, {"authority": authority, "until": until})


def take_key(authority: str) -> Step:
    """The key is kept here no more. NoRow: it was not."""
    return Step(_TAKE_KEY, {"authority": authority}, needs_row=True)


def remove_authority(authority: str) -> Step:
    return Step(_REMOVE, {"authority": authority})


def forget_authorities(before: float) -> Step:
    """Old ones that expired before."""
    return Step(_FORGET, {"before": before})


def trust_of(row: Row) -> TrustRecord:
    return TrustRecord(*row)


def authority_of(row: Row) -> AuthorityRecord:
    return AuthorityRecord(*row)
