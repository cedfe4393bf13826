"""What a Route's rule does to a call beside sending it somewhere: the blocks of a rule, one Struct each."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from meshway.model.document import Destination, Part
from meshway.model.match import Match, Text
from meshway.model.traffic_policy import Percent
from meshway.units import Duration, Size

MAX_BODY_DEFAULT = Size(100 << 20)
# msgspec cannot write a unit into a JSON schema as a default, so these come from functions.


class RequestBody(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Without the block any body passes. min_rate: bytes per second over ten seconds; the listener's own holds, too."""

    max: Size = field(default_factory=lambda: MAX_BODY_DEFAULT)
    min_rate: Size = field(default_factory=lambda: Size(0))


class FaultDelay(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Holds a share of the calls for a fixed time, at most 60s; it counts into the deadline."""

    fixed: Duration
    percent: Percent = 100.0


class FaultAbort(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Answers a share of the calls itself, with exactly one of status and grpc_status."""

    status: Annotated[int, Meta(ge=200, le=599)] | None = None
    grpc_status: Annotated[int, Meta(ge=1, le=16)] | None = None
    percent: Percent = 100.0


class Fault(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Failures on purpose: at least one of delay and abort. until: RFC 3339, from then on it does nothing.

    match: which of the rule's calls may be hit, by anything but the path.
    """

    delay: FaultDelay | None = None
    abort: FaultAbort | None = None
    match: Match | None = None
    until: str | None = None


class StickyCookie(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The cookie that a caller without one gets. ttl 0s: as long as the browser runs. secure auto: over HTTPS."""

    ttl: Duration = field(default_factory=lambda: Duration(86400.0))
    path: Annotated[str, Meta(pattern="^/")] = "/"
    same_site: Literal["lax", "strict", "none"] = "lax"
    secure: Literal["auto", "always", "never"] = "auto"
    http_only: bool = True


class Sticky(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One caller's calls go to one destination while it can take them. name: of the cookie, header or query field."""

    unsupported_values: ClassVar[Mapping[str, frozenset[str]]] = {"key": frozenset({"principal"})}

    key: Literal["cookie", "header", "query", "source_ip"]
    name: str | None = None
    cookie: StickyCookie | None = None


JsonPath = Annotated[str, Meta(pattern=r"^[^.\x00-\x1f]{1,64}(\.[^.\x00-\x1f]{1,64}){0,15}$(?!\n)")]


class MirrorCompare(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What of a copy's answer is held against the call's own, and counted: its status; whether it began later by more
    than `latency`; fields of both JSON bodies, by paths such as `total` and `items.0.price`."""

    status: bool = True
    latency: Duration | None = None
    json_fields: Annotated[tuple[JsonPath, ...], Meta(max_length=32)] = ()


class Mirror(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A share of the calls is copied to another destination, whose answers are dropped, after they were compared where
    that is asked for."""

    destination: Destination
    percent: Percent = 100.0
    compare: MirrorCompare | None = None


class Cors(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which pages of other origins may call, and read what they get (Fetch Standard, CORS protocol).

    `*` stands for any, but not with allow_credentials. GET, HEAD and POST are always allowed: they come unasked.
    max_age: how long a browser need not ask again.
    """

    allow_origins: Annotated[tuple[Text, ...], Meta(min_length=1, max_length=64)]
    allow_methods: Annotated[tuple[str, ...], Meta(max_length=64)] = ()
    allow_headers: Annotated[tuple[str, ...], Meta(max_length=64)] = ()
    expose_headers: Annotated[tuple[str, ...], Meta(max_length=64)] = ()
    max_age: Duration = field(default_factory=lambda: Duration(3600.0))
    allow_credentials: bool = False


class Compression(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Answers are compressed where the caller takes it. encodings: of those he likes equally the first is taken; `br`
    and `zstd` need gateways with the extra `compress`. min_size: of an answer that tells its length."""

    encodings: Annotated[tuple[Literal["br", "zstd", "gzip"], ...], Meta(min_length=1, max_length=3)] = ("gzip",)
    min_size: Size = field(default_factory=lambda: Size(1 << 10))


class Deprecation(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """At least one of since and sunset: RFC 3339 instants or days. link: where to read on."""

    since: str | None = None
    sunset: str | None = None
    link: Annotated[str, Meta(pattern=r"^https?://[!-;=?-~]+$(?!\n)", max_length=1024)] | None = None
