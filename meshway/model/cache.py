"""The block `cache` of a Route's rule: which answers a gateway keeps, and for how long."""

from typing import Annotated, Literal

from msgspec import Meta, field

from meshway.model.document import Part
from meshway.units import Duration, Size

# msgspec cannot write a unit into a JSON schema as a default, so these come from functions.


class Cache(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Answers are kept and given again as RFC 9111 lets a cache that many share. What the service says counts;
    default_ttl is for answers that tell no lifetime, 0s: these are not kept. max_ttl: none is fresh for longer.

    query, headers, cookies, per_principal: what answers are told apart by, beside scheme, host and path. query: `all`,
    or the names that count. stale_while_revalidate, stale_if_error: where the answer says nothing of it.
    client_control: callers may ask for a newer answer (Cache-Control of a request). coalesce: calls for the same answer
    wait for one, at most coalesce_wait for its head. max_total: of a rule, in each worker.
    """

    methods: Annotated[tuple[Literal["GET", "HEAD"], ...], Meta(min_length=1, max_length=2)] = ("GET", "HEAD")
    default_ttl: Duration = field(default_factory=lambda: Duration(0.0))
    max_ttl: Duration = field(default_factory=lambda: Duration(86_400.0))
    statuses: Annotated[tuple[Annotated[int, Meta(ge=200, le=599)], ...], Meta(min_length=1, max_length=32)] = (
        200, 203, 301, 404, 410,
    )  # fmt: skip
    query: Literal["all"] | Annotated[tuple[str, ...], Meta(max_length=64)] = "all"
    headers: Annotated[tuple[str, ...], Meta(max_length=16)] = ()
    cookies: Annotated[tuple[str, ...], Meta(max_length=16)] = ()
    per_principal: bool = False
    stale_while_revalidate: Duration = field(default_factory=lambda: Duration(0.0))
    stale_if_error: Duration = field(default_factory=lambda: Duration(0.0))
    client_control: bool = False
    coalesce: bool = True
    coalesce_wait: Duration = field(default_factory=lambda: Duration(5.0))
    max_object: Size = field(default_factory=lambda: Size(1 << 20))
    max_total: Size = field(default_factory=lambda: Size(64 << 20))
