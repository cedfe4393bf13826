from typing import Any

import pytest

from meshway.model.alert import Alert
from meshway.model.alert_rules import for_s_of
from meshway.model.decode import decode_document, decode_spec
from meshway.model.objective import BURN, factor_of
from meshway.problem import Problem

QUERY = "service=cart error_ratio > 2 %"
SLO: dict[str, Any] = {"target": {"service": "cart"}, "indicator": {"availability": {}}}


def of(indicator: dict[str, Any]) -> dict[str, Any]:
    return SLO | {"indicator": indicator}


def burning(long: str, short: str) -> dict[str, Any]:
    return SLO | {"burn": [{"budget_percent": 2, "long": long, "short": short}]}


def twice(spec: dict[str, Any]) -> dict[str, Any]:
    """By another short window, and the long one written otherwise."""
    (burn,) = spec["burn"]
    return spec | {"burn": [burn, burn | {"long": "60m", "short": "9m"}]}


@pytest.mark.parametrize(
    ("kind", "spec", "at", "code"),
    [
        ("Alert", {"query": "service=cart eror_ratio > 2 %"}, "spec.query", "bad_query"),
        ("Alert", {"query": QUERY + " for 2m", "for": "1m"}, "spec.for", "forbidden_combination"),
        ("Alert", {"query": QUERY, "for": "25h"}, "spec.for", "out_of_bounds"),
        ("Alert", {"query": QUERY, "keep_firing": "25h"}, "spec.keep_firing", "out_of_bounds"),
        ("Alert", {"query": QUERY, "no_data": "kepe"}, "spec.no_data", "out_of_bounds"),
        ("Alert", {"query": QUERY, "minimum_requests": -1}, "spec.minimum_requests", "out_of_bounds"),
        ("Alert", {"query": QUERY, "severity": "fatal"}, "spec.severity", "out_of_bounds"),
        ("Alert", {"query": QUERY, "labels": {"a-b": "x"}}, "spec.labels.a-b", "bad_name"),
        ("Alert", {"query": QUERY, "labels": {"service": "x"}}, "spec.labels.service", "duplicate"),
        ("Alert", {"query": QUERY, "summary": "${servise} fails"}, "spec.summary", "bad_name"),
        ("Alert", {"query": QUERY, "runbook_url": "wiki"}, "spec.runbook_url", "out_of_bounds"),
        ("Alert", {"query": QUERY, "runbook_url": "https://me:pw@wiki/"}, "spec.runbook_url", "inline_secret"),
        ("Alert", {"query": QUERY, "receivers": ["a", "a"]}, "spec.receivers[1]", "duplicate"),
        ("Alert", {"query": QUERY, "mute": [{"from": "24:00"}]}, "spec.mute[0].from", "out_of_bounds"),
        ("Alert", {"query": QUERY, "mute": [{"timezone": "Mars/Base"}]}, "spec.mute[0].timezone", "out_of_bounds"),
        ("Alert", {"query": QUERY, "enabled": "yes"}, "spec.enabled", "wrong_type"),
        ("Objective", SLO | {"target": {}}, "spec.target", "forbidden_combination"),
        ("Objective", SLO | {"target": {"service": "a", "rule": "b"}}, "spec.target.rule", "forbidden_combination"),
        ("Objective", SLO | {"indicator": {}}, "spec.indicator", "forbidden_combination"),
        ("Objective", of({"availability": {"bad": ["6xx"]}}), "spec.indicator.availability.bad[0]", "bad_name"),
        ("Objective", of({"latency": {"under": "0s"}}), "spec.indicator.latency.under", "out_of_bounds"),
        ("Objective", SLO | {"target_percent": 100}, "spec.target_percent", "out_of_bounds"),
        ("Objective", SLO | {"window": "23h"}, "spec.window", "out_of_bounds"),
        ("Objective", burning("1h", "1h"), "spec.burn[0].short", "forbidden_combination"),
        ("Objective", twice(burning("1h", "5m")), "spec.burn[1].long", "duplicate"),
        ("Objective", burning("25h", "1h") | {"window": "24h"}, "spec.burn[0].long", "out_of_bounds"),
        ("Objective", SLO | {"minimum_requests": -1}, "spec.minimum_requests", "out_of_bounds"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_where_it_is(kind: str, spec: dict[str, Any], at: str, code: str) -> None:
    _, errors = decode_spec(kind, spec)
    assert [(error.path, error.code) for error in errors] == [(at, code)]


def test_numbers_of_other_namespaces_are_for_rules_of_the_mesh() -> None:
    def codes(namespace: str, query: str) -> list[str]:
        raw = {
            "apiVersion": "meshway/v1",
            "kind": "Alert",
            "metadata": {"name": "a", "namespace": namespace},
            "spec": {"query": query},
        }
        try:
            decode_document(raw)
        except Problem as problem:
            return [error.code for error in problem.errors]
        return []

    assert codes("shop", "namespace=shop service=cart rate > 1/s") == []
    assert codes("shop", "namespace=bank service=pay rate > 1/s") == ["forbidden_namespace"]
    assert codes("shop", "namespace!=shop rate > 1/s") == ["forbidden_namespace"]
    assert codes("shop", "gateway=* snapshot_age > 1m") == ["forbidden_namespace"]
    assert codes("mesh", "namespace=bank service=pay rate > 1/s and gateway=* snapshot_age > 1m") == []


def test_an_ending_for_is_the_field() -> None:
    assert for_s_of(Alert(query=QUERY)) == 60.0
    assert for_s_of(Alert(query=QUERY + " for 5m")) == 300.0


def test_factors_of_thirty_days_are_those_of_the_workbook() -> None:
    assert [round(factor_of(burn, 2_592_000.0), 6) for burn in BURN] == [14.4, 6.0, 3.0, 1.0]
