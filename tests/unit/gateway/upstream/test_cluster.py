"""What a cluster learns from attempts, and what it tells and hears of other workers."""

import pytest

from gateway.balancing.round_robin import RoundRobin
from gateway.upstream.cluster import FAILING_TOLD_S, Cluster
from gateway.upstream.transition import Transition, apply_to_endpoint
from meshway.model.traffic_policy import OutlierDetection, TrafficPolicy
from tests.parts.calls import call
from tests.parts.cluster_bench import Bench


def test_a_failing_endpoint_is_taken_out_at_its_fifth_failure_and_told_to_the_others() -> None:
    bench = Bench()
    bench.fail(bench.endpoints[1], 4)
    assert bench.eligible == ["1", "2", "3"]
    bench.fail(bench.endpoints[1], 1)
    assert bench.eligible == ["1", "3"]
    assert bench.reports == [
        Transition("ejected", "default/books", ("default", "books", "2"), until_s=110.0, count=1, reason="reset")
    ]


@pytest.mark.parametrize("status", [502, 503, 504])
def test_gateway_statuses_eject_as_well(status: int) -> None:
    bench = Bench()
    for _ in range(5):
        bench.attempt(bench.endpoints[0], "ok", status)
    assert bench.eligible == ["2", "3"]


@pytest.mark.parametrize("outcome", ["cancelled", "stale_connection"])
def test_what_says_nothing_about_the_endpoint_counts_nothing(outcome: str) -> None:
    bench = Bench()
    bench.fail(bench.endpoints[0], 20, outcome)
    assert bench.eligible == ["1", "2", "3"]
    assert bench.endpoints[0].in_flight == 0


def test_it_comes_back_when_its_time_is_up_with_a_clean_record() -> None:
    bench = Bench()
    bench.fail(bench.endpoints[1])
    bench.clock.advance(9.9)
    assert bench.cluster.tick(bench.clock())
    assert bench.eligible == ["1", "3"]
    bench.clock.advance(0.2)
    assert bench.cluster.tick(bench.clock()), "it begins slowly"
    assert bench.eligible == ["1", "2", "3"]
    assert bench.reports[-1].kind == "returned"
    bench.clock.advance(5.1)
    assert not bench.cluster.tick(bench.clock())
    bench.fail(bench.endpoints[1], 4)
    assert bench.eligible == ["1", "2", "3"]


def test_the_next_answer_brings_it_back_as_well() -> None:
    bench = Bench()
    bench.fail(bench.endpoints[1])
    bench.clock.advance(10.1)
    bench.attempt(bench.endpoints[0])
    assert bench.eligible == ["1", "2", "3"]


def test_at_most_half_are_ejected_and_never_the_last() -> None:
    bench = Bench(4)
    for endpoint in bench.endpoints:
        bench.fail(endpoint)
    assert bench.eligible == ["3", "4"]
    lone = Bench(1)
    lone.fail(lone.endpoints[0], 20)
    assert lone.eligible == ["1"]
    pair = Bench(2)
    pair.fail(pair.endpoints[0], 20)
    pair.fail(pair.endpoints[1], 20)
    assert pair.eligible == ["2"]


def test_an_ejection_found_by_another_worker_holds_here_and_ends_here_without_a_report() -> None:
    bench = Bench()
    told = Transition("ejected", "default/books", ("default", "books", "1"), until_s=110.0, count=2)
    for _ in range(2):
        apply_to_endpoint(bench.endpoints[0], told, bench.clock())
    assert bench.eligible == ["2", "3"]
    assert bench.cluster in bench.watched
    bench.clock.advance(10.0)
    bench.cluster.tick(bench.clock())
    assert bench.eligible == ["1", "2", "3"]
    assert bench.reports == []


def test_a_worker_reports_only_the_return_from_its_own_ejections() -> None:
    bench = Bench()
    bench.fail(bench.endpoints[0])
    bench.clock.advance(10.0)
    bench.cluster.tick(bench.clock())
    assert [report.kind for report in bench.reports] == ["ejected", "returned"]
    told = Transition("ejected", "default/books", bench.endpoints[0].key, until_s=bench.clock() + 5.0)
    apply_to_endpoint(bench.endpoints[0], told, bench.clock())
    bench.clock.advance(5.0)
    bench.cluster.tick(bench.clock())
    assert bench.eligible == ["1", "2", "3"]
    assert len(bench.reports) == 2


def test_a_failing_check_takes_out_and_a_passing_one_brings_back() -> None:
    bench = Bench()
    key = bench.endpoints[0].key
    apply_to_endpoint(bench.endpoints[0], Transition("check_failed", endpoint=key, reason="timeout"), 100.0)
    assert bench.eligible == ["2", "3"]
    apply_to_endpoint(bench.endpoints[0], Transition("check_passed", endpoint=key), 100.0)
    assert bench.eligible == ["1", "2", "3"]


