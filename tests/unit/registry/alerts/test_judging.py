from collections.abc import Mapping

import pytest

from meshway.histogram import bucket_of
from meshway.model.alert_query import parse_query
from meshway.telemetry import Row
from registry.alerts.judging import ENDLESS, Finding, asked_of, found, measured
from registry.alerts.presence import Sample, together
from registry.alerts.windows import Asked, Counted, Tally

Calls = dict[tuple[str, ...], Row]


def judged(
    text: str,
    calls: Mapping[tuple[str, ...], Row] | None = None,
    before: Mapping[tuple[str, ...], Row] | None = None,
    *,
    namespace: str = "mesh",
    samples: list[Sample] | None = None,
    minimum: int = 20,
) -> list[Finding]:
    query = parse_query(text)

    def count(asked: Asked) -> Counted:
        rows = (before if asked.back_s else calls) or {}
        return Counted({key: Tally(row) for key, row in rows.items()}, 60.0)

    tables = [measured(each, namespace, minimum, count, lambda *_: samples or []) for each in query.conditions]
    return found(query, namespace, tables)


def row(calls: int, failed: int = 0, seconds: float = 0.1) -> Row:
    return Row((), calls, failed, buckets={bucket_of(seconds): calls})


def test_a_named_service_of_the_mesh_is_all_of_that_name() -> None:
    (one,) = judged("service=cart error_ratio > 2 %", {("cart",): row(100, 5)})
    assert one == Finding({"service": "cart"}, 0.05, True)


def test_a_star_is_a_finding_for_each_and_says_whose_it_is() -> None:
    calls: Calls = {("shop", "cart"): row(100, 5), ("bank", "cart"): row(100), ("shop", "few"): row(10, 10)}
    found_ = judged("service=* error_ratio > 2 %", calls)
    assert [(each.labels, each.holds) for each in found_] == [
        ({"namespace": "bank", "service": "cart"}, False),
        ({"namespace": "shop", "service": "cart"}, True),
        ({"namespace": "shop", "service": "few"}, None),
    ]


def test_a_rule_of_a_namespace_sees_that_one_alone() -> None:
    calls: Calls = {("shop", "cart"): row(100, 5), ("bank", "cart"): row(100, 50)}
    (one,) = judged("service=cart error_ratio > 2 %", calls, namespace="shop")
    assert (one.labels, one.value) == ({"namespace": "shop", "service": "cart"}, 0.05)
    assert asked_of(parse_query("service=cart rate > 1/s").conditions[0], "shop")[0].parts == ("namespace", "service")


@pytest.mark.parametrize(
    ("now", "then", "value", "holds"),
    [
        (row(100, 10), row(100, 2), 5.0, True),
        (row(100, 10), row(100, 5), 2.0, False),
        (row(100, 10), row(100, 0), ENDLESS, True),
        (row(100, 0), row(100, 0), None, None),
        (row(100, 10), row(10, 1), None, None),
    ],
)
def test_a_value_is_compared_with_itself_before(now: Row, then: Row, value: float | None, holds: bool | None) -> None:
    (one,) = judged("service=cart error_ratio vs 24h > 3", {("cart",): now}, {("cart",): then})
    assert (one.value, one.holds) == (value, holds)


def test_all_conditions_hold_and_what_one_cannot_tell_none_can() -> None:
    calls: Calls = {("cart",): row(120, 12)}
    text = "service=cart error_ratio > 2 % and service=cart rate > {}/s"
    assert [each.holds for bound in ("1", "3") for each in judged(text.format(bound), calls)] == [True, False]
    (few,) = judged("service=cart error_ratio > 2 % and service=cart rate > 0/s", {("cart",): row(12, 6)})
    assert few.holds is None
    (none,) = judged("service=cart rate < 1/s", {})
    assert (none.value, none.holds) == (0.0, True)


def test_states_are_added_up_or_counted_by_whom_they_are_of() -> None:
    passing = [Sample({"namespace": "shop", "service": "cart"}, value) for value in (0.0, 1.0, 1.0)]
    (one,) = judged("service=cart instances_passing < 3", samples=passing)
    assert (one.value, one.holds) == (2.0, True)
    ejected = [Sample({"service": "cart", "gateway": node}, 1.0, "shop/cart/a") for node in ("gw-1", "gw-2")]
    assert together("ejected", ejected) == (1.0, "shop/cart/a")
    assert together("cert_days_left", [Sample({}, 3.0, "old"), Sample({}, 90.0, "new")]) == (3.0, "old")
    assert together("snapshot_age", [Sample({}, 3.0), Sample({}, 90.0)]) == (90.0, "")


def test_filters_narrow_and_exclude() -> None:
    samples = [Sample({"namespace": "shop", "service": "cart", "version": version}, 1.0) for version in ("v1", "v2")]
    assert judged("service=cart version=v1 instances_passing > 0", samples=samples)[0].value == 1.0
    assert judged("service=cart version!=v1 instances_passing > 0", samples=samples)[0].value == 1.0
    assert judged("service=cart instances_passing > 0", samples=samples)[0].value == 2.0
    assert [each.labels["version"] for each in judged("version=* instances_passing > 0", samples=samples)] == [
        "v1",
        "v2",
    ]


def test_what_was_so_since_the_look_before_wavers_and_says_whom_it_is_of() -> None:
    def sample(value: float, what: str = "", *, past: bool = False) -> Sample:
        return Sample({"namespace": "shop", "service": "cart"}, value, what, past)

    text = "service=* ejected > 0"
    (over,) = judged(text, samples=[sample(0.0), sample(1.0, "shop/cart/a", past=True)])
    assert (over.holds, over.wavers, over.value, over.what) == (False, True, 1.0, "shop/cart/a")
    (now,) = judged(text, samples=[sample(0.0), sample(1.0, "shop/cart/b"), sample(1.0, "shop/cart/a", past=True)])
    assert (now.holds, now.wavers, now.value, now.what) == (True, False, 1.0, "shop/cart/b")
    (well,) = judged(text, samples=[sample(0.0)])
    assert (well.holds, well.wavers) == (False, False)
    (other,) = judged(f"{text} and service=* in_flight > 5", samples=[sample(1.0, "shop/cart/a", past=True)])
    assert (other.holds, other.wavers) == (False, False), "the other condition does not hold, lately or now"
