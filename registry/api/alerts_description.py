"""What the routes of alerts are, for the API's description."""

from __future__ import annotations

from typing import Final

from registry.alerts.alerts import MOST_HISTORY
from registry.alerts.records import Silence
from registry.alerts.trying import Tried
from registry.api import alerts, receivers, silences
from registry.api.parameters import PROBLEM
from registry.manners.openapi import Operation, Parameter
from registry.notifications.sending import Sent

_NAMESPACE: Final = Parameter(name="namespace", about="Of one namespace; of all that may be seen unless told.")
_QUERY: Final = "service=books error_ratio > 2 % over 1m"


def alert_operations() -> list[Operation]:
    return [*_of_alerts(), *_of_silences()]


def _of_alerts() -> list[Operation]:
    return [
        Operation(
            method="GET",
            path=alerts.MANY,
            id="listAlerts",
            tag="alerts",
            right="alerts:read",
            by_rows=True,
            about="What fires and what is about to; with `state=resolved` what was. Rules are documents (Alert).",
            parameters=(
                _NAMESPACE,
                Parameter(name="state", about="Which; live: pending and firing.", schema={"enum": list(alerts.WHICH)}),
                Parameter(name="before", about="Of resolved ones those before: seconds since 1970."),
                Parameter(
                    name="limit",
                    about="At most so many resolved ones; 100.",
                    schema={"type": "integer", "minimum": 1, "maximum": MOST_HISTORY},
                ),
            ),
            answers={200: alerts.AlertPage, 503: PROBLEM},
        ),
        Operation(
            method="GET",
            path=alerts.RULES,
            id="listAlertRules",
            tag="alerts",
            right="alerts:read",
            by_rows=True,
            about="Alerts as they are judged: what is built in, with what a document of its name says, and the others.",
            parameters=(_NAMESPACE,),
            answers={200: alerts.RulePage},
        ),
        Operation(
            method="POST",
            path=alerts.TRY,
            id="tryAlert",
            tag="alerts",
            right="alerts:read",
            by_rows=True,
            about="When a rule would have fired over the last 24 h. Nothing is kept of it.",
            body=alerts.TryRequest,
            answers={200: Tried, 503: PROBLEM},
            example_body={"spec": {"query": _QUERY}, "namespace": "default"},
        ),
        Operation(
            method="GET",
            path=alerts.OBJECTIVES,
            id="listObjectives",
            tag="alerts",
            right="alerts:read",
            by_rows=True,
            about="Objectives with how much of their budgets is left, and how fast it is being spent.",
            parameters=(_NAMESPACE,),
            answers={200: alerts.ObjectivePage, 503: PROBLEM},
        ),
    ]


def _of_silences() -> list[Operation]:
    return [
        Operation(
            method="POST",
            path=silences.SILENCES,
            id="createSilence",
            tag="alerts",
            right="alerts:silence",
            by_rows=True,
            about="Tell nobody of alerts whose labels match, until a time.",
            body=silences.SilenceRequest,
            answers={201: Silence, 409: PROBLEM, 503: PROBLEM},
            example_body={
                "namespace": "default",
                "matchers": [{"name": "service", "value": "books"}],
                "until": "2h",
                "reason": "is being moved",
            },
        ),
        Operation(
            method="GET",
            path=silences.SILENCES,
            id="listSilences",
            tag="alerts",
            right="alerts:read",
            by_rows=True,
            about="Silences that hold, the next to end first.",
            parameters=(_NAMESPACE,),
            answers={200: silences.SilencePage, 503: PROBLEM},
        ),
        Operation(
            method="DELETE",
            path=silences.SILENCE,
            id="endSilence",
            tag="alerts",
            right="alerts:silence",
            by_rows=True,
            about="End a silence before its time.",
            answers={204: None, 404: PROBLEM, 503: PROBLEM},
            example={"silence": "0123456789ab"},
        ),
    ]


def receiver_operations() -> list[Operation]:
    return [
        Operation(
            method="GET",
            path=receivers.MANY,
            id="listReceiverStates",
            tag="alerts",
            right="documents:read",
            by_rows=True,
            about="Receivers, and how the last messages to them fared.",
            answers={200: receivers.ReceiverStates},
        ),
        Operation(
            method="POST",
            path=receivers.TEST,
            id="testReceiver",
            tag="alerts",
            right="documents:write",
            about="Send a message that says it is a test, and tell what the other side answered.",
            answers={200: Sent, 404: PROBLEM, 503: PROBLEM},
            example={"namespace": "default", "name": "oncall"},
        ),
    ]
