"""RateLimit: how much. All limits that apply to a call must admit it."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from meshway.model.document import Part, Spec, Target
from meshway.model.match import Match
from meshway.units import Duration, Rate, Size


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


class Quota(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """At most `limit` calls in a day or month of the calendar; the next one begins anew. timezone: a name of the IANA
    database, such as Europe/Paris, whose midnight counts."""

    limit: Annotated[int, Meta(ge=1, le=1_000_000_000_000)]
    per: Literal["day", "month"]
    timezone: Annotated[str, Meta(min_length=1, max_length=64)] = "UTC"


class InFlight(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """At most `max` calls at once: a call counts from here until its answer has ended."""

    max: Annotated[int, Meta(ge=1, le=1_000_000)]


class Cost(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a call counts for, by what it says itself; at least 1. Exactly one of them.

    request_header, response_header: a field that holds a whole number; without one the call counts for 1. That of an
    answer is settled when the answer comes, and goes no further. request_bytes: 1 for each so many bytes of a body.
    """

    request_header: str | None = None
    response_header: str | None = None
    request_bytes: Size | None = None


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

    key: parts joined: `source_ip principal consumer service route rule method path.NAME header.NAME query.NAME
    claim.NAME constant`; none: a bucket a target. match: which calls count, any of them; none: all. cost: what one
    counts for.
    """

    plural: ClassVar[str] = "rate-limits"
    targets: tuple[Target, ...] = ()
    key: Annotated[tuple[str, ...], Meta(max_length=8)] = ()
    token_bucket: TokenBucket | None = None
    sliding_window: SlidingWindow | None = None
    quota: Quota | None = None
    in_flight: InFlight | None = None
    match: Annotated[tuple[Match, ...], Meta(max_length=16)] = ()
    cost: Annotated[int, Meta(ge=1, le=1_000_000)] | Cost = 1
    on_missing_key: Literal["skip", "reject", "shared"] = "shared"
    scope: Literal["mesh", "gateway"] = "mesh"
    on_store_failure: Literal["local_share", "open", "closed"] = "local_share"
    mode: Literal["enforce", "audit"] = "enforce"
    max_wait: Duration = field(default_factory=lambda: Duration(0.0))
    max_queue: Annotated[int, Meta(ge=1, le=1000)] = 100
    max_keys: Annotated[int, Meta(ge=1, le=1_000_000)] = 100_000
    response: LimitResponse = LimitResponse()
