"""When a breaker opens, for how long, and what closes it: times that are a policy's pass at once."""

from itertools import chain, repeat
from typing import Any

import pytest

from meshway.snapshot import Change
from tests.integration.gateway.test_decisions import services
from tests.integration.gateway.test_retrying import ROUTE, in_turn
from tests.parts.changes import document
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.upstream import RecordingUpstream


def breaker(**fields: Any) -> Change:
    """Of failures that are the service's own: 500. Nobody is ejected beside it."""
    blocks = {"minimum_requests": 2, "failures": [500], "open_for": "10s"} | fields
    return document("TrafficPolicy", "p", {"breaker": blocks, "outlier_detection": {"enabled": False}})


def answering(*statuses: int) -> RecordingUpstream:
    """These in turn, then 200."""
    return in_turn("1", chain(iter(statuses), repeat(200)))


async def statuses_of(gateway: CompiledGateway, *pauses_s: float) -> list[int]:
    """Of a call, and of one after each pause."""
    found = [(await gateway.ask())[0]]
    for pause_s in pauses_s:
        gateway.leap(pause_s)
        found.append((await gateway.ask())[0])
    return found


def told(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


@pytest.mark.parametrize(("window", "last"), [("300s", 503), ("5s", 200), (None, 200)])
@pytest.mark.proves("Breaker.window")
async def test_failures_of_long_ago_open_nothing(window: str | None, last: int) -> None:
    async with (
        services(answering(500, 500)) as books,
        compiled_gateway(*books, ROUTE, breaker(**told(window=window))) as gateway,
    ):
        assert await statuses_of(gateway, 30.0, 0.0) == [500, 500, last]


@pytest.mark.parametrize(("open_for", "last"), [("10s", 200), ("60s", 503), (None, 200)])
@pytest.mark.proves("Breaker.open_for")
async def test_an_open_breaker_keeps_calls_away_as_long_as_it_says(open_for: str | None, last: int) -> None:
    async with services(answering(500, 500)) as books:
        policy = breaker() if open_for is None else breaker(open_for=open_for)
        async with compiled_gateway(*books, ROUTE, policy) as gateway:
            assert await statuses_of(gateway, 0.0, 0.0, 20.0) == [500, 500, 503, last]


@pytest.mark.parametrize(("open_max", "last"), [("10s", 200), ("40s", 503), (None, 503)])
@pytest.mark.proves("Breaker.open_max")
async def test_a_breaker_that_opens_again_stays_open_longer_up_to_the_most(open_max: str | None, last: int) -> None:
    """Ten seconds, then twenty; the third call after the opening is the failed probe."""
    async with (
        services(answering(500, 500, 500)) as books,
        compiled_gateway(*books, ROUTE, breaker(**told(open_max=open_max))) as gateway,
    ):
        assert await statuses_of(gateway, 0.0, 15.0, 15.0) == [500, 500, 500, last]


@pytest.mark.parametrize(("probes", "last"), [(1, 200), (2, 503), (None, 503)])
@pytest.mark.proves("Breaker.half_open_requests")
async def test_as_many_good_probes_close_it_as_the_policy_wants(probes: int | None, last: int) -> None:
    """After one good probe a failure is the first of a new window, or the bad one of several probes."""
    async with (
        services(answering(500, 500, 200, 500)) as books,
        compiled_gateway(*books, ROUTE, breaker(**told(half_open_requests=probes))) as gateway,
    ):
        assert await statuses_of(gateway, 0.0, 15.0, 0.0, 0.0) == [500, 500, 200, 500, last]
