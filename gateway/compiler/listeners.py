"""What Listeners and Certificates say, ready for the sockets: by the listener's name, defaults filled in."""

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from gateway.compiler.diff import Entry
from gateway.wire.connection_limits import ConnectionLimits, StreamLimits
from gateway.wire.listener_context import ProxyProtocol
from meshway.edge_hosts import EdgeHosts
from meshway.http1.field_lines import Underscores
from meshway.model.certificate import Certificate
from meshway.model.document import MESH_NAMESPACE
from meshway.model.listener import (
    BY_TLS,
    CARRIED,
    EDGE,
    LISTENERS,
    MESH,
    TRUST_MESH,
    Hsts,
    Http2,
    Http3,
    Listener,
    ListenerLimits,
    ListenerTls,
    Spoken,
    face_of,
    spoken,
)
from meshway.model.mesh_settings import MeshSettings
from meshway.model.namespace import Namespace
from meshway.model.secret import SecretRef, secret_ref
from meshway.tls import ALPN, ALPN_HTTP2

KINDS: Final = ("Listener", "Certificate", "MeshSettings", "Namespace")

MOST_GONE: Final = 100

BY_THE_MESH: Final = SecretRef(secret=TRUST_MESH)
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


Limiting = Callable[[ConnectionLimits], ConnectionLimits]


def _as_started(usual: ConnectionLimits) -> ConnectionLimits:
    return usual


@dataclass(slots=True, frozen=True)
class ListenerPlan:
    """client_auth: `none optional require`. trust: BY_THE_MESH, or a Secret of namespace `mesh`.

    default: namespace and name of the Certificate for no or an unknown name. hsts: a header line, or b"".

    trusted_proxies: None: those the gateway was started with. hosts, sends_to_https: as in ListenerContext.
    limits: from those the gateway was started with. face, spoken: what a socket of it must be. is_named: it serves only
    Routes that name it. certificates: of namespace `mesh`, the only ones it shows; none: those that name it. resumes:
    sessions go on. handshakes: under way in a worker, None: as many as usual. streams: of connections that speak
    HTTP/2, None: none may; http3: likewise. alt_svc: as in ListenerContext, where HTTP/3 stands.
    """

    face: str = EDGE
    spoken: Spoken = "http"
    is_named: bool = False
    certificates: frozenset[str] = frozenset()
    resumes: bool = True
    handshakes: int | None = None

    min_version: str = "1.2"
    client_auth: str = "none"
    trust: SecretRef = BY_THE_MESH
    default: tuple[str, str] | None = None
    hsts: bytes = b""
    hosts: Callable[[bytes], bool] | None = None
    sends_to_https: tuple[int, int] | None = None
    trusted_proxies: tuple[Network, ...] | None = None
    limits: Limiting = _as_started
    underscores: Underscores = "drop"
    proxy_protocol: ProxyProtocol = "off"
    streams: StreamLimits | None = None
    http3: StreamLimits | None = None
    alt_svc: bytes = b""

    @property
    def is_tls(self) -> bool:
        return self.spoken in BY_TLS

    def has(self, face: str, speaks: Spoken) -> bool:
        """Whether a socket of this face and word is the Listener's: one beside its own has HTTP/3."""
        return face == self.face and (speaks == self.spoken or (speaks == "http3" and self.http3 is not None))

    @property
    def alpn(self) -> tuple[str, ...]:
        """What is offered in handshakes; bytes of any kind have no name."""
        if self.spoken in CARRIED:
            return ()
        return ALPN if self.streams is None else ALPN_HTTP2


@dataclass(slots=True, frozen=True)
class Served:
    """listeners: plans by name, of the four and of those that are written. certificates: documents, in the order of
    their keys. ends_stale: who cannot be known to be revoked is not believed. owned: whose hosts are.

    gone: Listeners that served only Routes that name them and have no document any more: who still calls by one, while
    it drains, gets no others. Of many the last MOST_GONE."""

    listeners: Mapping[str, ListenerPlan]
    certificates: tuple[Entry[Certificate], ...]
    ends_stale: bool = False
    owned: EdgeHosts = field(default_factory=EdgeHosts)
    gone: tuple[str, ...] = ()


