"""Whom outlier detection takes out, by what, and for how long: times that are a policy's pass at once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from meshway.snapshot import Change
from tests.integration.gateway.test_decisions import saying, services
from tests.integration.gateway.test_retrying import ROUTE
from tests.parts.changes import document
from tests.parts.compiled import CompiledGateway, compiled_gateway

BY_RATIO = {"consecutive_gateway_failures": 0}


def detecting(**fields: Any) -> Change:
    """Round robin and no retries: every instance's answers reach the caller."""
    fields = {name: value for name, value in fields.items() if value is not None}
    blocks = {"load_balancer": {"algorithm": "round_robin"}, "retry": {"max_retries": 0}, "outlier_detection": fields}
    return document("TrafficPolicy", "p", blocks)


@asynccontextmanager
async def calling(policy: Change, good: int = 1, bad: int = 1, status: int = 503) -> AsyncIterator[CompiledGateway]:
    """So many instances that answer well, and so many that answer with the status."""
    upstreams = [saying("good") for _ in range(good)] + [saying("bad", status) for _ in range(bad)]
    async with services(*upstreams) as books, compiled_gateway(*books, ROUTE, policy) as gateway:
        yield gateway


async def bad_of(gateway: CompiledGateway, calls: int) -> int:
    """How many of the calls the bad ones got."""
    return [(await gateway.ask())[2] for _ in range(calls)].count("bad")


@pytest.mark.parametrize(
    ("fields", "bad"),
    [
        ({}, 5),
        ({"enabled": False}, 10),
        ({"enabled": True}, 5),
        ({"consecutive_gateway_failures": 2}, 2),
        ({"consecutive_gateway_failures": 0}, 10),
    ],
)
@pytest.mark.proves("OutlierDetection.enabled", "OutlierDetection.consecutive_gateway_failures")
async def test_an_instance_that_fails_in_a_row_is_taken_out(fields: dict[str, Any], bad: int) -> None:
    async with calling(detecting(**fields)) as gateway:
        assert await bad_of(gateway, 20) == bad


@pytest.mark.parametrize(
    ("ratio", "is_ejected"),
    [
        ({"minimum_requests": 4}, True),
        ({"minimum_requests": 40}, False),
        ({"minimum_requests": 4, "percent": 99}, True),
        ({"minimum_requests": 4, "percent": 100}, False),
        # All of its calls fail, and half of all.
        ({"minimum_requests": 4, "over_cluster_percent": 45}, True),
        ({"minimum_requests": 4, "over_cluster_percent": 60}, False),
        (None, False),
    ],
)
@pytest.mark.proves(
    "OutlierDetection.failure_ratio",
    "FailureRatio.percent",
    "FailureRatio.over_cluster_percent",
    "FailureRatio.minimum_requests",
)
async def test_an_instance_that_fails_more_than_the_others_is_taken_out(
    ratio: dict[str, Any] | None, is_ejected: bool
) -> None:
    async with calling(detecting(**BY_RATIO, failure_ratio=ratio), status=500) as gateway:
        await bad_of(gateway, 20)
        assert await bad_of(gateway, 10) == (0 if is_ejected else 5)


@pytest.mark.parametrize(("window", "is_ejected"), [("300s", True), ("10s", False), (None, False)])
@pytest.mark.proves("FailureRatio.window")
async def test_failures_of_long_ago_are_no_reason(window: str | None, is_ejected: bool) -> None:
    ratio = {"minimum_requests": 4} | ({"window": window} if window else {})
    policy = detecting(**BY_RATIO, failure_ratio=ratio, base_ejection="5m")
    async with calling(policy, status=500) as gateway:
        for _ in range(5):
            await bad_of(gateway, 2)
            gateway.leap(30.0)
        assert await bad_of(gateway, 2) == (0 if is_ejected else 1)


@pytest.mark.parametrize(("base", "is_back"), [("10s", True), ("100s", False), (None, True)])
@pytest.mark.proves("OutlierDetection.base_ejection")
async def test_who_was_taken_out_comes_back_when_its_time_is_up(base: str | None, is_back: bool) -> None:
    async with calling(detecting(consecutive_gateway_failures=1, base_ejection=base)) as gateway:
        assert await bad_of(gateway, 4) == 1
        gateway.leap(20.0)
        gateway.leap(10.0)  # it comes back slowly
        assert await bad_of(gateway, 4) == (1 if is_back else 0)


@pytest.mark.parametrize(("most", "is_back"), [("10s", True), ("100s", False), (None, False)])
@pytest.mark.proves("OutlierDetection.max_ejection")
async def test_who_is_taken_out_again_stays_away_longer_up_to_the_most(most: str | None, is_back: bool) -> None:
    """Ten seconds, then twenty."""
    async with calling(detecting(consecutive_gateway_failures=1, max_ejection=most)) as gateway:
        assert await bad_of(gateway, 4) == 1
        gateway.leap(11.0)
        gateway.leap(8.0)  # it comes back slowly
        assert await bad_of(gateway, 4) == 1
        gateway.leap(12.0)
        gateway.leap(6.0)
        assert await bad_of(gateway, 4) == (1 if is_back else 0)


@pytest.mark.parametrize(("percent", "left"), [(34, 10), (67, 0), (0, 20), (None, 10)])
@pytest.mark.proves("OutlierDetection.max_ejection_percent")
async def test_no_more_are_taken_out_than_may_be(percent: int | None, left: int) -> None:
    """Two of three are bad; of twenty calls each of two instances gets ten."""
    async with calling(detecting(consecutive_gateway_failures=1, max_ejection_percent=percent), bad=2) as gateway:
        await bad_of(gateway, 6)
        calls = 20 if left != 20 else 30
        assert await bad_of(gateway, calls) == left
