"""What a cluster learns from attempts, and what it tells and hears of other workers."""

import pytest

from gateway.balancing.round_robin import RoundRobin
from gateway.compiler.policies import effective
from gateway.compiler.settings import cluster_settings
from gateway.exchange import Reply
from gateway.plan import Parts
from gateway.upstream.cluster import FAILING_TOLD_S, Cluster
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.guards import PENDING
from gateway.upstream.transition import Transition, apply_to_endpoint
from meshway.model.traffic_policy import Breaker, Bulkhead, OutlierDetection, TrafficPolicy
from tests.parts.calls import call
from tests.parts.clock import ManualClock
from tests.parts.endpoints import endpoints


class Bench:
    """A cluster of n endpoints, its clock, its reports, and the clusters that wait for the tick."""

    def __init__(self, count: int = 3, policy: TrafficPolicy | None = None) -> None:
        self.clock = ManualClock()
        self.reports: list[Transition] = []
        self.watched: set[Cluster] = set()
        self.parts = Parts(now=self.clock, random=lambda: 0.0, report=self.reports.append)
        settings = cluster_settings(effective([policy] if policy else []))
        balancer = RoundRobin(self.parts.random, 1)
        self.cluster = Cluster("default/books", settings, balancer, self.parts, self.watched)
        self.endpoints = endpoints(*[1] * count)
        for endpoint in self.endpoints:
            endpoint.clusters = (self.cluster,)
        self.cluster.set_endpoints(self.endpoints)

    def attempt(self, endpoint: Endpoint, outcome: str = "ok", status: int = 200) -> None:
        endpoint.in_flight += 1
        self.cluster.attempt_ended(endpoint, outcome, status, self.clock())

    def fail(self, endpoint: Endpoint, times: int = 5, outcome: str = "reset") -> None:
        for _ in range(times):
            self.attempt(endpoint, outcome, 0)

    @property
    def eligible(self) -> list[str]:
        return [endpoint.id for endpoint in self.cluster.eligible]


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


BREAKER = TrafficPolicy(breaker=Breaker(minimum_requests=1, half_open_requests=1))
BULKHEAD = TrafficPolicy(bulkhead=Bulkhead(max_requests=1))
BOTH = TrafficPolicy(breaker=BREAKER.breaker, bulkhead=BULKHEAD.bulkhead)


def test_without_breaker_and_bulkhead_everything_is_admitted() -> None:
    assert Bench().cluster.admit(call(), lambda _: None) is None


def test_an_open_breaker_refuses_and_every_worker_opens_with_it() -> None:
    bench = Bench(policy=BREAKER)
    bench.attempt(bench.endpoints[0], "connect_failure", 0)
    refusal = bench.cluster.admit(call(), lambda _: None)
    assert isinstance(refusal, Reply)
    assert refusal.reason == "breaker_open"
    (opened,) = bench.reports
    other = Bench(policy=BREAKER)
    other.cluster.apply_transition(opened)
    assert isinstance(other.cluster.admit(call(), lambda _: None), Reply)
    other.cluster.apply_transition(Transition("breaker_closed", "default/books"))
    assert other.cluster.admit(call(), lambda _: None) is None


def test_a_passing_check_lets_the_breaker_probe_at_once() -> None:
    bench = Bench(policy=BREAKER)
    bench.attempt(bench.endpoints[0], "connect_failure", 0)
    apply_to_endpoint(bench.endpoints[0], Transition("check_failed", endpoint=bench.endpoints[0].key), 100.0)
    apply_to_endpoint(bench.endpoints[0], Transition("check_passed", endpoint=bench.endpoints[0].key), 100.0)
    assert bench.cluster.admit(call(), lambda _: None) is None


def test_pending_calls_are_resumed_by_a_release_and_refused_by_the_tick() -> None:
    bench = Bench(policy=BULKHEAD)
    first, second, third = call(), call(), call()
    heard: list[tuple[str, Reply | None]] = []
    assert bench.cluster.admit(first, lambda _: None) is None
    assert bench.cluster.admit(second, lambda reply: heard.append(("second", reply))) is PENDING
    assert bench.cluster.admit(third, lambda reply: heard.append(("third", reply))) is PENDING
    assert bench.cluster in bench.watched
    bench.cluster.release(first)
    assert heard == [("second", None)]
    bench.clock.advance(1.0)
    assert not bench.cluster.tick(bench.clock())
    assert heard[1][0] == "third"
    assert heard[1][1] is not None
    assert heard[1][1].reason == "pending_timeout"


def test_a_probe_that_waits_in_vain_gives_its_place_back() -> None:
    bench = Bench(policy=BOTH)
    running = call()
    assert bench.cluster.admit(running, lambda _: None) is None
    bench.attempt(bench.endpoints[0], "reset", 0)
    bench.clock.advance(5.0)
    waiting, other = call(), call()
    assert bench.cluster.admit(waiting, lambda _: None) is PENDING
    assert isinstance(bench.cluster.admit(other, lambda _: None), Reply)
    bench.cluster.cancel_pending(waiting)
    assert bench.cluster.admit(other, lambda _: None) is PENDING


def test_settings_change_while_calls_run_and_wait() -> None:
    bench = Bench(policy=BULKHEAD)
    first, heard = call(), list[Reply | None]()
    bench.cluster.admit(first, lambda _: None)
    bench.cluster.admit(call(), heard.append)
    bench.cluster.configure(cluster_settings(effective([])))
    assert heard == [None]
    bench.cluster.release(first)
    assert bench.cluster.admit(call(), lambda _: None) is None


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
