"""RateLimit: how much. All limits that apply to a call must admit it."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from meshway.model.document import Part, Spec, Target
from meshway.units import Rate


class TokenBucket(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Refills at `rate` up to `burst`; starts full."""

    rate: Rate
    burst: Annotated[int, Meta(ge=1)] | None = None


class LimitResponse(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a refused caller gets; headers: RateLimit, RateLimit-Policy and Retry-After."""

    unsupported: ClassVar[frozenset[str]] = frozenset({"body"})

    status: Annotated[int, Meta(ge=400, le=599)] = 429
    headers: bool = True


class RateLimit(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How many calls one key may make.

    key: parts joined: `source_ip service route rule method header.NAME query.NAME constant`; none: a bucket a target.
    """

    plural: ClassVar[str] = "rate-limits"
    unsupported: ClassVar[frozenset[str]] = frozenset(
        {"sliding_window", "quota", "in_flight", "match", "cost", "max_wait", "max_queue", "on_store_failure"}
    )

    targets: tuple[Target, ...] = ()
    key: Annotated[tuple[str, ...], Meta(max_length=8)] = ()
    token_bucket: TokenBucket
    on_missing_key: Literal["skip", "reject", "shared"] = "shared"
    scope: Literal["mesh", "gateway"] = "mesh"
    mode: Literal["enforce", "audit"] = "enforce"
    max_keys: Annotated[int, Meta(ge=1, le=1_000_000)] = 100_000
    response: LimitResponse = LimitResponse()
