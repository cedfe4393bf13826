from collections import Counter
from collections.abc import Iterable

from registry.leases.self_preservation import Group, SelfPreservation, read_notice, write_notice
from registry.live.interface import Lease


def leases(count: int, zone: str = "a", namespace: str = "default", ttl_s: int = 10, start: int = 0) -> list[Lease]:
    return [
        Lease(
            lease_id=f"{number}-1-t",
            number=number,
            generation=1,
            namespace=namespace,
            service="s",
            id=str(number),
            zone=zone,
            ttl_s=ttl_s,
            expires_s=0.0,
        )
        for number in range(start, start + count)
    ]


def guard() -> SelfPreservation:
    return SelfPreservation(percent=15.0, minimum=3, max_s=900.0)


def alive(**zones: int) -> Counter[Group]:
    return Counter({("default", zone): count for zone, count in zones.items()})


def counts(found: tuple[Iterable[Lease], Iterable[Lease]]) -> tuple[int, int]:
    expire, held = found
    return len(list(expire)), len(list(held))


def test_a_few_leases_expire() -> None:
    assert counts(guard().judge(leases(15), alive(a=100), 0.0)) == (15, 0)


def test_more_than_the_share_is_held() -> None:
    one = guard()
    assert counts(one.judge(leases(16), alive(a=100), 0.0)) == (0, 16)
    assert [(hold.namespace, hold.zone, hold.overdue) for hold in one.holds.values()] == [("default", "a", 16)]


def test_up_to_the_minimum_all_may_go_however_small_the_group() -> None:
    assert counts(guard().judge(leases(3), alive(a=3), 0.0)) == (3, 0)
    assert counts(guard().judge(leases(4), alive(a=4), 0.0)) == (0, 4)


def test_one_dead_zone_does_not_stop_the_others() -> None:
    due = leases(50, "a") + leases(2, "b", start=50)
    expire, held = guard().judge(due, alive(a=50, b=100), 0.0)
    assert {lease.zone for lease in expire} == {"b"}
    assert {lease.zone for lease in held} == {"a"}


def test_small_zones_together_trip_the_namespace() -> None:
    one = guard()
    due = [lease for at, zone in enumerate("abcd") for lease in leases(3, zone, start=10 * at)]
    assert counts(one.judge(due, alive(a=3, b=3, c=3, d=3), 0.0)) == (0, 12)
    assert next(iter(one.holds.values())).zone is None


def test_another_namespace_is_not_held() -> None:
    due = leases(50) + leases(2, namespace="shop", start=50)
    population = alive(a=50) + Counter({("shop", "a"): 100})
    expire, _ = guard().judge(due, population, 0.0)
    assert {lease.namespace for lease in expire} == {"shop"}


def test_a_slow_bleeding_within_one_ttl_trips_it_too() -> None:
    one = guard()
    assert counts(one.judge(leases(10), alive(a=100), 0.0)) == (10, 0)
    assert counts(one.judge(leases(6, start=10), alive(a=90), 5.0)) == (0, 6)


def test_what_went_longer_than_a_ttl_ago_is_forgotten() -> None:
    one = guard()
    one.judge(leases(10), alive(a=100), 0.0)
    assert counts(one.judge(leases(6, start=10), alive(a=90), 10.1)) == (6, 0)


def test_when_most_are_back_the_rest_have_their_ttl_to_come_back_in() -> None:
    one = guard()
    one.judge(leases(50), alive(a=100), 0.0)
    assert counts(one.judge(leases(5), alive(a=100), 5.0)) == (0, 5)
    assert [(hold.zone, hold.overdue) for hold in one.holds.values()] == [("a", 5)]
    assert counts(one.judge(leases(5), alive(a=100), 9.9)) == (0, 5)
    assert counts(one.judge(leases(5), alive(a=100), 10.0)) == (5, 0)
    assert one.holds == {}


