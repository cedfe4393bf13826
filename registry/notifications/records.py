"""What is kept of messages to Receivers. Times: seconds since 1970."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import msgspec

from registry.alerts.records import AlertState
from registry.store.notifications import GroupRecord, OutcomeRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

ReceiverKey = tuple[str, str]
"""Namespace and name of a Receiver."""
Told = Literal["", "firing", "resolved"]


class GroupKey(NamedTuple):
    """labels: the group's, as JSON in the order of their names."""

    namespace: str
    receiver: str
    labels: str

    @property
    def of(self) -> ReceiverKey:
        return (self.namespace, self.receiver)


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """An alert of a group. told: the last that the receiver was told of it. owed: it was to be told and could not, or
    not yet: whatever becomes of the alert, the receiver hears of it. is_quiet: somebody has silenced it for now."""

    alert: AlertState
    told: Told = ""
    owed: bool = False
    is_quiet: bool = False


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """due_at: when it is looked at next. sent_at: the last message that arrived. failures: tries since then.
    failing_since: the first of these. left_out: alerts that it has no room for."""

    labels: dict[str, str]
    members: dict[str, Member]
    due_at: float
    sent_at: float | None = None
    failures: int = 0
    failing_since: float | None = None
    left_out: int = 0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How sending to a Receiver fares. at, ok, detail: of the last try, alerts: that it told. delivered_at: the last
    that arrived. failing_since: the first try that failed after it; None: the last one arrived. sent, failed: counts.
    dropped: alerts that were over before a failing receiver took word of them."""

    at: float
    ok: bool
    detail: str
    alerts: int
    delivered_at: float | None = None
    failing_since: float | None = None
    sent: int = 0
    failed: int = 0
    dropped: int = 0


NO_OUTCOME: Final = Outcome(at=0.0, ok=True, detail="", alerts=0)
_pack: Final = msgspec.msgpack.Encoder().encode
_group: Final = msgspec.msgpack.Decoder(Group)
_outcome: Final = msgspec.msgpack.Decoder(Outcome)


def packed_group(key: GroupKey, group: Group, version: int) -> GroupRecord:
    return GroupRecord(*key, version, _pack(group))


def read_group(record: GroupRecord) -> tuple[GroupKey, Group]:
    return GroupKey(record.namespace, record.receiver, record.key), _group.decode(record.value)


def packed_outcome(key: ReceiverKey, outcome: Outcome) -> OutcomeRecord:
    return OutcomeRecord(*key, _pack(outcome))


def read_outcome(record: OutcomeRecord) -> tuple[ReceiverKey, Outcome]:
    return (record.namespace, record.receiver), _outcome.decode(record.value)


def labels_of(alert: AlertState) -> dict[str, str]:
    """All that an alert can be matched and grouped by: its own labels, and what it always has."""
    namespace, name = alert.alert
    return {"namespace": namespace, **alert.labels, "alert": name, "severity": alert.severity}


def group_labels(alert: AlertState, group_by: tuple[str, ...]) -> dict[str, str]:
    """A label that the alert lacks is empty."""
    labels = labels_of(alert)
    return {name: labels.get(name, "") for name in group_by}


def key_text(labels: Mapping[str, Any]) -> str:
    return msgspec.json.encode(dict(sorted(labels.items()))).decode()
