"""What must hold inside an Alert and an Objective."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from meshway.model.alert import Alert, MuteTime
from meshway.model.alert_query import DEFAULT_FOR_S, FILTERS, QueryFault, parse_query
from meshway.model.builtin_alerts import is_built_in, unknown_built_in
from meshway.model.document import MESH_NAMESPACE
from meshway.model.limit_rules import QUOTA_RULES
from meshway.model.nearest import did_you_mean
from meshway.model.objective import BURN, Availability, BurnWindow, Indicator, Latency, Objective, ObjectiveTarget
from meshway.model.rule_kit import BlockRule, Finding, bounded, member_path, one_of, unique
from meshway.model.telemetry_rules import FLAGS
from meshway.units import Duration

PLACEHOLDER: Final = re.compile(r"\$\{([^}]*)\}")
# What a rule's own labels may not be called: the query's, and those that are told anyhow.
_TAKEN: Final = frozenset({*FILTERS, "alert", "severity"})
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,62}\Z")
_MOST_LABELS: Final = 16
_CLASSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")
_DAY_S: Final = 86_400.0
# Of no single namespace.
OF_MESH: Final = frozenset({"snapshot_age", "gateway_silent", "removals_held", "commit_time"})


def check_alert(namespace: str, name: str, spec: Mapping[str, Any]) -> Iterator[Finding]:
    """Numbers of other namespaces are for rules in `mesh` alone. spec: as written, perhaps unsound."""
    if "query" not in spec and not is_built_in(namespace, name):
        yield Finding("spec.query", "missing_field", "is required")
    if namespace == MESH_NAMESPACE and (reason := unknown_built_in(name)):
        yield Finding("metadata.name", "bad_name", reason)
    if namespace == MESH_NAMESPACE or not isinstance(spec.get("query"), str):
        return
    try:
        query = parse_query(spec["query"])
    except QueryFault:
        return  # told of the field
    for condition in query.conditions:
        for each in condition.filters:
            if each.name == "namespace" and (each.value != namespace or each.is_not):
                reason = f"an Alert in {namespace} is of its own namespace; those in {MESH_NAMESPACE} are of all"
                yield Finding("spec.query", "forbidden_namespace", reason)
        for value in condition.values:
            if value in OF_MESH:
                reason = f"{value} is of the whole mesh: for Alerts in {MESH_NAMESPACE}"
                yield Finding("spec.query", "forbidden_namespace", reason)


def check_objective(namespace: str) -> Iterator[Finding]:
    if namespace == MESH_NAMESPACE:
        yield Finding("metadata.namespace", "forbidden_namespace", "an Objective lives where its service or Route does")


def _query(part: Any) -> Iterator[Finding]:
    if not part.query:  # of one that is built in
        return
    try:
        query = parse_query(part.query)
    except QueryFault as fault:
        yield Finding(".query", "bad_query", str(fault))
        return
    if query.for_s is not None and part.for_ is not None and query.for_s != part.for_:
        yield Finding(".for", "forbidden_combination", f"the query ends with for {Duration(query.for_s)} already")
    known = {each.name for condition in query.conditions for each in condition.filters if not each.is_not}
    for name in PLACEHOLDER.findall(part.summary):
        told = ("value", "revision", "namespace", *sorted(known), *part.labels)
        if name not in told:
            yield Finding(".summary", "bad_name", f"${{{name}}} is not told here{did_you_mean(name, told)}")


def for_s_of(alert: Alert) -> float:
    """How long its condition holds until it fires."""
    if alert.for_ is not None:
        return float(alert.for_)
    said = parse_query(alert.query).for_s
    return DEFAULT_FOR_S if said is None else said


def _labels(part: Any) -> Iterator[Finding]:
    if len(part.labels) > _MOST_LABELS:
        yield Finding(".labels", "out_of_bounds", f"has {len(part.labels)} labels, at most {_MOST_LABELS} are allowed")
    for name, value in part.labels.items():
        at = member_path(".labels", name)
        if not _LABEL.match(name):
            yield Finding(at, "bad_name", f'"{name}": letters, digits and underscores, no digit first')
        elif name in _TAKEN:
            yield Finding(at, "duplicate", f"{name} is told of each alert already")
        if len(value) > 128:
            yield Finding(at, "out_of_bounds", f"has {len(value)} characters, at most 128 are allowed")


def _runbook(part: Any) -> Iterator[Finding]:
    if not part.runbook_url:
        return
    try:
        url = urlsplit(part.runbook_url)
        is_sound = url.scheme in ("http", "https") and bool(url.hostname) and part.runbook_url.isprintable()
    except ValueError:
        is_sound = False
    if not is_sound or " " in part.runbook_url:
        yield Finding(".runbook_url", "out_of_bounds", "is a URL: https://wiki.example/checkout")
    elif url.username is not None:
        yield Finding(".runbook_url", "inline_secret", "holds a name or password")


def _target(part: Any) -> Iterator[Finding]:
    if part.rule is not None and part.route is None:
        yield Finding(".rule", "forbidden_combination", "is of a route")


def _bad(part: Any) -> Iterator[Finding]:
    known = (*_CLASSES, *FLAGS)
    for at, name in enumerate(part.bad):
        if name not in known:
            yield Finding(
                f".bad[{at}]", "bad_name", f'"{name}" is no class of statuses, nor a flag{did_you_mean(name, known)}'
            )
    yield from unique(part.bad, lambda at: f".bad[{at}]", "sort")


def _windows(part: Any) -> Iterator[Finding]:
    if part.short >= part.long:
        yield Finding(".short", "forbidden_combination", f"{part.short} must be below long, which is {part.long}")


def _within(part: Any) -> Iterator[Finding]:
    """Of the usual ones those that are too long for the window are left out."""
    for at, burn in enumerate(() if part.burn == BURN else part.burn):
        if burn.long > part.window:
            yield Finding(f".burn[{at}].long", "out_of_bounds", f"{burn.long} is above the window of {part.window}")
    # An alert is told from another one by its long window.
    yield from unique([str(burn.long) for burn in part.burn], lambda at: f".burn[{at}].long", "window")


ALERT_RULES: Final[dict[type[msgspec.Struct], tuple[BlockRule, ...]]] = {
    Alert: (
        BlockRule(("query", "for_", "summary", "labels"), _query),
        BlockRule(("labels",), _labels),
        BlockRule(("runbook_url",), _runbook),
        bounded("keep_firing", low=0.0, high=_DAY_S, zero=False),
        BlockRule(("for_",), lambda part: _at_most_a_day(part.for_)),
        BlockRule(("receivers",), lambda part: unique(part.receivers, lambda at: f".receivers[{at}]", "Receiver")),
    ),
    MuteTime: QUOTA_RULES,
    ObjectiveTarget: (one_of("service", "route"), BlockRule(("route", "rule"), _target)),
    Indicator: (one_of("availability", "latency"),),
    Availability: (BlockRule(("bad",), _bad),),
    Latency: (bounded("under", low=0.001, high=120.0, zero=False),),
    BurnWindow: (
        bounded("long", low=600.0, high=30 * _DAY_S, zero=False),
        bounded("short", low=60.0, high=7 * _DAY_S, zero=False),
        BlockRule(("long", "short"), _windows),
    ),
    Objective: (
        bounded("window", low=_DAY_S, high=90 * _DAY_S, zero=False),
        BlockRule(("burn", "window"), _within),
        BlockRule(("receivers",), lambda part: unique(part.receivers, lambda at: f".receivers[{at}]", "Receiver")),
    ),
}


def _at_most_a_day(for_s: Duration | None) -> Iterator[Finding]:
    if for_s is not None and for_s > _DAY_S:
        yield Finding(".for", "out_of_bounds", f"{for_s} is above {Duration(_DAY_S)}")
