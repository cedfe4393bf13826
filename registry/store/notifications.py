"""What Receivers are still to be told of alerts, and how the last message to each fared."""

from typing import Final

import msgspec
from sqlalchemy import BigInteger, Text, and_, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from registry.store.steps import Query, Row, Step
from registry.store.tables.alerts import NOTIFICATION_GROUPS, NOTIFICATION_INBOX, NOTIFICATION_OUTCOMES


class GroupRecord(msgspec.Struct, frozen=True, gc=False):
    """A row of `notification_groups`."""

    namespace: str
    receiver: str
    key: str
    version: int
    value: bytes


class OutcomeRecord(msgspec.Struct, frozen=True, gc=False):
    """A row of `notification_outcomes`."""

    namespace: str
    receiver: str
    value: bytes


_I: Final = NOTIFICATION_INBOX.c
_G: Final = NOTIFICATION_GROUPS.c
_O: Final = NOTIFICATION_OUTCOMES.c
_GROUPS: Final = Query(select(NOTIFICATION_GROUPS))
_OUTCOMES: Final = Query(select(NOTIFICATION_OUTCOMES))
_INBOX: Final = Query(select(_I.id, _I.value).order_by(_I.at).limit(bindparam("count", type_=BigInteger)))
_TAKE: Final = Query(delete(NOTIFICATION_INBOX).where(_I.id == bindparam("which", type_=Text)))
# The same words on SQLite: both have taken them from PostgreSQL.
_LEAVE: Final = Query(
    insert(NOTIFICATION_INBOX).values({column.name: bindparam(column.name) for column in _I}).on_conflict_do_nothing()
)
_adding_group = insert(NOTIFICATION_GROUPS).values({column.name: bindparam(column.name) for column in _G})
_PUT_GROUP: Final = Query(
    _adding_group.on_conflict_do_update(
        index_elements=list(NOTIFICATION_GROUPS.primary_key.columns),
        set_={"version": _adding_group.excluded.version, "value": _adding_group.excluded.value},
        where=_G.version == _adding_group.excluded.version - 1,
    ).returning(_G.version)
)
_DROP_GROUP: Final = Query(
    delete(NOTIFICATION_GROUPS).where(
        and_(
            _G.namespace == bindparam("of_namespace", type_=Text),
            _G.receiver == bindparam("of_receiver", type_=Text),
            _G.key == bindparam("of_key", type_=Text),
            _G.version == bindparam("of_version", type_=BigInteger),
        )
    )
)
_adding_outcome = insert(NOTIFICATION_OUTCOMES).values({column.name: bindparam(column.name) for column in _O})
_PUT_OUTCOME: Final = Query(
    _adding_outcome.on_conflict_do_update(
        index_elements=list(NOTIFICATION_OUTCOMES.primary_key.columns),
        set_={"value": _adding_outcome.excluded.value},
    )
)
_DROP_OUTCOME: Final = Query(
    delete(NOTIFICATION_OUTCOMES).where(
        _O.namespace == bindparam("of_namespace", type_=Text), _O.receiver == bindparam("of_receiver", type_=Text)
    )
)


def leave_in_inbox(key: str, at: float, value: bytes) -> Step:
    """key: of the episode. at: when it was over, seconds since 1970. value: msgpack of an AlertState."""
    return Step(_LEAVE, {"id": key, "at": at, "value": value})


def read_inbox(count: int) -> Step:
    """Keys and values, the oldest first."""
    return Step(_INBOX, {"count": count})


def take_from_inbox(key: str) -> Step:
    return Step(_TAKE, {"which": key})


def read_groups() -> Step:
    return Step(_GROUPS)


def read_outcomes() -> Step:
    return Step(_OUTCOMES)


def put_group(record: GroupRecord) -> Step:
    """NoRow: another registry has written it since the version before."""
    return Step(_PUT_GROUP, msgspec.structs.asdict(record), needs_row=True)


def drop_group(record: GroupRecord) -> Step:
    """As long as it is of this version."""
    values = {"namespace": record.namespace, "receiver": record.receiver, "key": record.key, "version": record.version}
    return Step(_DROP_GROUP, {f"of_{name}": value for name, value in values.items()})


def put_outcome(record: OutcomeRecord) -> Step:
    return Step(_PUT_OUTCOME, msgspec.structs.asdict(record))


def drop_outcome(namespace: str, receiver: str) -> Step:
    return Step(_DROP_OUTCOME, {"of_namespace": namespace, "of_receiver": receiver})


def group_of(row: Row) -> GroupRecord:
    return GroupRecord(*row)


def outcome_of(row: Row) -> OutcomeRecord:
    return OutcomeRecord(*row)
