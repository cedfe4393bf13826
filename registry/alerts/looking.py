"""One look at all rules: what each finds now, and what became of alerts that it finds no more. Pure; for a thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from meshway.model.alert_query import STAR
from meshway.model.document import MESH_NAMESPACE
from registry.alerts.burn import looks_of
from registry.alerts.episodes import Look
from registry.alerts.judging import fixed_labels, found, measured
from registry.alerts.presence import LEAST, OF_GATEWAYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from meshway.model.alert_query import Condition
    from registry.alerts.burn import Budget
    from registry.alerts.presence import Sample
    from registry.alerts.records import AlertState
    from registry.alerts.rules import AlertRule, ObjectiveRule
    from registry.alerts.windows import Asked, Counted

# Of a gateway that nobody here has heard of nobody knows that it is well.
_UNHEARD = "gateway_silent"


class Seen(NamedTuple):
    """What a turn has read. samples: by value and span. services: that there are, by namespace and name. is_settled:
    whether what gateways say is all here."""

    counted: Mapping[Asked, Counted]
    samples: Mapping[tuple[str, float], Sequence[Sample]]
    budgets: Mapping[tuple[str, str], Budget]
    services: frozenset[tuple[str, str]]
    is_settled: bool


class Looked(NamedTuple):
    """unknown: fingerprints of alerts that nothing can be said of now."""

    looks: list[Look]
    unknown: set[str]


def looked(
    alerts: Sequence[AlertRule], objectives: Sequence[ObjectiveRule], seen: Seen, live: Iterable[AlertState]
) -> Looked:
    looks: list[Look] = []
    unknown: set[str] = set()
    known: dict[tuple[str, str, str], list[AlertState]] = {}
    for state in live:
        known.setdefault((state.kind, state.namespace, state.name), []).append(state)
    for each in alerts:
        of_rule = known.get((each.rule.kind, each.rule.namespace, each.rule.name), ())
        if not seen.is_settled and _asks_gateways(each):
            mine = [look for look in _of_alert(each, seen) if look.holds] if _only_grows(each) else []
            looks += mine
            unknown |= {state.fingerprint for state in of_rule} - {look.fingerprint for look in mine}
            continue
        mine = list(_of_alert(each, seen))
        looks += mine
        missed = {state.fingerprint for state in of_rule} - {look.fingerprint for look in mine}
        looks += (_missed(each, state, seen) for state in of_rule if state.fingerprint in missed)
    for rule in objectives:
        budget = seen.budgets.get((rule.rule.namespace, rule.rule.name))
        if budget is not None:
            looks += looks_of(rule, budget)
    return Looked(looks, unknown)


def _asks_gateways(each: AlertRule) -> bool:
    return any(value in OF_GATEWAYS for condition in each.query.conditions for value in condition.values)


def _only_grows(each: AlertRule) -> bool:
    """Whether what holds by some gateways holds by all: none that is still to be heard of makes it less so."""
    return all(
        not condition.divisor and condition.op in (("<", "<=") if value in LEAST else (">", ">="))
        for condition in each.query.conditions
        for value in condition.values
    )


def _of_alert(each: AlertRule, seen: Seen) -> Iterator[Look]:
    rule, query = each.rule, each.query
    tables = [
        measured(
            condition,
            rule.namespace,
            each.spec.minimum_requests,
            seen.counted.__getitem__,
            lambda value, over_s: seen.samples[value, over_s],
        )
        for condition in query.conditions
    ]
    measure = measure_of(query.conditions[0])
    for finding in found(query, rule.namespace, tables):
        yield Look(
            rule=rule,
            labels=finding.labels,
            value=finding.value,
            holds=finding.holds,
            wavers=finding.wavers,
            what=finding.what,
            measure=measure,
            is_gone=finding.holds is None and _is_gone(finding.labels, seen),
        )


def measure_of(condition: Condition) -> str:
    return "times" if condition.divisor or condition.back_s else condition.measure


def _missed(each: AlertRule, state: AlertState, seen: Seen) -> Look:
    """An alert whose value has no data any more, or that the rule does not ask for any more."""
    labels = {name: value for name, value in state.labels.items() if name not in each.rule.labels}
    conditions = each.query.conditions
    fixed = fixed_labels(each.query, each.rule.namespace)
    stars = {name for condition in conditions for name in condition.stars}
    if each.rule.namespace == MESH_NAMESPACE and stars & {"service", "route"}:
        stars.add("namespace")
    is_asked = labels.keys() == fixed.keys() | stars and all(labels[name] == value for name, value in fixed.items())
    # What is so now is known of all there are.
    is_complete = any(condition.stars and not condition.section for condition in conditions)
    is_heard = not any(_UNHEARD in condition.values for condition in conditions)
    is_gone = not is_asked or (is_complete and is_heard) or _is_gone(labels, seen)
    return Look(rule=each.rule, labels=labels, value=None, holds=None, is_gone=is_gone)


def _is_gone(labels: Mapping[str, str], seen: Seen) -> bool:
    namespace, service = labels.get("namespace"), labels.get("service", STAR)
    return namespace is not None and service != STAR and (namespace, service) not in seen.services
