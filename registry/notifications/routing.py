"""Which Receivers an alert is told to; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meshway.model.document import MESH_NAMESPACE
from meshway.model.receiver import SEVERITIES, Receiver, Severity
from registry.notifications.records import labels_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Set

    from registry.alerts.records import AlertState
    from registry.notifications.records import ReceiverKey

FAILING_ALERT: Final = (MESH_NAMESPACE, "builtin-receiver-failing")
"""The rule by which the mesh tells that Receivers of a namespace take no messages."""


def receivers_of(
    alert: AlertState, receivers: Mapping[ReceiverKey, Receiver], failing: Set[ReceiverKey]
) -> Iterator[ReceiverKey]:
    """Those it names that are there and want it; that Receivers fail is told to all others of that namespace and of
    the mesh."""
    for key in _named(alert, receivers, failing):
        receiver = receivers.get(key)
        if receiver is not None and _wants(receiver, alert):
            yield key


def _named(
    alert: AlertState, receivers: Mapping[ReceiverKey, Receiver], failing: Set[ReceiverKey]
) -> list[ReceiverKey]:
    if alert.alert == FAILING_ALERT:
        places = (alert.subject, MESH_NAMESPACE)
        return [key for key in receivers if key[0] in places and key not in failing]
    named = []
    for written in alert.receivers:
        namespace, _, name = written.partition("/")
        named.append((namespace, name))
    return list(dict.fromkeys(named))


def _wants(receiver: Receiver, alert: AlertState) -> bool:
    labels = labels_of(alert)
    if any(labels.get(name) != value for name, value in receiver.match.labels.items()):
        return False
    return _rank(alert.severity) >= _rank(receiver.match.min_severity)


def _rank(severity: Severity) -> int:
    return SEVERITIES.index(severity)
