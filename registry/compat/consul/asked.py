"""Checks that Consul's agent runs, as checks that the registry runs: both ask the instance, over HTTP, TCP or gRPC.

The registry asks an instance at its own address. A check of Consul names one again: it may be that address, a loopback
one (an agent runs beside its services) or a host name, which then stands in `Host`; another address is refused.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from meshway.model.fields import read_struct
from meshway.model.traffic_policy import HealthCheck
from meshway.problem import invalid_request
from meshway.units import format_duration
from registry.compat.consul.refusals import Refusal

if TYPE_CHECKING:
    from registry.compat.consul.bodies import Fields

KINDS: Final = ("HTTP", "TCP", "GRPC")
_NOT_ASKED_SO: Final = ("Body", "H2PING", "GRPCUseTLS", "TCPUseTLS")
_DEFAULT_TIMEOUT_S: Final = 10.0
# A question must be over before the next one: Consul lets them overlap.
_LONGEST_TIMEOUT: Final = 0.9


def read_asked(fields: Fields, kind: str, address: str) -> HealthCheck:
    """kind: one of KINDS. address: the instance's. Raises Refusal 400, and Problem 422 for what our rules forbid."""
    for name in _NOT_ASKED_SO:
        if fields.get(name):
            raise Refusal(400, f"{name} of checks is not supported")
    interval_s = fields.duration_s("Interval")
    if not interval_s:
        raise Refusal(400, "Invalid check: Interval must be > 0 for HTTP, TCP and GRPC checks")
    timeout_s = min(fields.duration_s("Timeout") or _DEFAULT_TIMEOUT_S, interval_s * _LONGEST_TIMEOUT)
    written: dict[str, Any] = {
        "type": kind.lower(),
        "interval": format_duration(round(interval_s, 3)),
        "timeout": format_duration(round(timeout_s, 3)),
        "unhealthy_after": max(1, fields.number("FailuresBeforeCritical", 1)),
        "healthy_after": max(1, fields.number("SuccessBeforePassing", 1)),
    }
    place = fields.text(kind)
    written |= _http(fields, place, address) if kind == "HTTP" else _plain(place, address, is_grpc=kind == "GRPC")
    read, errors = read_struct(written, HealthCheck, "Check")
    if errors:
        raise invalid_request(errors[0].message, tuple(errors))
    assert isinstance(read, HealthCheck)
    return read


def _http(fields: Fields, url: str, address: str) -> dict[str, Any]:
    """Only GET, and only Host: what a check says to a service is the service's business, and secrets are nobody's."""
    if fields.text("Method").upper() not in ("", "GET"):
        raise Refusal(400, f"Method {fields.text('Method')[:20]} of checks is not supported: GET is")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        raise Refusal(400, f'Invalid check: "{url[:200]}" is no URL') from None
    if parts.scheme != "http" or not host or parts.username is not None:
        raise Refusal(400, f'Invalid check: "{url[:200]}" is not asked: write http://HOST:PORT/PATH')
    named = _refuse_elsewhere(host, address)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    written: dict[str, Any] = {"path": path, "port": port}
    if host_header := _host_header(fields) or named:
        written["host"] = host_header
    return written


def _plain(place: str, address: str, *, is_grpc: bool) -> dict[str, Any]:
    """`host:port`, and behind it the service that a gRPC server is asked for."""
    place, _, service = place.partition("/") if is_grpc else (place, "", "")
    try:
        parts = urlsplit(f"//{place}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not host or port is None:
        raise Refusal(400, f'Invalid check: "{place[:200]}" is no HOST:PORT')
    _refuse_elsewhere(host, address)
    return {"port": port} | ({"service": service} if service else {})


def _host_header(fields: Fields) -> str:
    header = fields.get("Header")
    if not header:
        return ""
    if not isinstance(header, dict) or {name.lower() for name in header} != {"host"}:
        raise Refusal(400, "Header of checks is not supported, but for Host")
    (values,) = header.values()
    if not isinstance(values, list) or len(values) != 1 or not isinstance(values[0], str):
        raise Refusal(400, "Request decode failed: Header must be an object of lists of texts")
    return values[0]


def _refuse_elsewhere(host: str, address: str) -> str:
    """Returns the host where it is a name that the instance is asked by. Raises Refusal 400."""
    if host == address or host == "localhost":
        return ""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return host
    if ip.is_loopback:
        return ""
    raise Refusal(400, f"Invalid check: {host} is not the service's address {address}, which is what is asked here")
