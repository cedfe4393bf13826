"""How far a Rollout is, and what comes next: from one state to another. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from meshway.model.rollout_state import MOST_EVENTS, Measures, RolloutEvent, RolloutState, StepRecord
from meshway.problem import Problem

if TYPE_CHECKING:
    from meshway.model.rollout import Rollout

Action = Literal["promote", "hold", "abort", "skip"]
ACTIONS: Final[tuple[Action, ...]] = ("promote", "hold", "abort", "skip")
_ALL: Final = 100.0


def begun(rollout: Rollout, document: int, at: float) -> RolloutState:
    """document: its revision. at: seconds since 1970."""
    first = rollout.steps[0].weight_percent
    return RolloutState(
        phase="running",
        document=document,
        step_at=at,
        begun_at=at,
        weight_percent=first,
        events=(RolloutEvent(at=at, what="started", weight_percent=first),),
    )


def passed(rollout: Rollout, state: RolloutState, at: float, measures: Measures) -> RolloutState:
    """The step has been held long enough, and the canary is no worse."""
    if state.step + 1 < len(rollout.steps):
        return _next_step(rollout, state, at, measures, "step", "", measures.reason)
    if rollout.auto_promote:
        return _over(state, at, measures, "promoted", "", "all steps are passed")
    reason = "all steps are passed, and it is not promoted by itself"
    return _moved(state, at, "waiting", "waiting", state.weight_percent, reason)


def failed(rollout: Rollout, state: RolloutState, at: float, measures: Measures) -> RolloutState:
    """The canary is worse."""
    if rollout.on_failure == "abort":
        return _over(state, at, measures, "aborted", "", measures.reason)
    return _moved(state, at, "holding", "held", state.weight_percent, measures.reason)


def asked(
    rollout: Rollout, state: RolloutState, action: Action, at: float, measures: Measures, by: str, reason: str
) -> RolloutState:
    """by: who asks. Raises Problem 409 where there is nothing to do it to."""
    if state.is_over:
        raise Problem(
            409,
            "rollout_over",
            "The Rollout is over",
            detail=f"it was {state.phase}: {state.reason}",
            mend="write it anew to begin once more: delete it and apply it, or change it",
        )
    match action:
        case "promote":
            return _over(state, at, measures, "promoted", by, reason or "promoted by hand")
        case "abort":
            return _over(state, at, measures, "aborted", by, reason or "aborted by hand")
        case "hold":
            if state.phase == "holding":
                raise Problem(
                    409,
                    "rollout_held",
                    "The Rollout is held already",
                    detail=state.reason,
                    mend="promote it, abort it, or skip the step to go on",
                )
            return _moved(state, at, "holding", "held", state.weight_percent, reason or "held by hand", by)
        case "skip":
            reason = reason or "skipped by hand"
            if state.step + 1 < len(rollout.steps):
                return _next_step(rollout, state, at, measures, "skipped", by, reason)
            return _over(state, at, measures, "promoted", by, reason)


def _next_step(
    rollout: Rollout,
    state: RolloutState,
    at: float,
    measures: Measures,
    what: Literal["step", "skipped"],
    by: str,
    reason: str,
) -> RolloutState:
    weight = rollout.steps[state.step + 1].weight_percent
    following = _moved(_recorded(state, at, measures), at, "running", what, weight, reason, by)
    return msgspec.structs.replace(following, step=state.step + 1, step_at=at, reason="")


def _over(
    state: RolloutState, at: float, measures: Measures, phase: Literal["promoted", "aborted"], by: str, reason: str
) -> RolloutState:
    weight = _ALL if phase == "promoted" else 0.0
    return _moved(_recorded(state, at, measures), at, phase, phase, weight, reason, by)


def _moved(
    state: RolloutState,
    at: float,
    phase: Literal["running", "holding", "waiting", "promoted", "aborted"],
    what: Literal["step", "held", "waiting", "skipped", "promoted", "aborted"],
    weight: float,
    reason: str,
    by: str = "",
) -> RolloutState:
    event = RolloutEvent(at=at, what=what, weight_percent=weight, by=by, reason=reason)
    return msgspec.structs.replace(
        state, phase=phase, weight_percent=weight, reason=reason, events=(*state.events, event)[-MOST_EVENTS:]
    )


def _recorded(state: RolloutState, at: float, measures: Measures) -> RolloutState:
    record = StepRecord(
        step=state.step,
        weight_percent=state.weight_percent,
        begun_at=state.step_at,
        ended_at=at,
        measures=measures,
    )
    return msgspec.structs.replace(state, passed=(*state.passed, record))
