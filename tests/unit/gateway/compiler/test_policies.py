"""Which policy wins: the narrowest, field by field."""

import math

import pytest

from gateway.compiler.diff import CompileError, Entry
from gateway.compiler.policies import (
    DEFAULTS,
    Attached,
    effective,
    merge,
    places_of,
    route_places,
    service_places,
    wide_place,
)
from gateway.compiler.settings import cluster_settings, limit_s, retry_plan
from gateway.upstream.cluster_settings import OpeningSettings, SharingSettings
from meshway.model.document import Target
from meshway.model.traffic_policy import (
    Backoff,
    Breaker,
    Bulkhead,
    Connection,
    HashKey,
    HealthCheck,
    LoadBalancer,
    OutlierDetection,
    Retry,
    TcpKeepalive,
    Timeouts,
    TrafficPolicy,
)
from meshway.units import Duration


def entry(name: str, spec: TrafficPolicy, namespace: str = "shop") -> Entry[TrafficPolicy]:
    return Entry("TrafficPolicy", namespace, name, spec)


def test_the_kernel_is_told_whole_seconds_and_no_time_is_never() -> None:
    alive = TcpKeepalive(time=Duration(1.2), probes=9)
    spec = TrafficPolicy(connection=Connection(tcp_keepalive=alive, max_age=Duration(90.0), proxy_protocol="v2"))
    assert cluster_settings(effective([spec])).opening == OpeningSettings(90.0, (2, 15, 9), 2)
    never = TrafficPolicy(connection=Connection(tcp_keepalive=TcpKeepalive(time=Duration(0.0))))
    assert cluster_settings(effective([never])).opening.keepalive is None


def test_a_connection_that_is_shared_is_kept_as_those_that_are_not() -> None:
    spec = TrafficPolicy(connection=Connection(http="http2", connect_timeout=Duration(0.5), max_requests=9))
    assert cluster_settings(effective([spec])).opening.sharing == SharingSettings(0.5, 4.0, 9, 100)
    assert cluster_settings(effective([])).opening.sharing is None


def test_a_service_without_any_policy_gets_the_defaults() -> None:
    settings = cluster_settings(effective([]))
    assert (settings.balancing.algorithm, settings.balancing.choices) == ("least_request", 2)
    assert (settings.connect_timeout_s, settings.idle_timeout_s, settings.max_requests) == (1.0, 4.0, 0)
    assert settings.opening == OpeningSettings(math.inf, (60, 15, 3), 0)
    assert (settings.budget.percent, settings.budget.min_per_s) == (20.0, 10.0)
    assert (settings.breaker, settings.bulkhead, settings.health_check) == (None, None, None)
    assert settings.outlier is not None
    assert settings.outlier.consecutive_gateway_failures == 5
    timeouts = effective([]).timeouts
    assert timeouts is not None
    assert [limit_s(value) for value in (timeouts.deadline, timeouts.attempt, timeouts.first_byte)] == [
        math.inf,
        math.inf,
        60.0,
    ]


def test_a_block_is_merged_field_by_field_and_lists_are_replaced() -> None:
    wide = TrafficPolicy(
        timeouts=Timeouts(deadline=Duration(10), idle=Duration(60)),
        retry=Retry(max_retries=3, statuses=(502, 503), backoff=Backoff(max=Duration(1))),
    )
    narrow = TrafficPolicy(
        timeouts=Timeouts(deadline=Duration(3)), retry=Retry(statuses=(504,), backoff=Backoff(base=Duration(0.1)))
    )
    policy = effective([wide, narrow])
    assert policy.timeouts is not None
    assert policy.retry is not None
    assert (policy.timeouts.deadline, policy.timeouts.idle, policy.timeouts.first_byte) == (3.0, 60.0, 60.0)
    plan = retry_plan(policy.retry)
    assert plan is not None
    assert (plan.max_retries, plan.statuses) == (3, frozenset({504}))
    assert (plan.backoff_base_s, plan.backoff_max_s) == (0.1, 1.0)


def test_no_retries_is_no_plan() -> None:
    policy = effective([TrafficPolicy(retry=Retry(max_retries=0))])
    assert policy.retry is not None
    assert retry_plan(policy.retry) is None


def test_a_zero_overrides_what_is_above() -> None:
    policy = effective(
        [
            TrafficPolicy(timeouts=Timeouts(deadline=Duration(10))),
            TrafficPolicy(timeouts=Timeouts(deadline=Duration(0))),
        ]
    )
    assert policy.timeouts is not None
    assert limit_s(policy.timeouts.deadline) == math.inf


