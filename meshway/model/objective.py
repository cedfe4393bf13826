"""Objective: how many calls are to be good, and at which pace of spending the rest people are told.

Burn rates over two windows each, as The Site Reliability Workbook has it (chapter 5): the long one says that it counts,
the short one that it goes on.
"""

from typing import Annotated, ClassVar, Final

import msgspec
from msgspec import Meta

from meshway.model.alert import Receivers, Severity
from meshway.model.document import Label, Part, Spec
from meshway.units import Duration


class ObjectiveTarget(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Exactly one of service and route (with rule)."""

    service: Label | None = None
    route: Label | None = None
    rule: Label | None = None


class Availability(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """bad: classes of statuses (`5xx`) and response flags; a call that has one of them is bad."""

    bad: Annotated[tuple[str, ...], Meta(min_length=1, max_length=32)] = ("5xx", "UH", "UF", "UT", "UO")


class Latency(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """under: calls that take longer are bad, to the end of their answer."""

    under: Duration


class Indicator(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Exactly one."""

    availability: Availability | None = None
    latency: Latency | None = None


class BurnWindow(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """budget_percent: of the whole window's budget spent within `long`, and at the same pace within `short`."""

    budget_percent: Annotated[float, Meta(gt=0, le=100)]
    long: Duration
    short: Duration
    severity: Severity = "critical"


BURN: Final[tuple[BurnWindow, ...]] = (
    BurnWindow(budget_percent=2.0, long=Duration(3_600.0), short=Duration(300.0), severity="critical"),
    BurnWindow(budget_percent=5.0, long=Duration(21_600.0), short=Duration(1_800.0), severity="critical"),
    BurnWindow(budget_percent=10.0, long=Duration(86_400.0), short=Duration(7_200.0), severity="warning"),
    BurnWindow(budget_percent=10.0, long=Duration(259_200.0), short=Duration(21_600.0), severity="warning"),
)


class Objective(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """target_percent: of calls that are to be good over `window`. minimum_requests: of fewer in a long window nothing
    is told. burn: at which pace people are told. receivers: who; none: Receiver mesh/default."""

    plural: ClassVar[str] = "objectives"

    target: ObjectiveTarget
    indicator: Indicator
    target_percent: Annotated[float, Meta(ge=50, le=99.999)] = 99.9
    window: Duration = msgspec.field(default_factory=lambda: Duration(2_592_000.0))
    minimum_requests: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 100
    burn: Annotated[tuple[BurnWindow, ...], Meta(min_length=1, max_length=6)] = msgspec.field(
        default_factory=lambda: BURN
    )
    receivers: Receivers = ()


def factor_of(burn: BurnWindow, window_s: float) -> float:
    """How many times faster than what the budget would bear to its end: 720h: 14.4, 6, 3, 1."""
    return burn.budget_percent / 100.0 * window_s / burn.long
