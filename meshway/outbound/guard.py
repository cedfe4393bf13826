"""Keeps a plane from being sent where it must not go: judged on the address a name resolves to, at every connect.

Somebody else says where instances are. Without this, a registration would make the registry call what only its own
machine or its cloud may reach (SSRF), and a name that resolves anew each time would slip past a check made once.
"""

import asyncio
import ipaddress
import socket
from typing import Final

from meshway.outbound.connection import Dial, PlainError, connect_reason, dial

_IP = ipaddress.IPv4Address | ipaddress.IPv6Address
# Where clouds answer with a machine's credentials; the IPv4 ones are link-local anyway.
_METADATA: Final = frozenset({ipaddress.ip_address("fd00:ec2::254")})
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


def forbidden(ip: _IP, *, allow_loopback: bool) -> str | None:
    """Why nothing may be called there, for a message; None: it may."""
    carried = _carried(ip)
    if carried is not None:
        return forbidden(carried, allow_loopback=allow_loopback)
    if ip.is_unspecified:
        return "is no address to call"
    if ip.is_multicast or ip == ipaddress.IPv4Address("255.255.255.255"):
        return "is an address of many"
    if ip.is_link_local or ip in _METADATA:
        return "is link-local or a cloud's metadata address"
    if ip.is_loopback and not allow_loopback:
        return "is this machine's own, and the registry is reachable from others"
    return None


def guarded_dial(*, allow_loopback: bool) -> Dial:
    """`dial` that connects to no forbidden address, whatever the name resolves to."""

    async def guarded(host: str, port: int, timeout_s: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reason = None
        for ip in await _resolved(host, port, timeout_s):
            reason = forbidden(ip, allow_loopback=allow_loopback)
            if reason is None:
                return await dial(str(ip), port, timeout_s)
        raise PlainError(f"{host} {reason or 'has no address'}", "forbidden_address")

    return guarded


async def _resolved(host: str, port: int, timeout_s: float) -> list[_IP]:
    """Raises PlainError for a name that does not resolve."""
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        pass
    try:
        async with asyncio.timeout(timeout_s):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError as error:
        raise PlainError(f"{host} is not resolved within {timeout_s:g} s", "timeout") from error
    except OSError as error:
        raise PlainError(f"{host}: {error.strerror or error}", connect_reason(error)) from error
    return [ipaddress.ip_address(str(address[0]).partition("%")[0]) for *_, address in found]


def _carried(ip: _IP) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one leads to."""
    if ip.version == 4:
        return None
    if ip in _NAT64:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour
