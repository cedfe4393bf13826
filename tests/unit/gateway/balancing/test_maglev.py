"""The properties of the published table: even shares, few moves, a prime size; and it is never waited for."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from gateway.balancing.hash_key import compile_hash
from gateway.balancing.hash_members import Members
from gateway.balancing.maglev import Maglev, fill, table_size
from gateway.upstream.eligible import Eligible
from gateway.upstream.endpoint import Endpoint
from tests.parts.calls import call
from tests.parts.endpoints import endpoints, ready

CALLS = [call(headers={"X-User": str(number)}) for number in range(2_000)]


def at_once(make: Callable[[], Any], take: Callable[[Any], None]) -> None:
    take(make())


def maglev(bound: float = 0.0, size: int = 0, aside: Any = at_once) -> Maglev:
    return Maglev(compile_hash("header", "x-user", random.random), size, bound, aside)


def table(some: tuple[Endpoint, ...], size: int) -> list[Endpoint]:
    return fill(Members.of(ready(some)), size)


def placed(balancer: Maglev, eligible: Eligible) -> list[Endpoint]:
    pick = balancer(eligible)
    return [pick(one) for one in CALLS]


@pytest.mark.parametrize(
    ("count", "size"), [(1, 1009), (10, 1009), (11, 8191), (81, 8191), (82, 65_537), (1000, 65_537)]
)
def test_the_table_has_a_prime_size_and_where_it_can_a_hundred_places_an_endpoint(count: int, size: int) -> None:
    assert table_size(count) == size
    assert all(size % divisor for divisor in range(2, 257)), "a prime"


@pytest.mark.parametrize("count", [3, 7, 20])
def test_places_of_equal_endpoints_differ_by_one_at_most(count: int) -> None:
    counts = Counter(one.id for one in table(endpoints(*[1] * count), table_size(count)))
    assert len(counts) == count
    assert max(counts.values()) - min(counts.values()) <= 1


def test_places_follow_the_weights() -> None:
    counts = Counter(one.id for one in table(endpoints(1, 2, 7), 1009))
    assert counts == {"1": pytest.approx(101, abs=2), "2": pytest.approx(202, abs=2), "3": pytest.approx(706, abs=2)}


def test_of_a_hundred_endpoints_one_that_leaves_moves_little_beyond_its_own() -> None:
    some = endpoints(*[1] * 100)
    before, after = table(some, 10_007), table(some[:50] + some[51:], 10_007)
    moved = sum(old is not new for old, new in zip(before, after, strict=True))
    assert 0.010 <= moved / 10_007 < 0.035


def test_every_worker_fills_the_table_alike() -> None:
    first, second = table(endpoints(1, 2, 3), 307), table(endpoints(1, 2, 3), 307)
    assert [one.id for one in first] == [one.id for one in second]


def test_one_that_is_ejected_keeps_its_places_and_its_callers_are_divided() -> None:
    some = endpoints(*[1] * 6)
    balancer = maglev()
    before = placed(balancer, ready(some))
    during = placed(balancer, ready(some[1:], away=(some[0],)))
    moved = [(old, new) for old, new in zip(before, during, strict=True) if old is not new]
    assert {old.id for old, _ in moved} == {"1"}
    assert {new.id for _, new in moved} == {"2", "3", "4", "5", "6"}
    assert placed(balancer, ready(some)) == before


def test_a_large_table_is_filled_beside_the_loop_and_nobody_waits_for_it() -> None:
    waiting: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []
    balancer = maglev(aside=lambda make, take: waiting.append((make, take)))
    some = endpoints(*[1] * 40)
    assert len(Counter(one.id for one in placed(balancer, ready(some)))) == 40, "a small one serves at once"
    make, take = waiting.pop()
    full = make()
    take(full)
    assert len(full) == table_size(40)
    pick = balancer(ready(some[1:]))
    make, take = waiting.pop()
    first = [pick(one) for one in CALLS]
    assert some[0] not in first
    take(make())
    second = [pick(one) for one in CALLS]
    assert some[0] not in second
    moved = sum(old is not new for old, new in zip(first, second, strict=True))
    assert moved / len(CALLS) < 0.08


def test_a_table_that_comes_too_late_is_thrown_away() -> None:
    waiting: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []
    balancer = maglev(aside=lambda make, take: waiting.append((make, take)))
    some = endpoints(*[1] * 82)
    balancer(ready(some[:81]))
    balancer(ready(some))
    (old_make, old_take), (make, take) = waiting
    take(make())
    old_take(old_make())
    assert len(balancer._laid.places) == table_size(82)
    assert some[81] in balancer._laid.places


def test_when_all_are_replaced_the_new_ones_serve_at_once() -> None:
    waiting: list[tuple[Callable[[], Any], Callable[[Any], None]]] = []
    balancer = maglev(aside=lambda make, take: waiting.append((make, take)))
    some = endpoints(*[1] * 80)
    balancer(ready(some[:40]))
    assert set(placed(balancer, ready(some[40:]))) <= set(some[40:])


def test_with_a_bound_nobody_runs_more_than_its_share_of_one_hot_key() -> None:
    some = endpoints(1, 1, 1, 1)
    pick = maglev(bound=1.25)(ready(some))
    for _ in range(100):
        pick(CALLS[0]).in_flight += 1
    assert max(one.in_flight for one in some) <= 32, "ceil(1.25 * 100 / 4)"
    assert max(one.in_flight for one in some) >= 31, "the key's own endpoint is asked first"


def test_a_size_of_ones_own_is_kept() -> None:
    balancer = maglev(size=1009)
    balancer(ready(endpoints(1, 1)))
    assert len(balancer._laid.places) == 1009