def test_the_rest_have_each_the_ttl_of_their_own_lease() -> None:
    one = guard()
    due = leases(3) + leases(2, ttl_s=20, start=3)
    one.judge(leases(50), alive(a=100), 0.0)
    assert counts(one.judge(due, alive(a=100), 10.0)) == (3, 2)
    assert counts(one.judge(due[3:], alive(a=97), 20.0)) == (2, 0)


def test_the_hold_ends_by_itself_when_all_are_back() -> None:
    one = guard()
    one.judge(leases(50), alive(a=100), 0.0)
    assert counts(one.judge([], alive(a=100), 1.0)) == (0, 0)
    assert one.holds == {}
    assert counts(one.judge(leases(5), alive(a=100), 2.0)) == (5, 0)


def test_the_rest_of_many_small_zones_have_their_time_too() -> None:
    one = guard()
    due = [lease for at, zone in enumerate("abcd") for lease in leases(3, zone, start=10 * at)]
    one.judge(due, alive(a=10, b=10, c=10, d=10), 0.0)
    assert counts(one.judge(due[:5], alive(a=10, b=10, c=10, d=10), 4.0)) == (0, 5)
    assert counts(one.judge(due[:5], alive(a=10, b=10, c=10, d=10), 10.0)) == (5, 0)


def test_the_hold_ends_after_its_longest_time() -> None:
    one = guard()
    one.judge(leases(50), alive(a=100), 0.0)
    assert counts(one.judge(leases(50), alive(a=100), 899.0)) == (0, 50)
    assert counts(one.judge(leases(50), alive(a=100), 900.0)) == (50, 0)
    assert one.holds == {}
    # What the end of the hold let go does not hold the next ones.
    assert counts(one.judge(leases(1, start=50), alive(a=50), 901.0)) == (1, 0)


def test_the_time_of_the_rest_ends_with_the_longest_time_of_the_hold() -> None:
    one = guard()
    one.judge(leases(50), alive(a=100), 0.0)
    one.judge(leases(50), alive(a=100), 895.0)
    assert counts(one.judge(leases(5), alive(a=100), 899.0)) == (0, 5)
    assert counts(one.judge(leases(5), alive(a=100), 900.0)) == (5, 0)


def test_what_another_registry_held_goes_on_and_does_not_begin_anew() -> None:
    one, other = guard(), guard()
    one.judge(leases(50), alive(a=100), 1000.0)
    told = write_notice(one.holds.values(), 1500.0)
    other.resume(read_notice(told, 70.0))  # a clock of its own
    assert counts(other.judge(leases(50), alive(a=100), 70.0 + 399.0)) == (0, 50)
    assert counts(other.judge(leases(50), alive(a=100), 70.0 + 400.0)) == (50, 0)


def test_no_notice_is_no_hold() -> None:
    assert read_notice(b"", 5.0) == []
    assert read_notice(write_notice([], 5.0), 5.0) == []


def test_who_is_about_to_run_out_counts_as_soon_as_one_has() -> None:
    one = guard()
    assert counts(one.judge(leases(2), alive(a=100), 0.0, {("default", "a"): 15})) == (2, 0)
    assert counts(one.judge(leases(2), alive(a=98), 0.0, {("default", "a"): 14})) == (0, 2)
    assert [(hold.zone, hold.overdue) for hold in one.holds.values()] == [("a", 2)]


def test_nobody_overdue_is_no_hold_however_many_are_late() -> None:
    one = guard()
    assert counts(one.judge([], alive(a=100), 0.0, {("default", "a"): 100})) == (0, 0)
    assert one.holds == {}


def test_a_zone_that_is_about_to_be_held_does_not_hold_the_others() -> None:
    one = guard()
    due = leases(2, "b")
    assert counts(one.judge(due, alive(a=100, b=100), 0.0, {("default", "a"): 75, ("default", "b"): 2})) == (2, 0)
    assert one.holds == {}


def test_small_zones_together_count_who_is_late() -> None:
    one = guard()
    late = {("default", zone): 3 for zone in "abcd"}
    assert counts(one.judge(leases(1, "a"), alive(a=3, b=3, c=3, d=3), 0.0, late)) == (0, 1)
    assert next(iter(one.holds.values())).zone is None
