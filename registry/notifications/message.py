"""What a message says: Alertmanager's webhook body (version "4"), its alerts as API v2 takes them, and plain text."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from registry.alerts.records import AlertState
from registry.notifications.records import labels_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from registry.notifications.records import GroupKey, ReceiverKey

MOST_ALERTS: Final = 200
_MOST_TEXT: Final = 20  # alerts that a text names one by one
_NOT_OVER: Final = "0001-01-01T00:00:00Z"  # Go's zero time, by which Alertmanager says that an alert has no end yet
_FOREIGN: Final = re.compile(r"[^A-Za-z0-9_]")
# So much longer than the minute between two posts that an Alertmanager does not take two lost ones for the end.
_STAYS_S: Final = 240.0


def webhook_body(
    receiver: str, labels: Mapping[str, str], alerts: Sequence[AlertState], left_out: int = 0, console: str = ""
) -> dict[str, Any]:
    """Fields and meanings: prometheus.io/docs/alerting/latest/configuration, `<webhook_config>`. left_out: alerts of
    the group that are none of these. console: its URL, as far as that is known."""
    shown = alerts[:MOST_ALERTS]
    all_labels = [_labels(alert) for alert in alerts]
    all_notes = [_annotations(alert) for alert in alerts]
    return {
        "version": "4",
        "groupKey": group_key(receiver, labels),
        "truncatedAlerts": len(alerts) - len(shown) + left_out,
        "status": status_of(alerts),
        "receiver": receiver,
        "groupLabels": dict(labels),
        "commonLabels": _common(all_labels),
        "commonAnnotations": _common(all_notes),
        "externalURL": console,
        "alerts": [
            {
                "status": "firing" if alert.state == "firing" else "resolved",
                "labels": _labels(alert),
                "annotations": _annotations(alert),
                "startsAt": _time(alert.fired_at or alert.active_at),
                "endsAt": _NOT_OVER if alert.resolved_at is None else _time(alert.resolved_at),
                "generatorURL": link_of(alert, console),
                "fingerprint": alert.fingerprint,
            }
            for alert in shown
        ],
    }


def group_key(receiver: str, labels: Mapping[str, str]) -> str:
    """The same for each message of a group; by it a receiver puts them together."""
    return f"{receiver}:{{{', '.join(f'{name}={value!r}' for name, value in sorted(labels.items()))}}}"


def status_of(alerts: Sequence[AlertState]) -> str:
    return "firing" if any(alert.state == "firing" for alert in alerts) else "resolved"


def postable_alerts(alerts: Sequence[AlertState], now: float, console: str = "") -> list[dict[str, Any]]:
    """As `POST /api/v2/alerts` takes them (its openapi.yaml, postableAlerts). Names of labels are brought to what all
    versions take. now: seconds since 1970."""
    return [
        {
            "labels": {_FOREIGN.sub("_", name): value for name, value in _labels(alert).items() if value},
            "annotations": _annotations(alert),
            "startsAt": _time(alert.fired_at or alert.active_at),
            "endsAt": _time(now + _STAYS_S if alert.resolved_at is None else alert.resolved_at),
        }
        | ({"generatorURL": link_of(alert, console)} if console else {})
        for alert in alerts
    ]


def title_of(alerts: Sequence[AlertState]) -> str:
    """`[FIRING 2] checkout-errors shop`, `[RESOLVED] …`."""
    firing = sum(alert.state == "firing" for alert in alerts)
    said = f"[FIRING {firing}]" if firing > 1 else ("[FIRING]" if firing else "[RESOLVED]")
    common = _common([labels_of(alert) for alert in alerts])
    where = [common[name] for name in ("alert", "namespace", "service") if name in common]
    return " ".join([said, *(where or [f"{len(alerts)} alerts"])])


def link_of(alert: AlertState, console: str) -> str:
    """Of the console's page that shows this episode, now and when it is over; "": nobody said where the console is."""
    # In quotes: the console reads what stands in its address as JSON, and an id may look like a number.
    return f"{console}/alerts?alert=%22{alert.id}%22" if console else ""


def text_of(alerts: Sequence[AlertState], left_out: int = 0, console: str = "") -> str:
    """A paragraph for each alert: what it says, how bad, since when, its labels, its runbook and where it is shown."""
    parts = [_paragraph(alert, console) for alert in alerts[:_MOST_TEXT]]
    more = len(alerts) - len(parts) + left_out
    return "\n\n".join([*parts, f"and {more} more"] if more else parts)


def message_id(key: GroupKey, alerts: Sequence[AlertState], after: float) -> str:
    """The same for each try to tell the same. after: the message before."""
    told = [[alert.id, alert.state] for alert in alerts]
    return f"msg_{hashlib.sha256(msgspec.json.encode([key, told, after])).hexdigest()[:32]}"


def trial_alert(key: ReceiverKey, by: str, now: float) -> AlertState:
    return AlertState(
        id="test",
        namespace=key[0],
        name="test",
        fingerprint=hashlib.sha256("/".join(key).encode()).hexdigest()[:16],
        labels={"receiver": key[1]},
        state="firing",
        severity="info",
        summary=f"A test of Receiver {'/'.join(key)}, asked for by {by}. Nothing is wrong.",
        active_at=now,
        fired_at=now,
    )


def _paragraph(alert: AlertState, console: str) -> str:
    namespace, name = alert.alert
    state = "FIRING" if alert.state == "firing" else "RESOLVED"
    since = _time(alert.fired_at or alert.active_at)
    end = "" if alert.resolved_at is None else f", until {_time(alert.resolved_at)}"
    lines = [f"{state} {namespace}/{name} ({alert.severity})"]
    lines += [alert.summary] if alert.summary else []
    lines += [f"since {since}{end}"]
    lines += [", ".join(f"{key}={value}" for key, value in sorted(alert.labels.items()))] if alert.labels else []
    lines += [f"runbook: {alert.runbook_url}"] if alert.runbook_url else []
    lines += [f"console: {link_of(alert, console)}"] if console else []
    return "\n".join(lines)


def _labels(alert: AlertState) -> dict[str, str]:
    return {"alertname": alert.name, **labels_of(alert)}


def _annotations(alert: AlertState) -> dict[str, str]:
    told = {"summary": alert.summary, "runbook_url": alert.runbook_url, "value": f"{alert.value:g}"}
    return {name: value for name, value in told.items() if value}


def _common(all_of: Sequence[Mapping[str, str]]) -> dict[str, str]:
    first, *others = all_of or [{}]
    return {name: value for name, value in first.items() if all(other.get(name) == value for other in others)}


def _time(at: float) -> str:
    """RFC 3339. at: seconds since 1970."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
