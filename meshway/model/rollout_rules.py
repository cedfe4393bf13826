"""What must hold inside a Rollout."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from meshway.model.rollout import Rollout, RolloutStep
from meshway.model.rule_kit import BlockRule, Finding, bounded

# A hundredth of a percent: weights are whole numbers.
_FINEST: Final = 100


def _two_versions(part: Any) -> Iterator[Finding]:
    if part.stable == part.canary:
        yield Finding(".canary", "forbidden_combination", "is what stable is: there would be nothing to tell apart")


def _growing(part: Any) -> Iterator[Finding]:
    last = 0.0
    for at, step in enumerate(part.steps):
        if step.weight_percent <= last:
            reason = f"{step.weight_percent:g} % is not above the {last:g} % of the step before"
            yield Finding(f".steps[{at}].weight_percent", "forbidden_combination", reason)
        last = step.weight_percent


def _whole(part: Any) -> Iterator[Finding]:
    hundredths = part.weight_percent * _FINEST
    if abs(hundredths - round(hundredths)) > 1e-6 or round(hundredths) < 1:
        reason = f"{part.weight_percent:g} is no whole number of hundredths of a percent"
        yield Finding(".weight_percent", "out_of_bounds", reason)


ROLLOUT_RULES: Final[Mapping[type[msgspec.Struct], tuple[BlockRule, ...]]] = {
    Rollout: (BlockRule(("stable", "canary"), _two_versions), BlockRule(("steps",), _growing)),
    RolloutStep: (
        bounded("hold", low=10.0, high=30 * 86_400.0, zero=False),
        BlockRule(("weight_percent",), _whole),
    ),
}
