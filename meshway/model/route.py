"""Route: which call goes where, and what is changed on the way."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from meshway.model.cache import Cache
from meshway.model.document import Destination, Label, Part, Spec
from meshway.model.match import Match, Regex
from meshway.model.respond import Respond
from meshway.model.rule_actions import Compression, Cors, Deprecation, Fault, Mirror, RequestBody, Sticky
from meshway.model.traffic_policy import Hedge, Retry, Timeouts
from meshway.model.transcode import Transcode
from meshway.model.websocket import WebSocket


class PathRewrite(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Exactly one of full, prefix, template and regex. The caller's query stays unless full or template has one.

    prefix: replaces the matched prefix, so every match of the rule must be a prefix. template: `/v2/{id}`, by names of
    the rule's paths. regex: RE2; wherever it fits stands substitution, with `\\1` for its first group.
    """

    full: Annotated[str, Meta(pattern="^/", max_length=1024)] | None = None
    prefix: Annotated[str, Meta(pattern="^/", max_length=1024)] | None = None
    template: Annotated[str, Meta(pattern="^/", max_length=1024)] | None = None
    regex: Regex | None = None
    substitution: Annotated[str, Meta(max_length=1024)] | None = None


class Rewrite(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the upstream sees instead. host_from_header: a request header's value, where it is a host's name."""

    path: PathRewrite | None = None
    host: str | None = None
    host_from_header: str | None = None


class Redirect(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Sends the caller elsewhere; the query is kept. host_from_header: as in Rewrite."""

    path: PathRewrite | None = None
    host: str | None = None
    host_from_header: str | None = None
    scheme: Literal["http", "https"] | None = None
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    status: Literal[301, 302, 303, 307, 308] = 302


class HeaderChanges(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Applied as remove, set, add. Hop-by-hop names, host and content-length are refused.

    Values may hold `${request_id}` and `${path.NAME}`, a name of the path by which the rule matched.
    """

    set: dict[str, str] = {}
    add: dict[str, str] = {}
    remove: tuple[str, ...] = ()


class RuleDestination(Destination, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One of a rule's destinations; its header changes come after the rule's own. track: its calls are counted apart
    under this name, so that two slices of one service can be told from each other; a Rollout writes it."""

    track: Label | None = None
    request_headers: HeaderChanges | None = None
    response_headers: HeaderChanges | None = None


class Rule(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Exactly one of destinations, redirect and respond. No match = everything."""

    name: Label | None = None
    match: Annotated[tuple[Match, ...], Meta(max_length=16)] = ()
    destinations: Annotated[tuple[RuleDestination, ...], Meta(max_length=16)] = ()
    redirect: Redirect | None = None
    respond: Respond | None = None
    rewrite: Rewrite | None = None
    request_headers: HeaderChanges | None = None
    response_headers: HeaderChanges | None = None
    timeouts: Timeouts | None = None
    retry: Retry | None = None
    hedge: Hedge | None = None
    request_body: RequestBody | None = None
    criticality: Literal["critical", "default", "sheddable"] = "default"
    sticky: Sticky | None = None
    cors: Cors | None = None
    fault: Fault | None = None
    compression: Compression | None = None
    cache: Cache | None = None
    deprecation: Deprecation | None = None
    transcode: Transcode | None = None
    websocket: WebSocket | None = None
    mirror: Annotated[tuple[Mirror, ...], Meta(max_length=3)] = ()


class Route(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Rules for hosts on listeners: `edge`, `mesh` (all of that face) or Listeners of the edge by name. hosts: edge
    default `*`; mesh: service, service.namespace or an alias.
    encoded_slashes, double_slashes: whether `%2F`, `%5C` and `//` of a path reach the service as they came.
    method_override: whether X-HTTP-Method-Override and its like do, from the edge.

    order: `listed`, the first rule that matches has the call; such a Route is alone on its hosts at its priority.
    """

    plural: ClassVar[str] = "routes"

    listeners: Annotated[tuple[Label, ...], Meta(min_length=1, max_length=32)] = ("edge",)
    hosts: Annotated[tuple[str, ...], Meta(max_length=64)] = ()
    priority: Annotated[int, Meta(ge=-1000, le=1000)] = 0
    order: Literal["specificity", "listed"] = "specificity"
    encoded_slashes: Literal["refuse", "pass"] = "refuse"
    double_slashes: Literal["merge", "pass"] = "merge"
    method_override: Literal["remove", "pass"] = "remove"
    rules: Annotated[tuple[Rule, ...], Meta(min_length=1, max_length=128)]
