"""AccessLog: which calls have a line in a gateway's log, what it tells, where it goes, and what the registry keeps.

Of all documents that reach a call the one with the narrowest target holds, whole.
"""

from typing import Annotated, ClassVar, Final, Literal

import msgspec
from msgspec import Meta

from meshway.model.document import Part, Spec, Target
from meshway.model.match import Match
from meshway.model.otlp import Otlp
from meshway.units import Duration, Size

Percent = Annotated[float, Meta(ge=0, le=100)]
# What a line has anyhow; docs/guide/observability.md tells of each.
LINE_FIELDS: Final = (
    "time", "duration_ms", "first_byte_ms", "listener", "peer", "principal", "method", "authority", "path", "route",
    "rule", "service", "instance", "status", "flag", "reason", "attempts", "bytes_in", "bytes_out", "request_id",
    "trace_id", "protocol", "policy", "detail", "attempts_detail",
)  # fmt: skip


class LogMatch(Match, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """status: codes and ranges of codes (`500-599`). flags: `any`, or response flags of which the call has one.
    slower_than: to the end of the answer."""

    status: Annotated[tuple[int | str, ...], Meta(max_length=32)] = ()
    flags: Literal["any"] | Annotated[tuple[str, ...], Meta(max_length=32)] = ()
    slower_than: Duration | None = None


class LogRule(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """percent: of the calls that match, which have a line."""

    match: LogMatch = msgspec.field(default_factory=LogMatch)
    percent: Percent


class LogKeep(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the registry gets, whatever the rules say. errors: percent of the calls that failed. slower_than: all that
    took longer. rest_percent: of all others."""

    errors: Percent = 100.0
    slower_than: Duration = msgspec.field(default_factory=lambda: Duration(1.0))
    rest_percent: Percent = 1.0


class LogSink(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Exactly one. file: below `log` in the gateway's data folder. socket: a Unix stream socket; otlp: a collector;
    both for documents of namespace `mesh`."""

    file: Annotated[str, Meta(min_length=1, max_length=255)] | None = None
    socket: Annotated[str, Meta(min_length=1, max_length=100, pattern="^/")] | None = None
    otlp: Otlp | None = None


class AccessLog(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """rules: the first that matches; no rule: the call has a line. add: by the name of a field, where it is from:
    `header.NAME`, `response_header.NAME`, `claim.NAME`, `query.NAME`, or a text. drop: fields that are left out. sinks:
    none: the gateway's own file. mask: RE2 expressions, what fits them in an added value is shown as `***`. buffer:
    bytes of a worker that wait for a sink, the oldest are dropped and counted."""

    plural: ClassVar[str] = "access-logs"

    targets: tuple[Target, ...] = ()
    format: Literal["json", "combined"] = "json"
    add: dict[str, str] = {}
    drop: Annotated[tuple[str, ...], Meta(max_length=32)] = ()
    rules: Annotated[tuple[LogRule, ...], Meta(max_length=16)] = ()
    keep: LogKeep = msgspec.field(default_factory=LogKeep)
    sinks: Annotated[tuple[Literal["stdout"] | LogSink, ...], Meta(max_length=4)] = ()
    query: Literal["drop", "names", "full"] = "drop"
    address: Literal["full", "prefix", "drop"] = "full"
    mask: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=512)], ...], Meta(max_length=16)] = ()
    buffer: Size = msgspec.field(default_factory=lambda: Size(4 << 20))


def status_codes(written: int | str) -> range:
    """`503`, `"500-599"`. Raises ValueError."""
    first, dash, last = str(written).partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()):
        raise ValueError(f"{written} is no status: write 503 or 500-599")
    codes = range(int(first), int(last or first) + 1)
    if not codes or codes.start < 100 or codes.stop > 600:
        raise ValueError(f"{written}: statuses are 100 to 599")
    return codes
