from gateway.exchange import Hold, Reply
from gateway.filters.fault import compile_filters
from gateway.plan import Parts
from meshway.model.match import Match
from meshway.model.rule_actions import Fault, FaultAbort, FaultDelay
from meshway.units import Duration
from tests.parts.calls import call
from tests.parts.clock import ManualClock


def parts(*draws: float, wall: float = 0.0) -> Parts:
    left = list(draws)
    return Parts(now=ManualClock(), random=lambda: left.pop(0), wall=lambda: wall)


def test_a_drawn_call_is_held_and_marked_and_the_others_pass() -> None:
    delay = Fault(delay=FaultDelay(fixed=Duration(2.0), percent=25.0))
    (step,) = compile_filters(delay, "rule a", parts(0.24, 0.25))
    drawn, other = call(), call()
    verdict = step.run(drawn)
    assert isinstance(verdict, Hold)
    assert (verdict.wait_s, drawn.flag, drawn.reason) == (2.0, "DI", "fault_delay")
    assert (step.run(other), other.flag) == (None, "")


def test_delay_and_abort_are_drawn_each_and_the_delay_comes_first() -> None:
    both = Fault(delay=FaultDelay(fixed=Duration(2.0)), abort=FaultAbort(status=500, percent=10.0))
    delay, abort = compile_filters(both, "rule a", parts(0.9, 0.05, 0.1))
    assert isinstance(delay.run(call()), Hold)
    reply = abort.run(call())
    assert isinstance(reply, Reply)
    assert (reply.status, reply.reason, reply.flag) == (500, "fault_abort", "FI")
    assert reply.detail == "rule a aborts 10 % of its calls on purpose"
    assert abort.run(call()) is None


def test_it_ends_when_its_time_is_over() -> None:
    fault = Fault(abort=FaultAbort(status=500), until="1970-01-01T00:01:00Z")
    (before,) = compile_filters(fault, "rule a", parts(0.0, wall=59.0))
    (after,) = compile_filters(fault, "rule a", parts(0.0, wall=60.0))
    assert isinstance(before.run(call()), Reply)
    assert after.run(call()) is None


def test_a_forecast_draws_nothing_and_tells_chance_as_what_it_is() -> None:
    both = Fault(delay=FaultDelay(fixed=Duration(2.0), percent=25.0), abort=FaultAbort(status=500))
    delay, abort = compile_filters(both, "rule a", parts())
    assert delay.forecast is not None
    assert abort.forecast is not None
    ((verdict, detail, _, _),) = delay.forecast(call())
    assert (verdict, detail) == ("may delay", "25 % of the calls wait 2 s")
    ((verdict, _, _, reply),) = abort.forecast(call())
    assert verdict == "refuse"
    assert reply is not None
    assert reply.status == 500


def test_only_calls_of_its_match_are_hit_and_the_others_draw_nothing() -> None:
    match = Match(headers={"x-chaos": "1"}, methods=("GET",))
    (step,) = compile_filters(Fault(abort=FaultAbort(status=500, percent=50.0), match=match), "rule a", parts(0.4, 0.6))
    meant = {"X-Chaos": "1"}
    assert isinstance(step.run(call(headers=meant)), Reply)
    assert step.run(call(headers={"X-Chaos": "2"})) is None
    assert step.run(call(headers=meant, method="POST")) is None
    assert step.run(call(headers=meant)) is None  # the second draw
    assert step.forecast is not None
    told = [step.forecast(call(headers=headers))[0].verdict for headers in (meant, {})]
    assert told == ["may refuse", "pass"]
