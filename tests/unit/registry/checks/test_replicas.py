from registry.checks.replicas import Replicas
from registry.live.memory import MemoryBus
from tests.parts.clock import ManualClock


def test_a_replica_alone_is_alive() -> None:
    one = Replicas(MemoryBus(), ManualClock())
    one.say()
    assert one.alive() == {one.own}


def test_replicas_know_each_other_until_one_is_not_heard_any_more() -> None:
    clock, ends = ManualClock(), list[MemoryBus]()
    one, two = (Replicas(MemoryBus(ends), clock) for _ in range(2))
    for _ in range(2):
        one.say()
        two.say()
        clock.advance(2.0)
    assert one.alive() == two.alive() == {one.own, two.own}
    clock.advance(3.9)
    one.say()
    assert one.alive() == {one.own, two.own}
    clock.advance(0.2)
    assert one.alive() == {one.own}
    assert two.alive() == {one.own, two.own}
    two.say()
    assert one.alive() == {one.own, two.own}


def test_while_the_bus_is_silent_those_last_known_count() -> None:
    clock, ends = ManualClock(), list[MemoryBus]()
    bus = MemoryBus(ends)
    one, two = Replicas(bus, clock), Replicas(MemoryBus(ends), clock)
    two.say()
    assert one.alive() == {one.own, two.own}
    bus.silent_since_s = clock.now_s
    clock.advance(60.0)
    assert one.alive() == {one.own, two.own}
    bus.silent_since_s = None
    assert one.alive() == {one.own, two.own}
    clock.advance(6.1)
    assert one.alive() == {one.own}
