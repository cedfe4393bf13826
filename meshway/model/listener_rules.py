"""What must hold inside a Listener and a Certificate."""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

import msgspec

from meshway.model.certificate import Certificate, CertificateFiles, Expiry, MeshCa
from meshway.model.listener import (
    BYTES,
    DATAGRAMS,
    EDGE,
    ENCRYPTED,
    FACES,
    LISTENERS,
    PLAINTEXT,
    TLS,
    TLS_LISTENERS,
    Hsts,
    Http2,
    Http3,
    Listener,
    ListenerLimits,
    ListenerTls,
)
from meshway.model.match_rules import networks
from meshway.model.names import bad_host
from meshway.model.nearest import nearest
from meshway.model.rule_kit import BlockRule, Finding, at_most, bounded, one_of, unique
from meshway.units import Duration

_YEAR: Final = 365 * 86_400.0
_MAX_PATH: Final = 255
_OF_REQUESTS: Final = ("hosts", "hsts", "http2", "http3", "redirect_https", "routes", "underscores")
_OF_CONNECTIONS: Final = ("limits", "proxy_protocol", "trusted_proxies")
_LIMITS_OF_REQUESTS: Final = ("body_min_rate", "fields", "head", "idle_timeout", "target")
_LONGEST: Final = 90 * 86_400.0  # as an intermediate


def check_listener(name: str, spec: Mapping[str, Any]) -> Iterator[Finding]:
    """What the listener of this name may be told. spec: as written, perhaps unsound."""
    is_own = name not in LISTENERS
    if is_own:
        yield from _of_own(name, spec)
        yield from _of_bytes(spec)
        if spec.get("protocol") == DATAGRAMS:
            yield from _of_datagrams(spec)
        face, is_tls = spec.get("face", EDGE), spec.get("protocol") in (ENCRYPTED, "http3", TLS)
        with_tls, for_edge = "needs protocol: https or tls", "is for face: edge without TLS"
    else:
        yield from _of_given(name, spec)
        face, is_tls = name.removesuffix("-tls"), name in TLS_LISTENERS
        with_tls, for_edge = f"is for {' and '.join(TLS_LISTENERS)}", f"is for {EDGE}"
    for field in ("tls", "hsts"):
        if spec.get(field) is not None and not is_tls:
            yield Finding(f"spec.{field}", "forbidden_combination", with_tls)
    tls = spec.get("tls")
    if isinstance(tls, Mapping) and tls.get("mode") is not None and (not is_own or spec.get("protocol") != TLS):
        yield Finding("spec.tls.mode", "forbidden_combination", "is for protocol: tls")
    asks = isinstance(tls, Mapping) and tls.get("client_auth") in ("optional", "require")
    if asks and face == EDGE and isinstance(tls, Mapping) and tls.get("trust") is None:
        yield Finding("spec.tls.trust", "missing_field", "is required at the edge where callers show certificates")
    if spec.get("redirect_https") is not None and (face != EDGE or is_tls):
        yield Finding("spec.redirect_https", "forbidden_combination", for_edge)
    if spec.get("proxy_protocol") in ("accept", "require"):
        if spec.get("protocol") == "http3":
            yield Finding("spec.proxy_protocol", "forbidden_combination", "is for connections of TCP")
        elif not spec.get("trusted_proxies"):
            yield Finding("spec.proxy_protocol", "forbidden_combination", "needs trusted_proxies: who is believed")
    yield from _of_http3(spec, face, is_tls=is_tls)
    if spec.get("routes") == "named" and face != EDGE:
        yield Finding("spec.routes", "forbidden_combination", "named is for the edge: on the mesh services have names")


def _of_http3(spec: Mapping[str, Any], face: str, *, is_tls: bool) -> Iterator[Finding]:
    """Beside https, or alone."""
    is_alone, block = spec.get("protocol") == "http3", spec.get("http3")
    if block is not None and (is_alone or not is_tls):
        yield Finding("spec.http3", "forbidden_combination", "is for protocol: https, beside which it adds HTTP/3")
        return
    if not (is_alone or (isinstance(block, Mapping) and block.get("enabled") is True)):
        return
    if face != EDGE:
        yield Finding("spec.protocol" if is_alone else "spec.http3", "forbidden_combination", "is for face: edge")
    tls = spec.get("tls")
    if isinstance(tls, Mapping) and tls.get("client_auth") in ("optional", "require"):
        because = "none by HTTP/3: its callers cannot be asked for a certificate"
        yield Finding("spec.tls.client_auth", "forbidden_combination", because)


