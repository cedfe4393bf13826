"""What is kept of an alert and told to others: the words of `registry/alerts` and of who sends alerts on."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from registry.store.steps import Step

State = Literal["pending", "firing", "resolved"]
Severity = Literal["info", "warning", "critical"]
SEVERITIES: Final[tuple[Severity, ...]] = ("info", "warning", "critical")


class AlertState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One episode of one alert: from when its condition held until it is resolved. Times: seconds since 1970.

    id: of the episode. kind, namespace, name: of the rule; what is built in is an Alert of `mesh`. fingerprint: of
    rule and labels, the same in each episode. labels: what it is about, and those of the rule; `namespace` among them:
    whose it is. value: of the rule's first condition, when it was looked at last. receivers: `namespace/name` of
    Receivers, none where nobody is told. active_at: since when the condition holds; fired_at: None while pending;
    resolved_at: None while it is not. held_at: when it held last. updated_at: its last transition.
    """

    id: str
    kind: Literal["Alert", "Objective"] = "Alert"
    namespace: str
    name: str
    fingerprint: str
    labels: dict[str, str] = {}
    state: State
    severity: Severity = "warning"
    value: float = 0.0
    summary: str = ""
    runbook_url: str = ""
    receivers: tuple[str, ...] = ()
    active_at: float
    fired_at: float | None = None
    resolved_at: float | None = None
    held_at: float = 0.0
    updated_at: float = 0.0

    @property
    def alert(self) -> tuple[str, str]:
        return (self.namespace, self.name)

    @property
    def subject(self) -> str:
        """The namespace whose people may see it; the mesh's: what concerns no single one."""
        return self.labels.get("namespace", self.namespace)


class RuleShown(msgspec.Struct, frozen=True, kw_only=True):
    """An Alert as it is judged. builtin: it is there without a document. written: one says something of it. for_s: how
    long it holds until it fires. receivers: `namespace/name` of those that are there."""

    namespace: str
    name: str
    builtin: bool
    written: bool
    enabled: bool
    query: str
    for_s: float
    severity: Severity
    summary: str
    receivers: tuple[str, ...]


class Matcher(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Of a label; `alert` is the rule's name, and a label that is not there counts as empty."""

    name: Annotated[str, Meta(max_length=128)]
    value: Annotated[str, Meta(max_length=256)]
    op: Literal["=", "!="] = "="

    def holds(self, labels: Mapping[str, str]) -> bool:
        return (labels.get(self.name, "") == self.value) == (self.op == "=")


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """Whose alerts are told to nobody for a time: all matchers hold. namespace: whose, `*`: of all. until, created_at:
    seconds since 1970."""

    id: str
    namespace: str
    matchers: tuple[Matcher, ...]
    until: float
    reason: str
    created_at: float
    created_by: str

    def covers(self, alert: AlertState, now: float) -> bool:
        if now >= self.until or self.namespace not in ("*", alert.subject):
            return False
        labels = matched_labels(alert)
        return all(matcher.holds(labels) for matcher in self.matchers)


Also = Callable[[Sequence[AlertState]], Sequence[Step]]
"""Asked for what is to be written in the same transaction as the transitions (to firing, to resolved), so that who
sends them on loses none. Called again for the same ones where the store did not take them."""


def told_of(alert: AlertState) -> tuple[object, ...]:
    """By what it is chosen who is told, and how: others read it from the store."""
    return (alert.receivers, alert.severity, alert.labels, alert.runbook_url)


def matched_labels(alert: AlertState) -> dict[str, str]:
    """What matchers are held against: its labels, and what names it."""
    return {"namespace": alert.namespace, **alert.labels, "alert": alert.name, "severity": alert.severity}


def fingerprint_of(kind: str, namespace: str, name: str, labels: Mapping[str, str]) -> str:
    parts = [kind, namespace, name, *(part for pair in sorted(labels.items()) for part in pair)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


_encode: Final = msgspec.msgpack.Encoder().encode
_state: Final = msgspec.msgpack.Decoder(AlertState)
_silence: Final = msgspec.msgpack.Decoder(Silence)


def packed(record: AlertState | Silence) -> bytes:
    return _encode(record)


def state_of(value: bytes) -> AlertState:
    return _state.decode(value)


def silence_of(value: bytes) -> Silence:
    return _silence.decode(value)
