import random
from collections import Counter
from dataclasses import replace
from math import sqrt
from pathlib import Path

from gateway.compiler.split import Changed, choose_by_weight, choosing_changed
from gateway.plan import Parts
from gateway.telemetry.counters import Counters
from meshway.model.match import PathMatch
from meshway.model.route import HeaderChanges, RuleDestination
from tests.parts.calls import call
from tests.parts.clock import ManualClock
from tests.parts.one_route import cluster
from tests.parts.plans import plan


def parts(*draws: float) -> Parts:
    left = list(draws)
    return Parts(now=ManualClock(), random=lambda: left.pop(0))


def test_the_only_destination_costs_no_draw() -> None:
    assert choose_by_weight(["a"], [0], parts())(call()) == "a"


def test_a_draw_falls_into_the_share_of_its_weight() -> None:
    two = choose_by_weight(["a", "b"], [9, 1], parts(0.0, 0.89, 0.9, 0.99))
    assert [two(call()) for _ in range(4)] == ["a", "a", "b", "b"]
    three = choose_by_weight(["a", "b", "c"], [1, 2, 1], parts(0.0, 0.24, 0.25, 0.74, 0.75, 1.0 - 2**-53))
    assert [three(call()) for _ in range(6)] == ["a", "a", "b", "b", "c", "c"]


def test_the_shares_are_the_weights() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    weights = [chance.randrange(1, 1000) for _ in range(7)]
    choose = choose_by_weight(range(7), weights, Parts(now=ManualClock(), random=chance.random))
    calls, exchange = 50_000, call()
    counts = Counter(choose(exchange) for _ in range(calls))
    for at, weight in enumerate(weights):
        share = weight / sum(weights)
        assert abs(counts[at] - calls * share) < 5.0 * sqrt(calls * share * (1.0 - share))


def test_the_drawn_destination_changes_headers_and_the_others_do_not() -> None:
    clock = ManualClock()
    changes = HeaderChanges(set={"x-to": "${path.id}"})
    paths = [PathMatch(template="/books/{id}")]
    one = Changed(cluster(now=clock), RuleDestination(service="a", request_headers=changes), paths)
    other = Changed(
        cluster(now=clock), RuleDestination(service="b", response_headers=HeaderChanges(remove=("x-of",))), []
    )
    rule = plan("rule")
    for destination in (one, other):
        destination.adopt(rule, None)
    choose = choosing_changed(choose_by_weight([one, other], [1, 1], parts(0.0, 0.9)))
    first, second = call("/books/7"), call("/books/7")
    assert (choose(first), choose(second)) == (one.cluster, other.cluster)
    assert (first.block, second.block) == (b"x-to: 7\r\n", b"")
    assert (first.plan, second.plan) == (one.plan, other.plan)
    assert first.plan is not None
    assert second.plan is not None
    assert (len(first.plan.response_filters), len(second.plan.response_filters)) == (0, 1)
    assert first.plan.rule == second.plan.rule == "rule"


def test_a_track_has_a_slot_of_its_own_and_the_rule_keeps_its(tmp_path: Path) -> None:
    counters = Counters(tmp_path / "one", max_series=10)
    rule = replace(plan("rule"), slot=counters.rule_slot("default/r", "rule"))
    canary = Changed(cluster(now=ManualClock()), RuleDestination(service="a", track="canary"), [])
    plain = Changed(cluster(now=ManualClock()), RuleDestination(service="b"), [])
    for destination in (canary, plain):
        destination.adopt(rule, counters)
    assert canary.plan is not None
    assert plain.plan is not None
    assert counters.rules[canary.plan.slot] == (rule.route, rule.rule, "canary")
    assert plain.plan.slot == rule.slot
    assert counters.rules[rule.slot] == (rule.route, rule.rule, "")
    counters.close()