def test_blocks_that_are_off_are_completed_when_somebody_writes_them() -> None:
    settings = cluster_settings(
        effective(
            [
                TrafficPolicy(
                    breaker=Breaker(failure_percent=10.0, failures=("timeout", 500)),
                    bulkhead=Bulkhead(max_requests=7),
                    health_check=HealthCheck(path="/healthz", expect=("200", "300-399")),
                    connection=Connection(max_requests=5),
                )
            ]
        )
    )
    assert settings.breaker is not None
    assert (settings.breaker.failure_percent, settings.breaker.window_s) == (10.0, 10.0)
    assert (settings.breaker.outcomes, settings.breaker.statuses) == (frozenset({"timeout"}), frozenset({500}))
    assert settings.bulkhead is not None
    assert (settings.bulkhead.max_requests, settings.bulkhead.max_pending) == (7, 1024)
    assert settings.health_check is not None
    assert settings.health_check.expect == ((200, 200), (300, 399))
    assert settings.health_check.interval_s == 10.0
    assert settings.max_requests == 5


def test_a_bulkhead_without_a_most_is_none_and_outlier_detection_can_be_switched_off() -> None:
    policy = TrafficPolicy(bulkhead=Bulkhead(max_pending=3), outlier_detection=OutlierDetection(enabled=False))
    settings = cluster_settings(effective([policy]))
    assert settings.bulkhead is None
    assert settings.outlier is None


def test_the_defaults_are_complete() -> None:
    for block in (
        "load_balancer", "slow_start", "locality", "panic", "connection", "timeouts", "retry", "outlier_detection",
    ):  # fmt: skip
        part = getattr(DEFAULTS, block)
        missing = {field for field in part.__struct_fields__ if getattr(part, field) is None}
        assert missing <= {"affinity"}, block  # off unless written


def test_of_two_hash_keys_the_narrower_one_counts_alone() -> None:
    def hashing(**key: object) -> TrafficPolicy:
        return TrafficPolicy(load_balancer=LoadBalancer(algorithm="maglev", hash_key=HashKey(**key)))  # type: ignore[arg-type]

    settings = cluster_settings(effective([hashing(header="X-User"), hashing(path=True)]))
    assert settings.balancing.hash_key == ("path", "")
    settings = cluster_settings(effective([hashing(path=True), hashing(header="X-User")]))
    assert settings.balancing.hash_key == ("header", "x-user")


def test_merging_with_nothing_changes_nothing() -> None:
    policy = TrafficPolicy(timeouts=Timeouts(idle=Duration(1)))
    assert merge(policy, None) is policy
    assert merge(None, policy) is policy


def test_policies_are_found_from_the_widest_place_to_the_narrowest() -> None:
    attached = Attached(
        [
            entry("rule", TrafficPolicy(targets=(Target(route="r", rule="a"),))),
            entry("route", TrafficPolicy(targets=(Target(route="r"),))),
            entry("subset", TrafficPolicy(targets=(Target(service="books", subset="v1"),))),
            entry("service", TrafficPolicy(targets=(Target(service="books"),))),
            entry("namespace", TrafficPolicy()),
            entry("mesh", TrafficPolicy(), namespace="mesh"),
            entry("elsewhere", TrafficPolicy(targets=(Target(service="books"),)), namespace="other"),
        ]
    )
    places = (*service_places("shop", "books", "v1"), *route_places("shop", "r", "a"))
    names = [found.name for found in attached.at(places)]
    assert names == ["mesh", "namespace", "service", "subset", "route", "rule"]
    assert [found.name for found in attached.at(service_places("shop", "cart"))] == ["mesh", "namespace"]


def test_policies_of_one_place_come_in_order_of_their_names() -> None:
    attached = Attached([entry(name, TrafficPolicy()) for name in "bca"])
    assert [found.name for found in attached.at(service_places("shop", "books"))] == ["a", "b", "c"]


@pytest.mark.parametrize("target", [Target(mesh=True), Target(namespace="other")])
def test_a_namespace_cannot_speak_for_others(target: Target) -> None:
    with pytest.raises(CompileError, match=r"spec.targets\[0\]"):
        list(places_of(entry("p", TrafficPolicy(targets=(target,)))))
    assert list(places_of(entry("p", TrafficPolicy(targets=(target,)), namespace="mesh")))


def test_a_subset_lies_in_its_service_and_a_rule_in_its_route() -> None:
    assert wide_place(("subset", "a", "b", "c")) == ("service", "a", "b")
    assert wide_place(("rule", "a", "b", "c")) == ("route", "a", "b")
    assert wide_place(("namespace", "a")) == ("namespace", "a")
