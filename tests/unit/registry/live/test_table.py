import random

from registry.live.interface import CRITICAL, Lease
from registry.live.table import LeaseTable
from tests.parts.clock import ManualClock


def lease(number: int, ttl_s: int = 10, at: float = 100.0, generation: int = 1, token: str = "t") -> Lease:
    return Lease(
        lease_id=f"{number}-{generation}-{token}",
        number=number,
        generation=generation,
        namespace="default",
        service="books",
        id=f"b{number}",
        zone="",
        ttl_s=ttl_s,
        expires_s=at + ttl_s,
    )


def test_a_lease_is_due_within_a_second_of_its_end_and_not_before() -> None:
    clock = ManualClock()
    live = LeaseTable(clock)
    live.start(lease(1))
    clock.advance(9.99)
    assert live.due() == []
    clock.advance(0.9)
    assert [one.number for one in live.due()] == [1]
    assert live.due() == []


def test_a_renewed_lease_is_not_due() -> None:
    clock = ManualClock()
    live = LeaseTable(clock)
    live.start(lease(1))
    for _ in range(10):
        clock.advance(8)
        assert live.renew(["1-1-t"]).count == 1
        assert live.due() == []
    clock.advance(11)
    assert len(live.due()) == 1


def test_a_superseded_lease_is_told_from_an_unknown_one() -> None:
    live = LeaseTable(ManualClock())
    live.start(lease(1))
    live.start(lease(1, generation=2, token="u"))
    renewed = live.renew(["1-1-t", "1-2-u", "2-1-t", "1-2-forged", "1-9-t", "", "x-y", "-", "²-1-t", "1-²-t", "9" * 30])
    assert renewed.count == 1
    assert renewed.superseded == ["1-1-t"]
    assert len(renewed.unknown) == 9


def test_a_critical_lease_is_not_renewed_but_handed_back() -> None:
    live = LeaseTable(ManualClock())
    one = lease(1)
    one.state = CRITICAL
    live.start(one)
    renewed = live.renew(["1-1-t"])
    assert (renewed.count, renewed.critical) == (0, [one])


def test_an_ended_lease_is_neither_due_nor_known() -> None:
    clock = ManualClock()
    live = LeaseTable(clock)
    live.start(lease(1))
    live.end(1)
    live.end(1)
    clock.advance(20)
    assert live.due() == []
    assert live.renew(["1-1-t"]).unknown == ["1-1-t"]
    assert len(live) == 0


def test_a_lease_that_is_put_back_twice_is_due_once() -> None:
    clock = ManualClock()
    live = LeaseTable(clock)
    one = lease(1)
    live.start(one)
    live.again(one)
    one.expires_s += 1
    live.again(one)
    clock.advance(30)
    assert live.due() == [one]


def test_a_clock_that_leaps_misses_no_lease() -> None:
    clock = ManualClock()
    live = LeaseTable(clock)
    for number in range(1, 100):
        live.start(lease(number, ttl_s=3 + number))
    clock.advance(100_000)
    assert len(live.due()) == 99


def test_no_lease_is_early_late_or_lost_whatever_the_order_of_renewals() -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    clock = ManualClock()
    live = LeaseTable(clock)
    ends: dict[int, float] = {}
    for number in range(1, 200):
        ttl_s = chance.randint(3, 20)
        live.start(lease(number, ttl_s=ttl_s, at=clock()))
        ends[number] = clock() + ttl_s
    gone: set[int] = set()
    for _ in range(2000):
        clock.advance(chance.uniform(0.0, 0.4))
        for one in live.due():
            assert one.number not in gone
            assert ends[one.number] <= clock()
            assert clock() - ends[one.number] < 1.0
            gone.add(one.number)
        number = chance.randint(1, 199)
        if number not in gone and clock() < ends[number]:
            found = live.find(number)
            assert found is not None
            live.renew([found.lease_id])
            ends[number] = clock() + found.ttl_s
    clock.advance(30)
    gone |= {one.number for one in live.due()}
    assert gone == set(range(1, 200))
