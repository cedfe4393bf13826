from pathlib import Path

import pytest

from loadtest.micro import policies
from loadtest.micro.policies import POLICIES, Policy, changes_of, costs
from loadtest.micro.relay import ANSWER, Bench


def test_every_policy_is_one_that_gateways_take_and_lets_the_call_through() -> None:
    assert list(costs(calls=3, rounds=1)) == [policy.name for policy in POLICIES]


def test_every_policy_is_told_from_none() -> None:
    plain = [(change.kind, change.value) for change in changes_of(Policy("nothing"))]
    for policy in POLICIES:
        assert [(change.kind, change.value) for change in changes_of(policy)] != plain, policy.name
    assert len({policy.name for policy in POLICIES}) == len(POLICIES)


def test_a_call_that_fails_is_no_measure(tmp_path: Path) -> None:
    bench = Bench(changes_of(Policy("nothing")), tmp_path)
    bench.round([policies.REQUEST % ((1,) * 5)], ANSWER.replace(b"200 OK", b"503 No"))
    with pytest.raises(AssertionError):
        bench.close()


def test_the_cost_is_the_median_of_the_differences_within_the_rounds() -> None:
    assert policies._median_difference([5.0, 9.0, 7.0], [4.0, 4.0, 4.0]) == 3.0


def test_a_long_answer_is_whole() -> None:
    assert policies.LONG.startswith(ANSWER.partition(b"Content-Length")[0])
    head, _, body = policies.LONG.partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % len(body) in head
