"""Listener: where a gateway is called. The four that every gateway has are written to change what they do, others to
have more."""

from typing import Annotated, ClassVar, Final, Literal

import msgspec
from msgspec import Meta

from meshway.model.document import Label, Part, Port, Spec
from meshway.model.match import Text
from meshway.model.secret import SecretRef
from meshway.units import Duration, Size

EDGE: Final = "edge"
MESH: Final = "mesh"
EDGE_TLS: Final = "edge-tls"
MESH_TLS: Final = "mesh-tls"
LISTENERS: Final = (EDGE, EDGE_TLS, MESH, MESH_TLS)
TLS_LISTENERS: Final = (EDGE_TLS, MESH_TLS)

# Open while the gateway is; where they listen is told by flags.
FACES: Final = (EDGE, MESH)
PLAINTEXT, ENCRYPTED = "http", "https"
TLS: Final = "tls"
BYTES: Final = ("tcp", TLS)
DATAGRAMS: Final = "udp"
NOT_HTTP: Final = frozenset({*BYTES, DATAGRAMS})
# What is spoken on a socket: `protocol`, where that leaves nothing open. Of TCP by TLS it does: the bytes inside are a
# service's own, and the gateway may be the one that answers the handshake, or look at its first message and pass it on.
Spoken = Literal["http", "https", "tcp", "tls", "passthrough", "udp", "http3"]
BY_TLS: Final[frozenset[Spoken]] = frozenset({"https", "tls", "http3"})  # handshakes are answered here
CARRIED: Final[frozenset[Spoken]] = frozenset({"tcp", "tls", "passthrough"})  # byte by byte
BY_UDP: Final[frozenset[Spoken]] = frozenset({"udp", "http3"})
TRUST_MESH: Final = "mesh"
ClientAuth = Literal["none", "optional", "require"]
TlsVersion = Literal["1.2", "1.3"]


