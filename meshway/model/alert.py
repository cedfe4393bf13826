"""Alert: what people should know of, asked of numbers and states every 10 s, and how they are told."""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from meshway.model.document import Label, Part, Spec
from meshway.units import Duration

Severity = Literal["info", "warning", "critical"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Receivers = Annotated[tuple[Label, ...], Meta(max_length=16)]
CLOCK_PATTERN = r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)"


class MuteTime(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """When nobody is told, though the alert fires. days: of the week on which it begins; none: all. from, to: times of
    day, `22:00`; to before from: on the next day. timezone: a name of the IANA database."""

    days: Annotated[tuple[Day, ...], Meta(max_length=7)] = ()
    from_: Annotated[str, Meta(pattern=CLOCK_PATTERN)] = msgspec.field(name="from", default="00:00")
    to: Annotated[str, Meta(pattern=CLOCK_PATTERN)] = "00:00"
    timezone: Annotated[str, Meta(min_length=1, max_length=64)] = "UTC"


class Alert(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """query: what has to hold (alert_query.py); the document of what is built in may leave it out. for: so long, until
    it fires; None: 1m, or what the query ends with.
    keep_firing: so long after it held last. no_data: what a value that cannot be told means. minimum_requests: of fewer
    calls ratios and percentiles are no data. labels: of the alert, beside those of its query. summary: with `${value}`,
    `${revision}` and `${LABEL}`. receivers: who is told; none: Receiver mesh/default. mute: when nobody is told."""

    plural: ClassVar[str] = "alerts"

    query: Annotated[str, Meta(max_length=1_000)] = ""
    for_: Duration | None = msgspec.field(name="for", default=None)
    keep_firing: Duration = msgspec.field(default_factory=lambda: Duration(60.0))
    no_data: Literal["keep", "resolve", "fire"] = "keep"
    minimum_requests: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 20
    severity: Severity = "warning"
    labels: dict[str, str] = {}
    summary: Annotated[str, Meta(max_length=500)] = ""
    runbook_url: Annotated[str, Meta(max_length=1_024)] = ""
    receivers: Receivers = ()
    mute: Annotated[tuple[MuteTime, ...], Meta(max_length=16)] = ()
    enabled: bool = True