def _of_own(name: str, spec: Mapping[str, Any]) -> Iterator[Finding]:
    if (meant := nearest(name, LISTENERS)) is not None and spec.get("port") is None:
        yield Finding("spec.port", "missing_field", f"is required for a Listener of one's own (did you mean {meant}?)")
    elif spec.get("port") is None:
        yield Finding("spec.port", "missing_field", "is required for a Listener of one's own")
    if spec.get("protocol") is None:
        reason = "is required for a Listener of one's own: http, https, http3, tcp, tls or udp"
        yield Finding("spec.protocol", "missing_field", reason)


def _of_bytes(spec: Mapping[str, Any]) -> Iterator[Finding]:
    """Of one whose callers speak whatever they like."""
    tls = spec.get("tls")
    mode = tls.get("mode") if isinstance(tls, Mapping) else None
    protocol = spec.get("protocol")
    if protocol not in BYTES:
        return
    for field in _OF_REQUESTS:
        if spec.get(field) is not None:
            yield Finding(f"spec.{field}", "forbidden_combination", f"is for HTTP, and this one is {protocol}")
    limits = spec.get("limits")
    written: Mapping[str, Any] = limits if isinstance(limits, Mapping) else {}
    for field in _LIMITS_OF_REQUESTS:
        if written.get(field) is not None:
            yield Finding(f"spec.limits.{field}", "forbidden_combination", f"is for HTTP, and this one is {protocol}")
    if protocol == TLS and mode != "terminate" and isinstance(tls, Mapping):
        for field in tls:
            if field != "mode":
                reason = "is for mode: terminate: handshakes are passed on as they are"
                yield Finding(f"spec.tls.{field}", "forbidden_combination", reason)


def _of_datagrams(spec: Mapping[str, Any]) -> Iterator[Finding]:
    """Of one that has no connections: what is bounded there its UdpRoute says."""
    for field in (*_OF_REQUESTS, *_OF_CONNECTIONS):
        if spec.get(field) is not None:
            yield Finding(f"spec.{field}", "forbidden_combination", f"is for connections, and this one is {DATAGRAMS}")


def _of_given(name: str, spec: Mapping[str, Any]) -> Iterator[Finding]:
    """Of one that every gateway has."""
    for field in ("address", "port", "enabled", "gateways"):
        if field in spec:
            yield Finding(f"spec.{field}", "unsupported", f"{name} is every gateway's: flags say where it is")
    face, protocol = name.removesuffix("-tls"), ENCRYPTED if name in TLS_LISTENERS else PLAINTEXT
    for field, given in (("face", face), ("protocol", protocol)):
        if spec.get(field) not in (None, given):
            yield Finding(f"spec.{field}", "forbidden_combination", f"{name} is {given}: give another one another name")


def _address(part: Any) -> Iterator[Finding]:
    if part.address is None:
        return
    try:
        ipaddress.ip_address(part.address)
    except ValueError:
        yield Finding(".address", "out_of_bounds", f"{part.address!r} is no address: 127.0.0.1, 0.0.0.0, ::1")


def narrow_hosts(because: str) -> BlockRule:
    """`hosts` without one that stands for all, and why not."""

    def check(part: Any) -> Iterator[Finding]:
        yield from _judged(part.hosts, ".hosts")
        for at, host in enumerate(part.hosts):
            if host == "*":
                yield Finding(f".hosts[{at}]", "bad_name", because)

    return BlockRule(("hosts",), check)


def owned_hosts(part: Any) -> Iterator[Finding]:
    """edge_hosts of a Namespace."""
    yield from _judged(part.edge_hosts, ".edge_hosts")
    for at, host in enumerate(part.edge_hosts):
        if host == "*":
            yield Finding(f".edge_hosts[{at}]", "bad_name", "no namespace has every host for itself")


def _judged(hosts: Sequence[str], path: str) -> Iterator[Finding]:
    for at, host in enumerate(hosts):
        if (fault := bad_host(host, wildcard=True)) is not None:
            yield Finding(f"{path}[{at}]", "bad_name", fault)
    yield from unique(hosts, lambda at: f"{path}[{at}]", "host")


