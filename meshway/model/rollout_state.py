"""RolloutState: how far a Rollout of the same name is. The registry itself writes it, in the revisions in which it
writes weights, so that a step and its weights are there together or not at all. Nobody else writes it.
"""

from typing import Annotated, ClassVar, Final, Literal

from msgspec import Meta

from meshway.model.document import Part, Spec

# running: its steps go on by themselves. holding: somebody, or the judge, has stopped it at its weights. waiting: all
# steps are passed, and somebody must promote it. The other two are over.
Phase = Literal["running", "holding", "waiting", "promoted", "aborted"]
OVER: Final[frozenset[Phase]] = frozenset({"promoted", "aborted"})
Verdict = Literal["better", "same", "worse", "not_enough_data"]
MOST_EVENTS: Final = 200


class Arm(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=False):
    """Calls of one track in a step. low, high: of the interval in which the value lies, at the step's confidence,
    whenever one looks; p99 in milliseconds, null where there were too few calls."""

    calls: int = 0
    failed: int = 0
    failure_percent: float = 0.0
    failure_low: float = 0.0
    failure_high: float = 100.0
    p99_ms: float | None = None
    p99_low: float | None = None
    p99_high: float | None = None


class Measure(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=False):
    """difference: of the canary to its control, percentage points of failures or percent of p99; low, high: of its
    interval. allowed: the most it may be. evidence: how far the odds speak against the canary, in natural logarithms;
    at `needed` they decide."""

    name: Literal["failures", "p99"]
    verdict: Verdict = "not_enough_data"
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    allowed: float = 0.0
    evidence: float = 0.0
    needed: float = 0.0


class Measures(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=False):
    """Of a step. verdict: the worst of its measures'. measured_percent: the canary's share of the rule's calls."""

    verdict: Verdict = "not_enough_data"
    reason: str = ""
    measured_percent: float | None = None
    canary: Arm = Arm()
    control: Arm = Arm()
    measures: tuple[Measure, ...] = ()


class StepRecord(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=False):
    """A step that is over. begun_at, ended_at: seconds since 1970."""

    step: int
    weight_percent: float
    begun_at: float
    ended_at: float
    measures: Measures = Measures()


class RolloutEvent(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=False):
    """at: seconds since 1970. weight_percent: the canary's from then on. by: who did it; "": the Rollout itself."""

    at: float
    what: Literal["started", "step", "held", "waiting", "skipped", "promoted", "aborted"]
    weight_percent: float
    by: str = ""
    reason: str = ""


class RolloutState(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """step: the running one, from 0. step_at: when it began, seconds since 1970. weight_percent: the canary's now.

    document: the revision of the Rollout that began. passed: steps that are over. events: the youngest MOST_EVENTS.
    """

    plural: ClassVar[str] = "rollout-states"

    phase: Phase
    document: Annotated[int, Meta(ge=0)]
    step: Annotated[int, Meta(ge=0)] = 0
    step_at: float = 0.0
    begun_at: float = 0.0
    weight_percent: float = 0.0
    reason: str = ""
    passed: tuple[StepRecord, ...] = ()
    events: tuple[RolloutEvent, ...] = ()

    @property
    def is_over(self) -> bool:
        return self.phase in OVER
