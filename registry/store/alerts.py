"""Statements about states of alerts and about silences, the same on both stores."""

from typing import Final

from sqlalchemy import BigInteger, Float, Text, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from registry.store.steps import Query, Step
from registry.store.tables.alerts import ALERT_STATES, SILENCES

_STATE: Final = ALERT_STATES.c
_SILENCE: Final = SILENCES.c

_put_state: Final = insert(ALERT_STATES).values(
    {column.name: bindparam(column.name, type_=column.type) for column in _STATE}
)
_PUT_STATE: Final = Query(
    _put_state.on_conflict_do_update(
        index_elements=[_STATE.id],
        set_={name: _put_state.excluded[name] for name in ("state", "at", "value")},
    )
)
_FORGET_STATE: Final = Query(delete(ALERT_STATES).where(_STATE.id == bindparam("which", type_=Text)))
_LIVE: Final = Query(select(_STATE.value).where(_STATE.state != "resolved").order_by(_STATE.at))
_RESOLVED: Final = Query(
    select(_STATE.value)
    .where(_STATE.state == "resolved", _STATE.at < bindparam("before", type_=Float))
    .order_by(_STATE.at.desc())
    .limit(bindparam("count", type_=BigInteger))
)
_FORGET_RESOLVED: Final = Query(
    delete(ALERT_STATES).where(_STATE.state == "resolved", _STATE.at < bindparam("before", type_=Float))
)
_ADD_SILENCE: Final = Query(
    insert(SILENCES).values({column.name: bindparam(column.name, type_=column.type) for column in _SILENCE})
)
_SILENCES: Final = Query(
    select(_SILENCE.value).where(_SILENCE.until > bindparam("now", type_=Float)).order_by(_SILENCE.until)
)
_END_SILENCE: Final = Query(
    delete(SILENCES).where(_SILENCE.id == bindparam("which", type_=Text)).returning(_SILENCE.value)
)
_FORGET_SILENCES: Final = Query(delete(SILENCES).where(_SILENCE.until < bindparam("before", type_=Float)))


def put_state(key: str, state: str, at: float, value: bytes) -> Step:
    """key: of the episode. at: of its last transition, seconds since 1970. value: msgpack of an AlertState."""
    return Step(_PUT_STATE, {"id": key, "state": state, "at": at, "value": value})


def forget_state(key: str) -> Step:
    return Step(_FORGET_STATE, {"which": key})


def live_states() -> Step:
    """Values of those that are pending or firing."""
    return Step(_LIVE)


def resolved_states(before: float, count: int) -> Step:
    """Values of those that were resolved before, the youngest first."""
    return Step(_RESOLVED, {"before": before, "count": count})


def forget_resolved(before: float) -> Step:
    return Step(_FORGET_RESOLVED, {"before": before})


def add_silence(key: str, namespace: str, until: float, value: bytes) -> Step:
    return Step(_ADD_SILENCE, {"id": key, "namespace": namespace, "until": until, "value": value})


def silences(now: float) -> Step:
    """Values of those that hold, the next to end first."""
    return Step(_SILENCES, {"now": now})


def end_silence(key: str) -> Step:
    """Its row is what it was; none: there is no such silence."""
    return Step(_END_SILENCE, {"which": key})


def forget_silences(before: float) -> Step:
    return Step(_FORGET_SILENCES, {"before": before})
