"""Each endpoint has a limit of its own: a call goes to one that has room, and is refused when none has."""

from dataclasses import replace

from gateway.upstream.cluster_settings import AdaptiveSettings
from gateway.upstream.endpoint_limits import EndpointLimits
from tests.parts.calls import call
from tests.parts.endpoints import endpoint

SETTINGS = AdaptiveSettings(
    tolerance=2.0, min_limit=2, max_limit=2, window_s=0.1, minimum_samples=5, policy="TrafficPolicy p"
)


def limits(settings: AdaptiveSettings = SETTINGS) -> EndpointLimits:
    return EndpointLimits("default/books", settings)


def test_a_call_goes_to_one_that_has_room_the_least_busy_first() -> None:
    all_three = (endpoint("a", in_flight=2), endpoint("b", in_flight=1), endpoint("c"))
    pick = limits().keeping(lambda _: all_three[0], all_three)
    assert pick(call()) is all_three[2]
    all_three[0].in_flight = 0
    assert pick(call()) is all_three[0], "the algorithm's pick has room"


def test_it_is_refused_when_none_has_room_and_only_then() -> None:
    some = (endpoint("a", in_flight=2), endpoint("b", in_flight=1))
    of = limits()
    assert of.admit(call(), some) is None
    some[1].in_flight = 2
    reply = of.admit(call(), some)
    assert reply is not None
    assert (reply.status, reply.reason, reply.policy) == (503, "overloaded", "TrafficPolicy p")
    assert "every instance" in reply.detail
    assert of.admit(call(), ()) is None, "that nobody is there is said elsewhere"


def test_who_was_let_in_before_and_waited_goes_where_the_algorithm_says() -> None:
    some = (endpoint("a", in_flight=2), endpoint("b", in_flight=2))
    assert limits().keeping(lambda _: some[1], some)(call()) is some[1]


def test_one_that_slows_down_under_load_gets_fewer_calls_than_one_that_does_not() -> None:
    of = limits(replace(SETTINGS, max_limit=1000))
    slow, quick = endpoint("slow"), endpoint("quick")
    exchange = call()
    for window in range(40):
        for each, servers in ((slow, 5), (quick, 1000)):
            limit = of.of(each)
            each.in_flight = int(limit.limit) if window >= 5 else 3
            limit.entered(each.in_flight)
            for _ in range(5):
                limit.observe(0.01 * max(each.in_flight / servers, 1.0), window * 0.2)
    assert of.of(slow).limit < 0.5 * of.of(quick).limit
    slow.in_flight = quick.in_flight = 1000
    assert of.with_room(exchange, (slow, quick)) == []
    quick.in_flight = 1
    assert of.with_room(exchange, (slow, quick)) == [quick]


def test_new_bounds_hold_at_once_and_what_was_learnt_stays() -> None:
    of, one = limits(), endpoint("a")
    assert of.of(one).limit == 2
    of.configure(replace(SETTINGS, min_limit=7, max_limit=9), (one,))
    assert of.of(one).limit == 7