def _plan(name: str, spec: Listener) -> ListenerPlan:
    tls, redirect = spec.tls or ListenerTls(), spec.redirect_https
    proxies = spec.trusted_proxies
    http2, http3 = spec.http2 or Http2(), spec.http3 or Http3()
    face, speaks = face_of(name, spec), spoken(name, spec)
    return ListenerPlan(
        face=face,
        spoken=speaks,
        is_named=spec.routes == "named",
        certificates=frozenset(tls.certificates),
        resumes=tls.resumption,
        handshakes=None if spec.limits is None else spec.limits.handshakes,
        min_version=tls.min_version,
        client_auth=tls.client_auth or ("optional" if face == MESH and speaks in BY_TLS else "none"),
        trust=BY_THE_MESH if tls.trust is None else secret_ref(tls.trust),
        default=None if tls.default is None else (MESH_NAMESPACE, tls.default),
        hsts=b"" if spec.hsts is None else _hsts_line(spec.hsts),
        hosts=_compile_hosts(spec.hosts),
        sends_to_https=None if redirect is None else (redirect.status, redirect.port),
        trusted_proxies=None if proxies is None else tuple(ipaddress.ip_network(text) for text in proxies),
        limits=_as_started if spec.limits is None else _compile_limits(spec.limits),
        underscores=spec.underscores,
        proxy_protocol=spec.proxy_protocol,
        streams=_stream_limits(http2) if http2.enabled else None,
        http3=_stream_limits(http2) if http3.enabled or speaks == "http3" else None,
        alt_svc=_alt_svc(http3) if http3.enabled else b"",
    )


def _stream_limits(http2: Http2) -> StreamLimits:
    return StreamLimits(
        http2.max_streams, http2.stream_window, http2.connection_window, http2.max_age, http2.max_requests
    )


def _alt_svc(http3: Http3) -> bytes:
    """The port is the one that the caller came to: others may have mapped ours."""
    return b'Alt-Svc: h3=":%%b"; ma=%d\r\n' % int(http3.alt_svc_max_age)


def _compile_limits(written: ListenerLimits) -> Limiting:
    of_connections = {
        "head_s": written.head_timeout,
        "idle_s": written.idle_timeout,
        "write_stall_s": written.write_idle,
        "body_rate": written.body_min_rate,
        "connections": written.connections,
        "per_address": written.connections_per_address,
    }
    of_heads = {"head": written.head, "fields": written.fields, "target": written.target}
    changed, heads = _written(of_connections), _written(of_heads)

    def limit(usual: ConnectionLimits) -> ConnectionLimits:
        return replace(usual, head=replace(usual.head, **heads), **changed)

    return limit


def _written(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _hsts_line(hsts: Hsts) -> bytes:
    subdomains = "; includeSubDomains" if hsts.include_subdomains else ""
    preload = "; preload" if hsts.preload else ""
    return f"Strict-Transport-Security: max-age={int(hsts.max_age)}{subdomains}{preload}\r\n".encode()


def _compile_hosts(hosts: tuple[str, ...]) -> Callable[[bytes], bool] | None:
    """Of a wildcard any number of labels is meant, as in Routes."""
    if not hosts or "*" in hosts:
        return None
    exact = frozenset(host.encode() for host in hosts if not host.startswith("*."))
    suffixes = tuple(host[1:].encode() for host in hosts if host.startswith("*."))
    return lambda host: host in exact or host.endswith(suffixes)


NOTHING_WRITTEN: Final = Served({name: _plan(name, Listener()) for name in LISTENERS}, ())


def compile_listeners(
    listeners: Iterable[Entry[Listener]],
    certificates: Iterable[Entry[Certificate]],
    settings: Iterable[Entry[MeshSettings]] = (),
    namespaces: Iterable[Entry[Namespace]] = (),
    *,
    before: Served = NOTHING_WRITTEN,
) -> Served:
    plans = dict(NOTHING_WRITTEN.listeners)
    for entry in listeners:
        if entry.spec.enabled:
            plans[entry.name] = _plan(entry.name, entry.spec)
    identities = [entry.spec.identity for entry in settings if entry.spec.identity is not None]
    ends_stale = any(identity.revocation_stale == "closed" for identity in identities)
    owned = EdgeHosts((entry.name, entry.spec.edge_hosts) for entry in namespaces)
    left = (*before.gone, *(name for name, plan in before.listeners.items() if plan.is_named))
    gone = tuple(name for name in dict.fromkeys(left) if name not in plans)[-MOST_GONE:]
    return Served(plans, tuple(sorted(certificates, key=lambda entry: entry.key)), ends_stale, owned, gone)
