"""Telemetry: which calls are traced, whose word on that is taken, and where spans go.

Of all documents that reach a call the one with the narrowest target holds, whole; `otlp` is the whole gateway's.
"""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from meshway.model.access_log import Percent
from meshway.model.document import Part, Spec, Target
from meshway.model.otlp import Otlp
from meshway.units import Duration


class TraceTail(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Calls that are traced since of how they ended: what the gateway saw of them. errors: those that failed."""

    errors: bool = True
    slower_than: Duration = msgspec.field(default_factory=lambda: Duration(1.0))


class Traces(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """head_percent: of the calls that begin a trace, or whose caller's word is not taken. max_per_second: traced calls
    of a gateway, the others are counted. trust_incoming: whose sampled flag is taken: `mesh`: of callers inside, and of
    trusted proxies. attributes: of every span."""

    head_percent: Percent = 1.0
    max_per_second: Annotated[int, Meta(ge=0, le=10_000)] = 100
    tail: TraceTail = msgspec.field(default_factory=TraceTail)
    trust_incoming: Literal["mesh", "all", "none"] = "mesh"
    attributes: dict[str, str] = {}


class Telemetry(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """otlp: for documents of namespace `mesh` that have no targets; without one the registry keeps the spans."""

    plural: ClassVar[str] = "telemetries"

    targets: tuple[Target, ...] = ()
    traces: Traces = msgspec.field(default_factory=Traces)
    otlp: Otlp | None = None
