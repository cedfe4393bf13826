"""What Listeners and Certificates say, ready for the sockets: by the listener's name, defaults filled in."""

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.compiler.diff import Entry
from meshway.model.certificate import Certificate
from meshway.model.document import MESH_NAMESPACE
from meshway.model.listener import LISTENERS, MESH_TLS, TRUST_MESH, Hsts, Listener, ListenerTls
from meshway.model.secret import secret_ref

KINDS: Final = ("Listener", "Certificate")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(slots=True, frozen=True)
class ListenerPlan:
    """client_auth: `none optional require`. trust: `mesh`, or the name of a Secret of namespace `mesh`.

    default: namespace and name of the Certificate for no or an unknown name. hsts: a header line, or b"".

    trusted_proxies: None: those the gateway was started with. hosts, sends_to_https: as in ListenerContext.
    """

    min_version: str = "1.2"
    client_auth: str = "none"
    trust: str = TRUST_MESH
    default: tuple[str, str] | None = None
    hsts: bytes = b""
    hosts: Callable[[bytes], bool] | None = None
    sends_to_https: tuple[int, int] | None = None
    trusted_proxies: tuple[Network, ...] | None = None


@dataclass(slots=True, frozen=True)
class Served:
    """listeners: plans by name, of all four. certificates: documents, in the order of their keys."""

    listeners: Mapping[str, ListenerPlan]
    certificates: tuple[Entry[Certificate], ...]


def _plan(name: str, spec: Listener) -> ListenerPlan:
    tls, redirect = spec.tls or ListenerTls(), spec.redirect_https
    proxies = spec.trusted_proxies
    return ListenerPlan(
        min_version=tls.min_version,
        client_auth=tls.client_auth or ("optional" if name == MESH_TLS else "none"),
        trust=TRUST_MESH if tls.trust is None else secret_ref(tls.trust).secret,
        default=None if tls.default is None else (MESH_NAMESPACE, tls.default),
        hsts=b"" if spec.hsts is None else _hsts_line(spec.hsts),
        hosts=_compile_hosts(spec.hosts),
        sends_to_https=None if redirect is None else (redirect.status, redirect.port),
        trusted_proxies=None if proxies is None else tuple(ipaddress.ip_network(text) for text in proxies),
    )


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


def compile_listeners(listeners: Iterable[Entry[Listener]], certificates: Iterable[Entry[Certificate]]) -> Served:
    plans = dict(NOTHING_WRITTEN.listeners)
    for entry in listeners:
        if entry.name in plans:  # another one has been told to its writer
            plans[entry.name] = _plan(entry.name, entry.spec)
    return Served(plans, tuple(sorted(certificates, key=lambda entry: entry.key)))