def _hosts(part: Any) -> Iterator[Finding]:
    yield from _judged(part.hosts, ".hosts")


def _issued(part: Any) -> Iterator[Finding]:
    """What only those have that the mesh issues."""
    if part.mesh_ca is None:
        if part.renew_before is not None:
            yield Finding(".renew_before", "forbidden_combination", "is for mesh_ca: the others are renewed elsewhere")
        return
    if not part.hosts:
        yield Finding(".hosts", "missing_field", "is required with mesh_ca: what it is issued for")
    if part.renew_before is not None and not 60.0 <= part.renew_before <= part.mesh_ca.lifetime * 0.9:
        most = Duration(part.mesh_ca.lifetime * 0.9)
        yield Finding(".renew_before", "out_of_bounds", f"{part.renew_before} is outside 1m to {most}: 0.9 of its life")


def _certified_listeners(part: Any) -> Iterator[Finding]:
    yield from unique(part.listeners, lambda at: f".listeners[{at}]", "listener")
    for at, name in enumerate(part.listeners):
        if name in FACES:
            yield Finding(f".listeners[{at}]", "forbidden_combination", f"{name} speaks no TLS: {name}-tls does")


def _preload(part: Any) -> Iterator[Finding]:
    if part.preload and (not part.include_subdomains or part.max_age < _YEAR):
        yield Finding(".preload", "forbidden_combination", "needs include_subdomains, and max_age of 8760h or more")


def _trust(part: Any) -> Iterator[Finding]:
    if part.client_auth == "none" and part.trust is not None:
        yield Finding(".trust", "forbidden_combination", "is of no use with client_auth: none")


def _path(field: str) -> BlockRule:
    def check(part: Any) -> Iterator[Finding]:
        written = getattr(part, field)
        path = PurePosixPath(written)
        if not written or "\0" in written or len(written) > _MAX_PATH or path.is_absolute() or ".." in path.parts:
            yield Finding(f".{field}", "out_of_bounds", "is a path below the gateway's --certificates-dir, without ..")

    return BlockRule((field,), check)


LISTENER_RULES: Final[dict[type[msgspec.Struct], tuple[BlockRule, ...]]] = {
    Listener: (
        BlockRule(("hosts",), _hosts),
        BlockRule(("address",), _address),
        networks("trusted_proxies"),
    ),
    Hsts: (
        bounded("max_age", 0.0, 10 * _YEAR, zero=True),
        BlockRule(("max_age", "include_subdomains", "preload"), _preload),
    ),
    CertificateFiles: (_path("certificate"), _path("key")),
    ListenerLimits: (
        bounded("head_timeout", 0.1, 600.0, zero=False),
        bounded("idle_timeout", 0.1, 3600.0, zero=False),
        bounded("write_idle", 0.1, 600.0, zero=False),
        bounded("body_min_rate", 1, 1 << 20, zero=True),
        bounded("head", 1024, 512 * 1024, zero=False),
        bounded("target", 256, 128 * 1024, zero=False),
    ),
    Http3: (bounded("alt_svc_max_age", 0.0, 10 * _YEAR, zero=True),),
    Http2: (
        bounded("stream_window", 64 * 1024, 16 << 20, zero=False),
        bounded("connection_window", 64 * 1024, 64 << 20, zero=False),
        bounded("max_age", 0.001, 30 * 86_400.0, zero=False),
    ),
    MeshCa: (bounded("lifetime", 3_600.0, _LONGEST, zero=False),),
    Expiry: (
        bounded("warn", 60.0, _YEAR, zero=False),
        bounded("critical", 60.0, _YEAR, zero=False),
        at_most("critical", "warn", equal=True, low_default=0.0, high_default=_YEAR),
    ),
    ListenerTls: (
        BlockRule(("client_auth", "trust"), _trust),
        BlockRule(
            ("certificates",),
            lambda part: unique(part.certificates, lambda at: f".certificates[{at}]", "certificate"),
        ),
    ),
    Certificate: (
        one_of("files", "mesh_ca", "secret"),
        BlockRule(("mesh_ca", "hosts", "renew_before"), _issued),
        narrow_hosts("no certificate is good for every host"),
        BlockRule(("listeners",), _certified_listeners),
    ),
}
