"""What people are told of a Rollout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from meshway.model.rollout import Judge, Rollout, RolloutVersion
from meshway.model.rollout_state import Measures, RolloutEvent, RolloutState
from registry.documents.rollouts import place_of, place_text
from registry.rollouts.rollouts import due_at

if TYPE_CHECKING:
    from registry.view.rows import DocumentRow


class StepTold(msgspec.Struct, frozen=True, kw_only=True):
    """state: `ahead` of it, or `left` where it went no further. measures: null: it has not begun, or nobody knows now.
    requests_needed: of the canary and of its control. begun_at, ended_at: seconds since 1970."""

    step: int
    weight_percent: float
    hold_s: float
    state: Literal["passed", "running", "ahead", "left"]
    requests_needed: int
    begun_at: float | None = None
    ended_at: float | None = None
    measures: Measures | None = None


class RolloutSummary(msgspec.Struct, frozen=True, kw_only=True):
    """phase: `starting` before its first weights are written. stable, canary: `namespace/service#subset:port`.

    step: from 0. weight_percent: of the canary, as asked for. revision: of its state, for If-Match; 0:
    it has none. due_at: when the running step has been held long enough, seconds since 1970. trouble: why it does not
    go on.
    """

    namespace: str
    name: str
    phase: Literal["starting", "running", "holding", "waiting", "promoted", "aborted"]
    route: str
    rule: str
    stable: str
    canary: str
    step: int
    step_count: int
    weight_percent: float
    reason: str
    revision: int
    begun_at: float | None = None
    due_at: float | None = None
    trouble: str = ""


class RolloutTold(RolloutSummary, frozen=True, kw_only=True):
    """events: what happened, the oldest first."""

    control: Literal["same_size", "none"]
    judge: Judge
    on_failure: Literal["abort", "hold"]
    auto_promote: bool
    steps: list[StepTold]
    events: list[RolloutEvent]


class RolloutPage(msgspec.Struct, frozen=True):
    items: list[RolloutSummary]


def summary_of(row: DocumentRow, state: RolloutState | None, revision: int, trouble: str) -> RolloutSummary:
    spec, (_, namespace, name) = row.spec, row.key
    assert isinstance(spec, Rollout)
    is_running = state is not None and state.phase == "running"
    return RolloutSummary(
        namespace=namespace,
        name=name,
        phase="starting" if state is None else state.phase,
        route=spec.route,
        rule=spec.rule,
        stable=_text(spec.stable, namespace),
        canary=_text(spec.canary, namespace),
        step=0 if state is None else state.step,
        step_count=len(spec.steps),
        weight_percent=0.0 if state is None else state.weight_percent,
        reason="" if state is None else state.reason,
        revision=revision,
        begun_at=None if state is None else state.begun_at,
        due_at=due_at(spec, state) if state is not None and is_running else None,
        trouble=trouble,
    )


def told_of(
    row: DocumentRow, state: RolloutState | None, revision: int, trouble: str, measures: Measures | None
) -> RolloutTold:
    """measures: of the running step."""
    spec = row.spec
    assert isinstance(spec, Rollout)
    return RolloutTold(
        **msgspec.structs.asdict(summary_of(row, state, revision, trouble)),
        control=spec.control,
        judge=spec.judge,
        on_failure=spec.on_failure,
        auto_promote=spec.auto_promote,
        steps=[_step(spec, at, state, measures) for at in range(len(spec.steps))],
        events=[] if state is None else list(state.events),
    )


def _step(spec: Rollout, at: int, state: RolloutState | None, measures: Measures | None) -> StepTold:
    step = spec.steps[at]
    told = StepTold(
        step=at,
        weight_percent=step.weight_percent,
        hold_s=float(step.hold),
        state="ahead",
        requests_needed=spec.judge.minimum_requests,
    )
    if state is None:
        return told
    record = next((one for one in state.passed if one.step == at), None)
    if record is not None:
        is_left = state.phase == "aborted" and at == state.step
        return msgspec.structs.replace(
            told,
            state="left" if is_left else "passed",
            begun_at=record.begun_at,
            ended_at=record.ended_at,
            measures=record.measures,
        )
    if at == state.step and not state.is_over:
        return msgspec.structs.replace(told, state="running", begun_at=state.step_at, measures=measures)
    return msgspec.structs.replace(told, state="left") if state.is_over else told


def _text(version: RolloutVersion, namespace: str) -> str:
    return place_text(place_of(version, namespace))
