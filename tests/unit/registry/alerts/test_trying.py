"""A rule run over a day's minutes, against the same states moved minute by minute on a plain count."""

import asyncio
import random

import pytest

from meshway.model.alert import Alert
from meshway.model.alert_query import parse_query
from meshway.problem import Problem
from meshway.tasks import spawn
from meshway.telemetry import Row
from meshway.units import Duration
from registry.alerts.judging import asked_of
from registry.alerts.rules import AlertRule, rule_of
from registry.alerts.trying import MOST_AT_ONCE, Trying, replayed
from tests.parts.clock import ManualClock

FIRST = 1_800_000_000 // 60 * 60


def rule(query: str, **fields: float) -> AlertRule:
    times = {name: Duration(value) for name, value in fields.items()}
    return rule_of("tried", "shop", Alert(query=query, **times))  # type: ignore[arg-type]  # durations of tests


def minutes(shares: list[float]) -> dict[int, list[Row]]:
    """Of one service, a hundred calls a minute."""
    return {FIRST + at * 60: [Row(("shop", "cart"), 100, round(share * 100))] for at, share in enumerate(shares)}


def test_times_are_those_of_a_plain_count() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(20):
        for_minutes, keep_minutes = chance.randrange(4), chance.randrange(4)
        shares = [chance.choice([0.0, 0.0, 0.5]) for _ in range(60)]
        tried = rule("service=cart error_ratio > 10 %", for_=for_minutes * 60.0, keep_firing=keep_minutes * 60.0)
        (asked,) = asked_of(tried.query.conditions[0], "shop")
        found = replayed(tried, {asked: minutes(shares)}, FIRST + 60, FIRST + 60 * 60)
        plain: list[tuple[int, int | None]] = []
        since: int | None = None
        fired: int | None = None
        held = 0
        for at, share in enumerate(shares):
            now = FIRST + (at + 1) * 60
            if share > 0.1:
                since, held = (now if since is None else since), now
                if fired is None and now - since >= for_minutes * 60:
                    fired = now
            elif fired is not None and now - held >= keep_minutes * 60:
                plain.append((fired, now))
                since = fired = None
            elif fired is None:
                since = None
        if fired is not None:
            plain.append((fired, None))
        assert [(each.fired_at, each.resolved_at) for each in found.fired] == plain


def test_a_minute_without_calls_is_no_data() -> None:
    tried = rule("service=cart error_ratio > 10 %", for_=0.0, keep_firing=0.0)
    (asked,) = asked_of(tried.query.conditions[0], "shop")
    calls = minutes([0.5, 0.0])
    del calls[FIRST + 60]
    (fired,) = replayed(tried, {asked: calls}, FIRST + 60, FIRST + 180).fired
    assert (fired.fired_at, fired.resolved_at) == (FIRST + 60, None)
    assert fired.labels == {"namespace": "shop", "service": "cart"}


def test_the_farthest_value_is_told() -> None:
    tried = rule("service=cart error_ratio > 10 %", for_=0.0, keep_firing=0.0)
    (asked,) = asked_of(tried.query.conditions[0], "shop")
    (fired,) = replayed(tried, {asked: minutes([0.2, 0.7, 0.3, 0.0])}, FIRST + 60, FIRST + 240).fired
    assert (fired.value, fired.resolved_at) == (0.7, FIRST + 240)


@pytest.mark.parametrize("query", ["service=cart instances_passing < 1", "zone=a rate > 1/s"])
async def test_what_nothing_is_kept_of_is_refused(query: str) -> None:
    class Nothing:
        """No question comes so far."""

    assert parse_query(query)
    with pytest.raises(Problem, match="kept"):
        await Trying(Nothing(), ManualClock()).tried(rule(query))  # type: ignore[arg-type]  # is not read


async def test_more_rules_at_once_than_may_wait_are_refused() -> None:
    class Slow:
        def __init__(self) -> None:
            self.goes_on = asyncio.Event()

        def kept_s(self) -> dict[int, float]:
            return {60: 86_400.0}

        async def each(self, *_: object) -> None:
            await self.goes_on.wait()

    slow = Slow()
    trying = Trying(slow, ManualClock(float(FIRST)))  # type: ignore[arg-type]  # only what is asked of it
    tried = rule("service=cart error_ratio > 10 %")
    waiting = [spawn(trying.tried(tried), name="try") for _ in range(MOST_AT_ONCE)]
    await asyncio.sleep(0)
    with pytest.raises(Problem) as refused:
        await trying.tried(tried)
    assert (refused.value.status, refused.value.code) == (503, "busy")
    slow.goes_on.set()
    assert [one.fired for one in await asyncio.gather(*waiting)] == [[]] * MOST_AT_ONCE
    assert (await trying.tried(tried)).fired == []
