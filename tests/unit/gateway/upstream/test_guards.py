"""Whom the guards of a cluster let in: its breaker, its adaptive limit, its bulkhead."""

from typing import Literal

import msgspec

from gateway.compiler.policies import effective
from gateway.compiler.settings import cluster_settings
from gateway.exchange import Reply
from gateway.upstream.cluster_settings import ClusterSettings
from gateway.upstream.guards import PENDING
from gateway.upstream.transition import Transition, apply_to_endpoint
from meshway.model.traffic_policy import AdaptiveConcurrency, Breaker, Bulkhead, TrafficPolicy
from tests.parts.calls import call
from tests.parts.cluster_bench import Bench

BREAKER = TrafficPolicy(breaker=Breaker(minimum_requests=1, half_open_requests=1))
BULKHEAD = TrafficPolicy(bulkhead=Bulkhead(max_requests=1))
ADAPTIVE = TrafficPolicy(adaptive_concurrency=AdaptiveConcurrency(min_limit=1, max_limit=1))
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


def test_an_attempt_beside_others_has_room_until_the_bulkhead_or_the_adaptive_limit_is_full() -> None:
    for policy in (BULKHEAD, ADAPTIVE):
        cluster, running = Bench(policy=policy).cluster, call()
        room = [cluster.has_spare_room]
        assert cluster.admit(running, lambda _: None) is None
        room.append(cluster.has_spare_room)
        cluster.release(running)
        room.append(cluster.has_spare_room)
        assert room == [True, False, True]


def test_a_probe_that_the_adaptive_limit_keeps_out_gives_its_place_back() -> None:
    bench = Bench(policy=msgspec.structs.replace(ADAPTIVE, breaker=BREAKER.breaker))
    running = call()
    assert bench.cluster.admit(running, lambda _: None) is None
    bench.attempt(bench.endpoints[0], "reset", 0)
    bench.clock.advance(5.0)
    kept_out = bench.cluster.admit(call(), lambda _: None)
    assert isinstance(kept_out, Reply)
    bench.cluster.release(running)
    assert bench.cluster.admit(call(), lambda _: None) is None


def test_limits_of_endpoints_that_are_wanted_again_have_the_bounds_of_now() -> None:
    def settings(most: int, per: Literal["service", "endpoint"]) -> ClusterSettings:
        adaptive = AdaptiveConcurrency(min_limit=1, max_limit=most, per=per)
        return cluster_settings(effective([TrafficPolicy(adaptive_concurrency=adaptive)]))

    bench = Bench()
    bench.cluster.configure(settings(1, "endpoint"))
    for endpoint in bench.endpoints:
        endpoint.in_flight = 1
    assert isinstance(bench.cluster.admit(call(), lambda _: None), Reply)
    bench.cluster.configure(settings(1, "service"))
    bench.cluster.configure(settings(1000, "endpoint"))
    limits = [endpoint.limit for endpoint in bench.endpoints if endpoint.limit is not None]
    assert [limit.settings.max_limit for limit in limits] == [1000] * len(bench.endpoints)
