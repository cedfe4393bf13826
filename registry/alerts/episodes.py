"""What becomes of an alert from one look to the next: pending, firing, resolved. Pure."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import msgspec

from registry.alerts.records import AlertState, fingerprint_of
from registry.alerts.rules import shown_value, summary_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from registry.alerts.rules import Rule

# Whoever nobody heard of for so long is no longer waited for.
LOST_S: Final = 86_400.0


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What one look found. labels: what it is about. holds None: there was no data. wavers: it does not hold, and did
    since the look before. is_gone: what it is about is no longer there, and so neither is the alert. measure: how the
    value is shown."""

    rule: Rule
    labels: Mapping[str, str]
    value: float | None
    holds: bool | None
    wavers: bool = False
    what: str = ""
    measure: str = "count"
    is_gone: bool = False

    @property
    def all_labels(self) -> dict[str, str]:
        return {**self.rule.labels, **self.labels}

    @property
    def fingerprint(self) -> str:
        """Of what it is about, and not of labels that people give: they may change while it fires."""
        return fingerprint_of(self.rule.kind, self.rule.namespace, self.rule.name, self.labels)


def next_of(known: AlertState | None, look: Look, now: float) -> AlertState | None:
    """The same object where nothing changed; None: there is none, or it was pending and is over."""
    holds = look.holds
    if holds is None and look.rule.no_data == "fire" and not look.is_gone:
        holds = True
    if look.wavers:
        # It may come back as it may be over: it begins, and what there is stays; but nothing fires of what is not so.
        return _begun(look, now) if known is None else known
    if known is None:
        return _begun(look, now) if holds else None
    if holds:
        return _held(known, look, now)
    if holds is None and not look.is_gone and look.rule.no_data == "keep" and now - known.held_at < LOST_S:
        return known
    if known.state == "pending":
        return None
    if now - known.held_at < look.rule.keep_s and not look.is_gone:
        return known
    return resolved(known, now)


def resolved(known: AlertState, now: float) -> AlertState | None:
    """None: it never fired."""
    if known.state == "pending":
        return None
    return msgspec.structs.replace(known, state="resolved", resolved_at=now, updated_at=now)


def _begun(look: Look, now: float) -> AlertState:
    state = AlertState(
        id=secrets.token_hex(8),
        kind=look.rule.kind,
        namespace=look.rule.namespace,
        name=look.rule.name,
        fingerprint=look.fingerprint,
        state="pending",
        active_at=now,
        updated_at=now,
    )
    return _held(state, look, now)


def _held(known: AlertState, look: Look, now: float) -> AlertState:
    rule = look.rule
    is_due = known.state == "firing" or (now - known.active_at >= rule.for_s and not look.wavers)
    fires = is_due and known.state == "pending"
    shown = shown_value(look.value, look.measure)
    return msgspec.structs.replace(
        known,
        labels=look.all_labels,
        state="firing" if is_due else "pending",
        severity=rule.severity,
        value=known.value if look.value is None else look.value,
        summary=summary_of(rule, look.labels, shown, look.what) or f"{rule.name}: {shown}",
        runbook_url=rule.runbook_url,
        receivers=rule.receivers,
        fired_at=now if fires else known.fired_at,
        held_at=now,
        updated_at=now if fires else known.updated_at,
    )
