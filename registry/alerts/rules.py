"""Rules that are in force, made of documents and of what is built in whenever documents change."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Literal, cast

import msgspec

from meshway.model.alert import Alert
from meshway.model.alert_query import Query, parse_query
from meshway.model.alert_rules import PLACEHOLDER, for_s_of
from meshway.model.builtin_alerts import BUILT_IN, is_built_in
from meshway.model.decode import canonical, decode_spec
from meshway.model.document import MESH_NAMESPACE
from meshway.model.objective import Objective
from meshway.units import Duration
from registry.alerts.records import RuleShown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from registry.alerts.records import Severity
    from registry.view.rows import DocumentRow
    from registry.view.view import View

DEFAULT_RECEIVER: Final = "default"
RECEIVER: Final = "Receiver"
_log = logging.getLogger("registry.alerts")


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of alerts of one document. for_s: how long it holds until it fires; keep_s: how long it fires on.
    receivers: `namespace/name`. revision: of its document, 0: it has none."""

    kind: Literal["Alert", "Objective"]
    namespace: str
    name: str
    for_s: float = 0.0
    keep_s: float = 60.0
    no_data: str = "keep"
    severity: Severity = "warning"
    labels: Mapping[str, str] = {}
    summary: str = ""
    runbook_url: str = ""
    receivers: tuple[str, ...] = ()
    revision: int = 0


class AlertRule(msgspec.Struct, frozen=True):
    """An Alert. spec: with what is built in, where it is."""

    rule: Rule
    spec: Alert
    query: Query


class ObjectiveRule(msgspec.Struct, frozen=True):
    rule: Rule
    spec: Objective


class Rules:
    """In force now; compiled anew when a document changed."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._seen = -1
        self._all: list[AlertRule] = []
        self._alerts: list[AlertRule] = []
        self._objectives: list[ObjectiveRule] = []
        self._by_name: dict[tuple[str, str], Alert] = {}

    @property
    def alerts(self) -> list[AlertRule]:
        """Those that are enabled."""
        self._follow()
        return self._alerts

    def shown(self) -> list[RuleShown]:
        """All of them, also those that are off: what is built in first."""
        self._follow()
        return [_shown(rule) for rule in self._all]

    @property
    def objectives(self) -> list[ObjectiveRule]:
        self._follow()
        return self._objectives

    def alert(self, namespace: str, name: str) -> Alert | None:
        """What it says now; None: it is not in force."""
        self._follow()
        return self._by_name.get((namespace, name))

    def _follow(self) -> None:
        if self._seen == self._view.document_changes:
            return
        self._seen = self._view.document_changes
        self._all = list(self._compiled())
        self._alerts = [rule for rule in self._all if rule.spec.enabled]
        self._by_name = {(rule.rule.namespace, rule.rule.name): rule.spec for rule in self._alerts}
        rows = self._view.documents.get(Objective.__name__, {}).values()
        self._objectives = [
            ObjectiveRule(self._rule(row, _OBJECTIVE, row.spec.receivers), row.spec)
            for row in rows
            if isinstance(row.spec, Objective)
        ]

    def _compiled(self) -> Iterator[AlertRule]:
        written = self._view.documents.get(Alert.__name__, {})
        for name, spec in BUILT_IN.items():
            row = written.get((MESH_NAMESPACE, name))
            yield self._alert(row, name=name, spec=spec if row is None else merged(spec, row))
        for (namespace, name), row in written.items():
            if isinstance(row.spec, Alert) and not is_built_in(namespace, name):
                yield self._alert(row, name=name, spec=row.spec)

    def _alert(self, row: DocumentRow | None, *, name: str, spec: Alert) -> AlertRule:
        said = rule_of(name, MESH_NAMESPACE, spec)
        return msgspec.structs.replace(said, rule=self._rule(row, said.rule, spec.receivers))

    def _rule(self, row: DocumentRow | None, said: Rule, receivers: tuple[str, ...]) -> Rule:
        _, namespace, name = ("", said.namespace, said.name) if row is None else row.key
        return msgspec.structs.replace(
            said,
            namespace=namespace,
            name=name,
            receivers=receivers_of(self._view, namespace, receivers),
            revision=0 if row is None else row.revision,
        )


def _shown(each: AlertRule) -> RuleShown:
    rule, spec = each.rule, each.spec
    return RuleShown(
        namespace=rule.namespace,
        name=rule.name,
        builtin=is_built_in(rule.namespace, rule.name),
        written=rule.revision > 0,
        enabled=spec.enabled,
        query=spec.query,
        for_s=rule.for_s,
        severity=rule.severity,
        summary=rule.summary,
        receivers=rule.receivers,
    )


_OBJECTIVE: Final = Rule(kind="Objective", namespace=MESH_NAMESPACE, name="")


def rule_of(name: str, namespace: str, spec: Alert) -> AlertRule:
    """As it would be in force, but for who is told."""
    rule = Rule(
        kind="Alert",
        namespace=namespace,
        name=name,
        for_s=for_s_of(spec),
        keep_s=float(spec.keep_firing),
        no_data=spec.no_data,
        severity=spec.severity,
        labels=spec.labels,
        summary=spec.summary,
        runbook_url=spec.runbook_url,
    )
    return AlertRule(rule, spec, parse_query(spec.query))


def merged(built_in: Alert, row: DocumentRow) -> Alert:
    """What is built in, with the fields that its document gives."""
    spec, errors = decode_spec(Alert.__name__, canonical(built_in) | row.document.spec)
    if spec is None:
        _log.warning("%s is as it is built in: %s", row.document.name, errors[0].message)
        return built_in
    return cast("Alert", spec)


def receivers_of(view: View, namespace: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those that are there, of the own namespace or of the mesh; without names the mesh's default."""
    found = []
    for name in names or (DEFAULT_RECEIVER,):
        for place in (namespace, MESH_NAMESPACE) if names else (MESH_NAMESPACE,):
            if view.document((RECEIVER, place, name)) is not None:
                found.append(f"{place}/{name}")
                break
    return tuple(found)


def summary_of(rule: Rule, labels: Mapping[str, str], shown: str, what: str) -> str:
    """With its placeholders filled. what: whom it is of, as far as that is known."""
    words = {**rule.labels, **labels, "value": shown, "revision": f"r{rule.revision}" if rule.revision else "none"}
    text = PLACEHOLDER.sub(lambda found: words.get(found[1], found[0]), rule.summary)
    return f"{text} ({what})" if what and text else text


def shown_value(value: float | None, measure: str) -> str:
    """As people read it: `2.1 %`, `5.2/s`, `310 ms`, `2m10s`."""
    if value is None:
        return "no data"
    match measure:
        case "ratio":
            return f"{value * 100:.3g} %"
        case "times":
            return f"{value:.3g}"
        case "per_s":
            return f"{value:.3g}/s"
        case "seconds":
            if value >= 60.0:
                return str(Duration(round(value)))
            return f"{value:.3g} s" if value >= 1.0 else f"{value * 1e3:.3g} ms"
        case "days":
            return f"{value:.3g} days"
    return f"{value:.6g}"