class ListenerTls(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """default: the Certificate of namespace `mesh` for callers that name no host, or one that no certificate covers;
    without it they are refused. min_version: of the protocol. client_auth: whether callers are asked for a certificate
    of their own; None: `optional` on the mesh, `none` at the edge. trust: by whose word it holds, `mesh` (the mesh's
    authority) or a Secret of type ca_bundle; None: `mesh` on the mesh. certificates: Certificates of namespace `mesh`
    that are shown here and no others; none: all that name this Listener. resumption: callers may go on with a session.
    mode: of protocol tls, whether handshakes are answered here or passed on as they are.
    """

    default: Label | None = None
    min_version: TlsVersion = "1.2"
    client_auth: ClientAuth | None = None
    trust: Label | SecretRef | None = None
    certificates: Annotated[tuple[Label, ...], Meta(max_length=100)] = ()
    resumption: bool = True
    mode: Literal["terminate", "passthrough"] | None = None


class Hsts(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Browsers are told to come by TLS alone for so long (RFC 6797). preload: they may be told so by their makers."""

    max_age: Duration = msgspec.field(default_factory=lambda: Duration(365 * 86_400.0))
    include_subdomains: bool = False
    preload: bool = False


class RedirectHttps(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where callers without TLS are sent: the same host and target at this port."""

    status: Literal[301, 308] = 308
    port: Port = 443


class Http2(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """HTTP/2 (RFC 9113): by TLS where caller and gateway agree on it in the handshake, else where the caller begins so.

    max_streams: requests at once on a connection. stream_window, connection_window: bytes of bodies that may come
    before the service has taken those before. max_age, max_requests: after which a connection takes no more.
    """

    enabled: bool = True
    max_streams: Annotated[int, Meta(ge=1, le=1_000)] = 128
    stream_window: Size = msgspec.field(default_factory=lambda: Size(256 * 1024))
    connection_window: Size = msgspec.field(default_factory=lambda: Size(1024 * 1024))
    max_age: Duration = msgspec.field(default_factory=lambda: Duration(3_600.0))
    max_requests: Annotated[int, Meta(ge=1)] = 100_000


class Http3(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """HTTP/3 (RFC 9114) beside `https`: at the same port, by UDP; with the limits of `http2`.

    alt_svc_max_age: how long callers may remember that it is there, which each answer by TCP says (RFC 7838).
    """

    enabled: bool = False
    alt_svc_max_age: Duration = msgspec.field(default_factory=lambda: Duration(86_400.0))


class ListenerLimits(Part, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """None: as the gateway was started. head_timeout: from a head's first byte to its last; write_idle: while a caller
    takes nothing of what is sent. body_min_rate: bytes a second of a request's body, 0 = any. head, target: bytes;
    fields: lines of a head. connections: in a worker; connections_per_address: of these, 0 = any number. handshakes:
    that are under way in a worker.
    """

    head_timeout: Duration | None = None
    idle_timeout: Duration | None = None
    write_idle: Duration | None = None
    body_min_rate: Size | None = None
    head: Size | None = None
    fields: Annotated[int, Meta(ge=1, le=800)] | None = None
    target: Size | None = None
    connections: Annotated[int, Meta(ge=1, le=160_000)] | None = None
    connections_per_address: Annotated[int, Meta(ge=0, le=8_000)] | None = None
    handshakes: Annotated[int, Meta(ge=1, le=512)] | None = None


class Listener(Spec, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Named `edge`, `edge-tls`, `mesh` or `mesh-tls` one of those that every gateway has, else one more.

    face: which rules hold for its callers; address, port, protocol, enabled, gateways (by the names of their nodes):
    where there is one more, all of these. routes: `face`, those of its face, or `named`, those that name it alone.
    hosts: what is served there at all. trusted_proxies: networks whose X-Forwarded-* is believed, in place of what the
    gateway was started with. underscores: what becomes of fields whose name holds one: CGI takes it for a dash.
    proxy_protocol: whether trusted_proxies may or must tell, before all else, for whom a connection is."""

    plural: ClassVar[str] = "listeners"
    unsupported: ClassVar[frozenset[str]] = frozenset({"server_header"})

    face: Literal["edge", "mesh"] | None = None
    address: str | None = None
    port: Port | None = None
    protocol: Literal["http", "https", "http3", "tcp", "tls", "udp"] | None = None
    enabled: bool = True
    gateways: Annotated[tuple[Text, ...], Meta(max_length=64)] = ()
    routes: Literal["face", "named"] = "face"
    tls: ListenerTls | None = None
    hosts: Annotated[tuple[str, ...], Meta(max_length=1_000)] = ()
    trusted_proxies: Annotated[tuple[str, ...] | None, Meta(description="CIDRs.")] = None
    hsts: Hsts | None = None
    redirect_https: RedirectHttps | None = None
    limits: ListenerLimits | None = None
    http2: Http2 | None = None
    http3: Http3 | None = None
    underscores: Literal["drop", "pass", "reject"] = "drop"
    proxy_protocol: Literal["off", "accept", "require"] = "off"


def face_of(name: str, spec: Listener) -> str:
    return name.removesuffix("-tls") if name in LISTENERS else spec.face or EDGE


def spoken(name: str, spec: Listener) -> Spoken:
    if name in LISTENERS:
        return "https" if name in TLS_LISTENERS else "http"
    if spec.protocol == "tls" and (spec.tls is None or spec.tls.mode != "terminate"):
        return "passthrough"
    return spec.protocol or "http"


def has_tls(name: str, spec: Listener) -> bool:
    """Whether callers are shown a certificate of the gateway's."""
    return spoken(name, spec) in BY_TLS


def address_of(spec: Listener) -> str:
    """Of one more Listener."""
    return spec.address or "127.0.0.1"


def is_udp(name: str, spec: Listener) -> bool:
    """Whether its port is one of UDP, not of TCP."""
    return spoken(name, spec) in BY_UDP
