from gateway.relay.deadline import TICK_S, TimerWheel
from gateway.wire.multiplexed.slow_head import SlowHead


def test_what_comes_later_of_a_block_gives_it_no_more_time_and_the_next_one_has_its_own() -> None:
    ended: list[str] = []
    wheel = TimerWheel(0.0)
    slow = SlowHead(wheel, lambda: ended.append("end"))
    slow.watch(1.0)
    slow.watch(5.0)
    wheel.advance(1.0 + 2 * TICK_S)
    assert ended == ["end"]
    slow.rest()
    slow.watch(3.0)
    slow.rest()
    wheel.advance(4.0)
    assert ended == ["end"]
    slow.watch(6.0)
    wheel.advance(6.0 + 2 * TICK_S)
    assert ended == ["end", "end"]
