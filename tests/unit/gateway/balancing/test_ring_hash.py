"""A caller keeps its endpoint; who leaves moves only its own callers."""

import random
from collections import Counter

import pytest

from gateway.balancing.hash_key import compile_hash
from gateway.balancing.ring_hash import LARGEST, POINTS, RingHash, points_per_weight
from gateway.upstream.eligible import Eligible
from gateway.upstream.endpoint import Endpoint
from tests.parts.calls import call
from tests.parts.endpoints import endpoints, ready

CALLS = [call(headers={"X-User": str(number)}) for number in range(4_000)]


def ring(size: int = 1024, bound: float = 0.0) -> RingHash:
    return RingHash(compile_hash("header", "x-user", random.random), size, bound, lambda make, take: take(make()))


def placed(balancer: RingHash, eligible: Eligible) -> list[Endpoint]:
    pick = balancer(eligible)
    return [pick(one) for one in CALLS]


def test_every_worker_places_a_caller_alike() -> None:
    some = ready(endpoints(1, 1, 1))
    other = ready(endpoints(1, 1, 1))
    assert [one.id for one in placed(ring(), some)] == [one.id for one in placed(ring(), other)]


def test_the_spread_is_what_a_hundred_points_an_endpoint_give() -> None:
    some = endpoints(*[1] * 20)
    counts = Counter(one.id for one in placed(ring(POINTS * 20), ready(some)))
    assert max(counts.values()) / (len(CALLS) / 20) < 1.45
    assert min(counts.values()) / (len(CALLS) / 20) > 0.6


def test_weights_have_their_share_of_the_ring() -> None:
    counts = Counter(one.id for one in placed(ring(4096), ready(endpoints(1, 3))))
    assert counts["2"] / len(CALLS) == pytest.approx(0.75, abs=0.06)


def test_one_that_leaves_moves_its_own_callers_alone_and_finds_them_again() -> None:
    some = endpoints(*[1] * 10)
    balancer = ring()
    before = placed(balancer, ready(some))
    after = placed(balancer, ready(some[:4] + some[5:]))
    moved = [(old, new) for old, new in zip(before, after, strict=True) if old is not new]
    assert {old.id for old, _ in moved} == {"5"}
    assert len({new.id for _, new in moved}) >= 5, "its callers are divided among the others"
    assert placed(balancer, ready(some)) == before


def test_one_that_is_ejected_keeps_its_places() -> None:
    some = endpoints(*[1] * 10)
    balancer = ring()
    before = placed(balancer, ready(some))
    kept = balancer._laid.places
    after = placed(balancer, ready(some[1:], away=(some[0],)))
    assert balancer._laid.places is kept
    assert all(new is old or old is some[0] for old, new in zip(before, after, strict=True))
    assert some[0] not in after


def test_with_a_bound_nobody_runs_more_than_its_share_of_one_hot_key() -> None:
    some = endpoints(1, 1, 1, 1)
    pick = ring(bound=1.25)(ready(some))
    for _ in range(100):
        pick(CALLS[0]).in_flight += 1
    assert max(one.in_flight for one in some) <= 32, "ceil(1.25 * 100 / 4)"
    assert max(one.in_flight for one in some) >= 31, "the key's own endpoint is asked first"


@pytest.mark.parametrize(
    ("total", "size", "points"), [(10, 1024, 128), (9, 1024, 128), (300, 1024, 4), (10**6, 1024, 2**-9)]
)
def test_an_endpoint_keeps_its_number_of_points(total: int, size: int, points: float) -> None:
    assert points_per_weight(total, size) == points
    assert size <= points * total <= LARGEST


def test_one_endpoint_gets_all() -> None:
    (only,) = endpoints(1)
    assert set(placed(ring(), ready((only,)))) == {only}
