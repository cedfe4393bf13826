"""The block by which an AccessPolicy has another service decide: external authorisation over HTTP."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Literal

from msgspec import Meta, field

from meshway.model.document import Destination, Part
from meshway.units import Duration

HeaderName = Annotated[str, Meta(min_length=1, max_length=128)]
SENT: Final = ("authorization", "accept", "content-type", "user-agent", "x-request-id", "traceparent")
PASSED_ON: Final = ("www-authenticate", "location", "set-cookie", "content-type")


class CheckCache(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How long an answer holds for calls of which the same is asked: those that are let through, those that are not."""

    unsupported: ClassVar[frozenset[str]] = frozenset({"key"})

    ttl: Duration
    deny_ttl: Duration = field(default_factory=lambda: Duration(0.0))


class ExternalCheck(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Asks `service` of each call that no rule refuses; its yes is no rule's allow.

    style: `envoy`, the call's own method and path below `path`, 200 lets it pass; `forward_auth`, GET `path` with
    X-Forwarded-Method, -Proto, -Host, -Uri and -For, 2xx lets it pass. timeout: for all of it, within the call's
    deadline. on_failure: without an answer. request_headers: of the call's, sent along; upstream_headers: of the
    answer's, to the service; client_headers: of a refusal's, to the caller.
    """

    unsupported: ClassVar[frozenset[str]] = frozenset({"url", "request_body", "context", "when"})
    unsupported_values: ClassVar[Mapping[str, frozenset[str]]] = {"protocol": frozenset({"grpc"})}

    protocol: Literal["http"] = "http"
    service: Destination
    path: Annotated[str, Meta(max_length=1024)] = "/"
    style: Literal["envoy", "forward_auth"] = "envoy"
    timeout: Duration = field(default_factory=lambda: Duration(0.2))
    on_failure: Literal["deny", "allow"] = "deny"
    request_headers: Annotated[tuple[HeaderName, ...], Meta(max_length=64)] = SENT
    upstream_headers: Annotated[tuple[HeaderName, ...], Meta(max_length=32)] = ()
    client_headers: Annotated[tuple[HeaderName, ...], Meta(max_length=32)] = PASSED_ON
    cache: CheckCache | None = None
