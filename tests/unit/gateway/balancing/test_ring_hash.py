"""A caller keeps its endpoint; who leaves moves only its own callers."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from gateway.balancing.hash_key import compile_hash
from gateway.balancing.hash_members import Members
from gateway.balancing.ring_hash import AT_ONCE, LARGEST, RingHash, ring_points
from gateway.balancing.stable_hash import SPACE
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


def test_the_arcs_spread_as_256_points_an_endpoint_let_expect() -> None:
    """The share of an endpoint with k points has a relative deviation of 1/sqrt(k): 6 %."""
    places, owners = ring_points(Members.of(ready(endpoints(*[1] * 20))), 1024, LARGEST)
    arcs: Counter[str] = Counter()
    for at, (place, owner) in enumerate(zip(places, owners, strict=True)):
        arcs[owner.id] += (place - places[at - 1]) % SPACE
    shares = [arc * 20 / SPACE for arc in arcs.values()]
    assert sum(shares) == pytest.approx(20)
    assert max(shares) < 1.25
    assert min(shares) > 0.75


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


@pytest.mark.parametrize(("count", "points"), [(1, 256), (3, 256), (4, 256), (200, 256), (300, 128)])
def test_an_endpoint_keeps_its_number_of_points(count: int, points: int) -> None:
    places, owners = ring_points(Members.of(ready(endpoints(*[5] * count))), 1024, LARGEST)
    assert set(Counter(owners).values()) == {points}
    assert places == sorted(places)


def test_a_large_ring_is_laid_beside_the_loop_and_a_small_one_serves_until_then() -> None:
    waiting: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []
    hash_of = compile_hash("header", "x-user", random.random)
    balancer = RingHash(hash_of, 1024, 0.0, lambda make, take: waiting.append((make, take)))
    some = endpoints(*[1] * 100)
    assert len(set(placed(balancer, ready(some)))) > 90
    assert len(balancer._laid.places[0]) <= AT_ONCE
    make, take = waiting.pop()
    take(make())
    assert len(balancer._laid.places[0]) == 25_600


def test_one_endpoint_gets_all() -> None:
    (only,) = endpoints(1)
    assert set(placed(ring(), ready((only,)))) == {only}
