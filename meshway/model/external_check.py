"""The block by which an AccessPolicy has another service decide: external authorisation over HTTP or gRPC."""

from typing import Annotated, Final, Literal

from msgspec import Meta, field

from meshway.model.document import Destination, Part
from meshway.model.match import Match, StringMatch
from meshway.units import Duration, Size

HeaderName = Annotated[str, Meta(min_length=1, max_length=128)]
SENT: Final = ("authorization", "accept", "content-type", "user-agent", "x-request-id", "traceparent")
PASSED_ON: Final = ("www-authenticate", "location", "set-cookie", "content-type")


class CheckCache(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How long an answer holds for calls of which the same is asked: those that are let through, those that are not.

    key: what makes a call the same, parts joined as in a RateLimit: `source_ip principal consumer method host path
    query header.NAME query.NAME claim.NAME`; none: all that is sent.
    """

    ttl: Duration
    deny_ttl: Duration = field(default_factory=lambda: Duration(0.0))
    key: Annotated[tuple[str, ...], Meta(max_length=8)] = ()


class CheckedBody(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The request's body is sent, too. max: bytes; a longer one is refused (413), or with `partial` cut."""

    max: Size = field(default_factory=lambda: Size(64 * 1024))
    partial: bool = False


class ExternalCheck(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Asks `service`, or whoever is at `url`, of each call that no rule refuses; a yes is no rule's allow.

    protocol: `grpc`, Envoy's envoy.service.auth.v3.Authorization/Check. style, of http: `envoy`, the call's own method
    and path below `path`, 200 lets it pass; `forward_auth`, GET `path` with X-Forwarded-Method, -Proto, -Host, -Uri and
    -For, 2xx lets it pass. timeout: for all of it, within the call's deadline. on_failure: without an answer.
    request_headers: of the call's, sent along; upstream_headers: of the answer's, to the service (by http none, by grpc
    any where it is not written); client_headers: of a refusal's, to the caller. context: texts that are sent by grpc as
    context_extensions. include_claims: those of the caller's token, by grpc; include_certificate: his certificate.
    when: only calls that fit one of these are asked of.
    """

    protocol: Literal["http", "grpc"] = "http"
    service: Destination | None = None
    url: Annotated[str, Meta(max_length=1024)] | None = None
    path: Annotated[str, Meta(max_length=1024)] = "/"
    style: Literal["envoy", "forward_auth"] = "envoy"
    timeout: Duration = field(default_factory=lambda: Duration(0.2))
    on_failure: Literal["deny", "allow"] = "deny"
    request_headers: Annotated[tuple[HeaderName | StringMatch, ...], Meta(max_length=64)] = SENT
    request_body: CheckedBody | None = None
    context: Annotated[dict[str, Annotated[str, Meta(max_length=1024)]], Meta(max_length=16)] = {}
    include_claims: bool = False
    include_certificate: bool = False
    upstream_headers: Annotated[tuple[HeaderName, ...], Meta(max_length=32)] | None = None
    client_headers: Annotated[tuple[HeaderName, ...], Meta(max_length=32)] = PASSED_ON
    cache: CheckCache | None = None
    when: Annotated[tuple[Match, ...], Meta(max_length=16)] = ()
