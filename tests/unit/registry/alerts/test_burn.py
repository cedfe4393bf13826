"""Burn rates against a plain reckoning: calls one by one, each window by its share of bad ones."""

import asyncio
import random

import pytest

from meshway.histogram import bucket_of
from meshway.model.objective import Availability, Indicator, Latency, Objective, ObjectiveTarget, factor_of
from meshway.tasks import spawn
from meshway.telemetry import Row
from meshway.units import Duration
from registry.alerts.burn import Burning, Spent, budget_of, is_of, looks_of, slower, spans_of, spent_of
from registry.alerts.rules import ObjectiveRule, Rule


def available(**fields: object) -> Objective:
    values = {"target": ObjectiveTarget(service="cart"), "indicator": Indicator(availability=Availability())}
    return Objective(**(values | fields))  # type: ignore[arg-type]  # values of tests


def test_rates_are_those_of_a_plain_reckoning() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(50):
        target = chance.choice([90.0, 99.0, 99.9])
        spec = available(target_percent=target, minimum_requests=1)
        # (age in seconds, status class, flag) of each call of 72 h, most of them young.
        calls = [
            (
                chance.choice([300.0, 3_600.0, 21_600.0, 259_200.0]) * chance.random(),
                chance.choice(["2xx", "4xx", "5xx"]),
                chance.choice(["", "", "", "UF", "RL", "DC"]),
            )
            for _ in range(chance.randrange(1, 200))
        ]
        spent = {}
        for window_s in spans_of(spec):
            rows = [
                Row(("shop/cart", "all", "shop/cart", status, flag), 1) for age, status, flag in calls if age < window_s
            ]
            spent[window_s] = spent_of(spec, rows)
        budget = budget_of(spec, spent)
        for rate, burn in zip(budget.rates, spec.burn, strict=True):
            plain = []
            for window_s in (burn.long, burn.short):
                within = [(status, flag) for age, status, flag in calls if age < window_s]
                bad = sum(status == "5xx" or flag == "UF" for status, flag in within)
                plain.append(bad / len(within) / (1 - target / 100) if within else 0.0)
            assert [rate.long, rate.short] == pytest.approx(plain)
            enough = any(age < burn.long for age, _, _ in calls)
            assert rate.holds == (min(plain) > factor_of(burn, spec.window) if enough else None)


def test_the_budget_is_what_may_be_bad_and_is_left_or_overspent() -> None:
    spec = available(target_percent=99.0)
    windows = dict.fromkeys(spans_of(spec), Spent(1_000, 5))
    assert budget_of(spec, windows).left == pytest.approx(0.5)
    assert budget_of(spec, dict.fromkeys(windows, Spent(1_000, 20))).left == pytest.approx(-1.0)
    assert budget_of(spec, dict.fromkeys(windows, Spent())).left is None


def test_both_windows_must_burn() -> None:
    spec = available(target_percent=99.0)
    over = dict.fromkeys(spans_of(spec), Spent(1_000, 500))
    assert [rate.holds for rate in budget_of(spec, over).rates] == [True] * 4
    ended = over | {300.0: Spent(100, 0)}
    assert [rate.holds for rate in budget_of(spec, ended).rates] == [False, True, True, True]
    begun = dict.fromkeys(over, Spent(100_000, 10)) | {300.0: Spent(100, 100)}
    assert not any(rate.holds for rate in budget_of(spec, begun).rates)


def test_slow_calls_are_counted_within_a_bucket_by_their_share() -> None:
    row = Row(("a",), 4, buckets={bucket_of(0.1): 2, bucket_of(0.4): 1, bucket_of(2.0): 1})
    assert slower(row, 0.3) == 2.0
    assert slower(row, 5.0) == 0.0
    assert 0.0 <= slower(row, 0.1) - 2.0 <= 2.0
    latency = available(indicator=Indicator(latency=Latency(under=Duration(0.3))))
    assert spent_of(latency, [row]) == Spent(4, 2)


def test_a_target_is_a_service_a_route_or_a_rule() -> None:
    key = ("shop/front", "all", "shop/cart", "2xx", "")
    assert is_of(available(), "shop", key)
    assert not is_of(available(), "bank", key)
    assert is_of(available(target=ObjectiveTarget(route="front")), "shop", key)
    assert not is_of(available(target=ObjectiveTarget(route="front", rule="other")), "shop", key)


def test_each_line_of_burn_is_an_alert_of_its_own_and_short_windows_drop_what_is_longer() -> None:
    spec = available(window=Duration(86_400.0))
    rule = ObjectiveRule(Rule(kind="Objective", namespace="shop", name="slo"), spec)
    looks = list(looks_of(rule, budget_of(spec, dict.fromkeys(spans_of(spec), Spent(1_000, 900)))))
    assert [look.labels["window"] for look in looks] == ["1h", "6h", "24h"]
    assert len({look.fingerprint for look in looks}) == 3


async def test_who_asks_while_objectives_change_is_told_of_those_he_asked_for() -> None:
    class Slow:
        """Numbers that come when they are let."""

        def __init__(self) -> None:
            self.goes_on = asyncio.Event()

        def wall(self) -> float:
            return 1_800_000_000.0

        async def each(self, *_: object) -> None:
            await self.goes_on.wait()
            await asyncio.sleep(0)

    slow = Slow()
    burning = Burning(slow)  # type: ignore[arg-type]  # only what is asked of it
    spec = Objective(
        target=ObjectiveTarget(service="cart"), indicator=Indicator(availability=Availability()), target_percent=99.9
    )
    before, after = (
        ObjectiveRule(Rule(kind="Objective", namespace="shop", name="cart", revision=revision), spec)
        for revision in (1, 2)
    )
    asked = [spawn(burning.budgets([rule]), name="budgets") for rule in (before, after)]
    await asyncio.sleep(0)
    slow.goes_on.set()
    for found in await asyncio.gather(*asked):
        assert found["shop", "cart"].left is None
