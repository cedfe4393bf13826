import pytest

from loadtest.simulator.flows import Flow, flows_of
from loadtest.simulator.shape import shape_of
from meshway.telemetry import EDGES, INSTANCES, ROUTES, Row, summed


def taken(flow: Flow, span_s: float, times: int) -> Row:
    return summed(row for row in (flow.take(span_s) for _ in range(times)) if row is not None)


def test_short_spans_and_long_ones_count_the_same_calls() -> None:
    short = taken(Flow(("a", "b"), 0.3, fail_share=0.1, median_s=0.02), 2.0, 1_000)
    long = taken(Flow(("a", "b"), 0.3, fail_share=0.1, median_s=0.02), 500.0, 4)
    for row in (short, long):
        assert abs(row.calls - 600) <= 1
        assert abs(row.failed - 60) <= 1
        assert sum(row.buckets.values()) == row.calls


def test_durations_lie_about_their_median_however_few_come_at_once() -> None:
    row = taken(Flow(("a", "b"), 1.5, fail_share=0.0, median_s=0.02), 2.0, 200)
    assert row.quantile_s(0.5) == pytest.approx(0.02, rel=0.1)
    assert row.quantile_s(0.95) == pytest.approx(0.02 * 2.5, rel=0.2)
    assert row.seconds == pytest.approx(row.calls * 0.02 * 1.16, rel=0.05)


def test_the_sections_of_all_gateways_say_the_same_calls() -> None:
    shape = shape_of(40, 90, 120)
    told: dict[str, Row] = {}
    for section in (EDGES, ROUTES, INSTANCES):
        flows = [flow for part in flows_of(shape, 3) for flow in part[section]]
        told[section] = summed(row for row in (flow.take(6_000.0) for flow in flows) if row is not None)
    expected = sum(edge.rate for edge in shape.edges) * 6_000.0
    for row in told.values():
        assert row.calls == pytest.approx(expected, rel=0.01)
        assert row.failed == pytest.approx(told[EDGES].failed, rel=0.05)


def test_an_ejected_instance_gets_no_calls() -> None:
    shape = shape_of(200, 400, 400)
    ejected = {service.full for service in shape.services if service.is_ejected}
    keys = {flow.key for part in flows_of(shape, 2) for flow in part[INSTANCES]}
    assert ejected
    for name in ejected:
        first = next(one.id for one in shape.instances if f"{one.namespace}/{one.service}" == name)
        assert (name, first) not in keys