def test_checks_never_empty_a_cluster_unless_connections_are_refused() -> None:
    bench = Bench(2)
    for endpoint, reason in zip(bench.endpoints, ("timeout", "connect_refused"), strict=True):
        apply_to_endpoint(endpoint, Transition("check_failed", endpoint=endpoint.key, reason=reason), 100.0)
    assert bench.eligible == ["1"]
    assert bench.cluster.is_panicking


def test_an_ejection_is_seen_by_every_cluster_of_the_endpoint() -> None:
    bench = Bench()
    subset = Cluster("default/books#v1", bench.cluster.settings, RoundRobin(lambda: 0.0, 1), bench.parts, bench.watched)
    for endpoint in bench.endpoints[:2]:
        endpoint.clusters = (bench.cluster, subset)
    subset.set_endpoints(bench.endpoints[:2])
    bench.fail(bench.endpoints[0])
    assert [endpoint.id for endpoint in subset.eligible] == ["2"]
    bench.clock.advance(10.0)
    subset.tick(bench.clock())
    assert bench.eligible == ["1", "2", "3"]


def test_a_retry_goes_to_an_endpoint_that_was_not_tried_if_there_is_one() -> None:
    bench = Bench(3)
    exchange = call()
    exchange.endpoint = bench.endpoints[0]
    for _ in range(2):
        endpoint = bench.cluster.pick_another(exchange)
        assert endpoint is not None
        assert endpoint not in (*exchange.tried, exchange.endpoint)
        exchange.tried += (exchange.endpoint,)
        exchange.endpoint = endpoint
    assert bench.cluster.pick_another(exchange) is not None


def test_the_untried_endpoint_with_the_least_load_gets_the_retry() -> None:
    bench = Bench(3)
    one, two, three = bench.endpoints
    two.in_flight = 4
    exchange = call()
    exchange.endpoint = one
    assert bench.cluster.pick_another(exchange) is three


def test_an_empty_cluster_picks_nobody_and_says_why() -> None:
    bench = Bench(0)
    assert bench.cluster.first_pick is None
    assert bench.cluster.pick_another(call()) is None
    assert bench.cluster.no_endpoint_detail == "default/books has no instance"


def test_in_flight_counts_attempts() -> None:
    bench = Bench(1)
    bench.endpoints[0].in_flight += 1
    bench.cluster.attempt_ended(bench.endpoints[0], "ok", 200, 100.0)
    assert bench.endpoints[0].in_flight == 0


def test_the_last_eligible_endpoint_stays_even_when_all_may_be_ejected() -> None:
    bench = Bench(3, TrafficPolicy(outlier_detection=OutlierDetection(max_ejection_percent=100.0)))
    for endpoint in bench.endpoints:
        bench.fail(endpoint, 10)
    assert bench.eligible == ["3"]
    assert not bench.cluster.is_panicking


def test_one_that_fails_and_is_called_on_for_want_of_others_is_told_now_and_then() -> None:
    bench = Bench(1)
    bench.fail(bench.endpoints[0], 4)
    assert bench.reports == [], "four failures in a row are no verdict"
    bench.fail(bench.endpoints[0], 20)
    (told,) = bench.reports
    assert (told.kind, told.endpoint) == ("failing", ("default", "books", "1"))
    bench.clock.advance(FAILING_TOLD_S / 2.0)
    bench.fail(bench.endpoints[0], 20)
    assert [report.kind for report in bench.reports] == ["failing", "failing"]
    assert bench.reports[-1].until_s == told.until_s + FAILING_TOLD_S / 2.0
    assert bench.eligible == ["1"]


@pytest.mark.parametrize("detection", [True, False], ids=["with outlier detection", "without"])
def test_an_endpoint_that_is_only_kept_goes_at_its_first_failure_be_it_the_last(detection: bool) -> None:
    bench = Bench(2, TrafficPolicy(outlier_detection=OutlierDetection(enabled=detection)))
    for endpoint in bench.endpoints:
        endpoint.is_kept = True
    bench.attempt(bench.endpoints[0], "ok", 503)
    assert bench.eligible == ["1", "2"], "an answer is an answer"
    bench.attempt(bench.endpoints[0], "first_byte_timeout", 0)
    assert bench.eligible == ["2"]
    bench.attempt(bench.endpoints[1], "connect_failure", 0)
    bench.attempt(bench.endpoints[1], "connect_failure", 0)
    assert bench.eligible == ["1"], "who refuses connections never serves, not even when nobody else is left"
    assert [(report.kind, report.endpoint, report.reason) for report in bench.reports] == [
        ("ejected", ("default", "books", "1"), "first_byte_timeout"),
        ("ejected", ("default", "books", "2"), "connect_failure"),
    ]
