"""Rollout: a new version gets more of a rule's calls step by step, as long as it does no worse than the old one.

The registry alone acts on it: it writes the weights of the Route's rule (docs/internals/rollouts.md).
"""

from typing import Annotated, ClassVar, Final, Literal

from msgspec import Meta

from meshway.model.document import Label, Part, PortName, Spec
from meshway.units import Duration

# The tracks under which gateways count the calls of the rule's destinations.
STABLE: Final = "stable"
CONTROL: Final = "control"
CANARY: Final = "canary"
TRACKS: Final = (STABLE, CONTROL, CANARY)


class RolloutVersion(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One of the rule's destinations. namespace None: the document's own."""

    service: Label
    namespace: Label | None = None
    subset: Label | None = None
    port: PortName | None = None


class RolloutStep(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """weight_percent: of the rule's calls, for the canary. hold: at least so long, before the next step."""

    weight_percent: Annotated[float, Meta(gt=0, lt=100)]
    hold: Duration


class Judge(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=False):
    """By how much the canary may be worse than its control. failure_percent_increase: percentage points.

    minimum_requests: fewer calls of the canary, or of the control, make a step longer and decide nothing.
    confidence_percent: that a canary which is no worse is not taken for one that is, over the whole Rollout.
    """

    failure_percent_increase: Annotated[float, Meta(ge=0, lt=100)] = 1.0
    p99_increase_percent: Annotated[float, Meta(ge=0, le=10_000)] = 20.0
    minimum_requests: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 200
    confidence_percent: Annotated[float, Meta(ge=50, le=99.999)] = 99.0


class Rollout(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """stable, canary: the two destinations of the rule. control: `same_size` holds the canary against a slice of the
    stable version that gets as many calls, `none` against all calls of the stable version. auto_promote: after the last
    step all calls go to the canary; without it somebody's promotion is waited for."""

    plural: ClassVar[str] = "rollouts"

    route: Label
    rule: Label
    stable: RolloutVersion
    canary: RolloutVersion
    steps: Annotated[tuple[RolloutStep, ...], Meta(min_length=1, max_length=32)]
    control: Literal["same_size", "none"] = "same_size"
    judge: Judge = Judge()
    on_failure: Literal["abort", "hold"] = "abort"
    auto_promote: bool = True
