"""RateLimit: how much. All limits that apply to a call must admit it."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from meshway.model.document import Part, Spec, Target
from meshway.units import Duration, Rate


class TokenBucket(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Refills at `rate` up to `burst`; starts full."""

    rate: Rate
    burst: Annotated[int, Meta(ge=1)] | None = None


class SlidingWindow(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """At most `limit` calls in any `window`. segments: how fine calls are counted: a call counts for up to
    window · (1 + 1 / segments). exact: the moment of every call is kept instead."""

    limit: Annotated[int, Meta(ge=1)]
    window: Duration
    segments: Annotated[int, Meta(ge=1, le=60)] = 10
    exact: bool = False


class LimitResponse(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a refused caller gets; headers: RateLimit, RateLimit-Policy and Retry-After. body: text in place of the
    problem document."""

    status: Annotated[int, Meta(ge=400, le=599)] = 429
    body: Annotated[str, Meta(max_length=65_536)] | None = None
    headers: bool = True


class RateLimit(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How many calls one key may make, by one algorithm. max_wait, max_queue: how long and how many calls of a key wait
    for their turn, instead of being refused. scope: who counts together. on_store_failure: what becomes of calls while
    nobody can say what the others have counted.

    key: parts joined: `source_ip service route rule method path.NAME header.NAME query.NAME constant`; none: a bucket a
    target.
    """

    plural: ClassVar[str] = "rate-limits"
    unsupported: ClassVar[frozenset[str]] = frozenset({"quota", "in_flight", "match", "cost"})

    targets: tuple[Target, ...] = ()
    key: Annotated[tuple[str, ...], Meta(max_length=8)] = ()
    token_bucket: TokenBucket | None = None
    sliding_window: SlidingWindow | None = None
    on_missing_key: Literal["skip", "reject", "shared"] = "shared"
    scope: Literal["mesh", "gateway"] = "mesh"
    on_store_failure: Literal["local_share", "open", "closed"] = "local_share"
    mode: Literal["enforce", "audit"] = "enforce"
    max_wait: Duration = field(default_factory=lambda: Duration(0.0))
    max_queue: Annotated[int, Meta(ge=1, le=1000)] = 100
    max_keys: Annotated[int, Meta(ge=1, le=1_000_000)] = 100_000
    response: LimitResponse = LimitResponse()
