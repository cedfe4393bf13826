"""What must hold inside a Listener and a Certificate."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

import msgspec

from meshway.model.certificate import Certificate, CertificateFiles, Expiry, MeshCa
from meshway.model.listener import EDGE, EDGE_TLS, LISTENERS, TLS_LISTENERS, Hsts, Listener, ListenerLimits, ListenerTls
from meshway.model.match_rules import networks
from meshway.model.names import bad_host
from meshway.model.nearest import did_you_mean
from meshway.model.rule_kit import BlockRule, Finding, at_most, bounded, one_of, unique
from meshway.units import Duration

_YEAR: Final = 365 * 86_400.0
_MAX_PATH: Final = 255
_LONGEST: Final = 90 * 86_400.0  # as an intermediate


def check_listener(name: str, spec: Mapping[str, Any]) -> Iterator[Finding]:
    """What the listener of this name may be told. spec: as written, perhaps unsound."""
    if name not in LISTENERS:
        yield Finding(
            "metadata.name",
            "unsupported",
            f"listeners beside {', '.join(LISTENERS)} are not built yet{did_you_mean(name, LISTENERS)}",
        )
        return
    for field in ("tls", "hsts"):
        if spec.get(field) is not None and name not in TLS_LISTENERS:
            yield Finding(f"spec.{field}", "forbidden_combination", f"is for {' and '.join(TLS_LISTENERS)}")
    tls = spec.get("tls")
    asks = isinstance(tls, Mapping) and tls.get("client_auth") in ("optional", "require")
    if asks and name == EDGE_TLS and isinstance(tls, Mapping) and tls.get("trust") is None:
        yield Finding("spec.tls.trust", "missing_field", "is required at the edge where callers show certificates")
    if spec.get("redirect_https") is not None and name != EDGE:
        yield Finding("spec.redirect_https", "forbidden_combination", f"is for {EDGE}")


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
    MeshCa: (bounded("lifetime", 3_600.0, _LONGEST, zero=False),),
    Expiry: (
        bounded("warn", 60.0, _YEAR, zero=False),
        bounded("critical", 60.0, _YEAR, zero=False),
        at_most("critical", "warn", equal=True, low_default=0.0, high_default=_YEAR),
    ),
    ListenerTls: (BlockRule(("client_auth", "trust"), _trust),),
    Certificate: (
        one_of("files", "mesh_ca", "secret"),
        BlockRule(("mesh_ca", "hosts", "renew_before"), _issued),
        narrow_hosts("no certificate is good for every host"),
        BlockRule(("listeners",), lambda part: unique(part.listeners, lambda at: f".listeners[{at}]", "listener")),
    ),
}
