import pytest

from meshway.model.rollout import Rollout, RolloutStep, RolloutVersion
from meshway.model.rollout_state import Measures, RolloutState
from meshway.problem import Problem
from meshway.units import Duration
from registry.rollouts.transitions import ACTIONS, Action, asked, begun, failed, passed

STEPS = tuple(RolloutStep(weight_percent=weight, hold=Duration(60.0)) for weight in (1.0, 10.0, 50.0))
ROLLOUT = Rollout(
    route="r", rule="all", stable=RolloutVersion(service="a"), canary=RolloutVersion(service="b"), steps=STEPS
)
GOOD, BAD = Measures(verdict="same", reason="no difference"), Measures(verdict="worse", reason="failures 4 %")


def other(**changed: object) -> Rollout:
    fields = {name: getattr(ROLLOUT, name) for name in ROLLOUT.__struct_fields__}
    return Rollout(**(fields | changed))


def do(state: RolloutState, action: Action, rollout: Rollout = ROLLOUT) -> RolloutState:
    return asked(rollout, state, action, 200.0, Measures(), "ann", "")


def test_a_good_one_goes_through_all_steps_and_is_promoted() -> None:
    state, weights = begun(ROLLOUT, 7, 100.0), []
    while not state.is_over:
        weights.append(state.weight_percent)
        state = passed(ROLLOUT, state, state.step_at + 60.0, GOOD)
    assert weights == [1.0, 10.0, 50.0]
    assert (state.phase, state.weight_percent, state.document) == ("promoted", 100.0, 7)
    assert [record.weight_percent for record in state.passed] == weights
    assert [(event.what, event.weight_percent) for event in state.events] == [
        ("started", 1.0),
        ("step", 10.0),
        ("step", 50.0),
        ("promoted", 100.0),
    ]


def test_the_last_step_waits_for_somebody_where_the_document_says_so() -> None:
    rollout = other(auto_promote=False, steps=STEPS[:1])
    state = passed(rollout, begun(rollout, 1, 100.0), 200.0, GOOD)
    assert (state.phase, state.weight_percent) == ("waiting", 1.0)
    assert do(state, "promote", rollout).phase == "promoted"
    assert failed(rollout, state, 300.0, BAD).phase == "aborted"


def test_a_bad_one_is_aborted_or_held_as_the_document_says() -> None:
    state = passed(ROLLOUT, begun(ROLLOUT, 1, 100.0), 160.0, GOOD)
    aborted = failed(ROLLOUT, state, 200.0, BAD)
    assert (aborted.phase, aborted.weight_percent, aborted.reason) == ("aborted", 0.0, "failures 4 %")
    assert aborted.passed[-1].measures == BAD
    held = failed(other(on_failure="hold"), state, 200.0, BAD)
    assert (held.phase, held.weight_percent, held.step) == ("holding", 10.0, 1)


def test_people_hold_and_skip_and_the_time_line_says_who() -> None:
    state = begun(ROLLOUT, 1, 100.0)
    held = do(state, "hold")
    assert (held.phase, held.events[-1].by) == ("holding", "ann")
    with pytest.raises(Problem, match="held by hand"):
        do(held, "hold")
    on = do(held, "skip")
    assert (on.phase, on.step, on.step_at, on.weight_percent) == ("running", 1, 200.0, 10.0)
    last = do(do(on, "skip"), "skip")
    assert (last.phase, last.weight_percent) == ("promoted", 100.0)
    assert do(on, "abort").weight_percent == 0.0


@pytest.mark.parametrize("action", ACTIONS)
def test_nothing_is_done_to_one_that_is_over(action: Action) -> None:
    for over in (do(begun(ROLLOUT, 1, 100.0), "abort"), do(begun(ROLLOUT, 1, 100.0), "promote")):
        with pytest.raises(Problem) as refused:
            do(over, action)
        assert (refused.value.status, refused.value.code) == (409, "rollout_over")
