"""Keeps a plane from being sent where it must not go: judged on the address a name resolves to, at every connect.

Somebody else says where instances are. Without this, a registration would make the registry call what only its own
machine or its cloud may reach (SSRF), and a name that resolves anew each time would slip past a check made once.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable

from meshway.addresses import IP, forbidden
from meshway.outbound.connection import Dial, PlainError, connect_reason, dial

Judge = Callable[[IP, int], Awaitable[str | None]]
"""Why nothing may be called at this address and port; None: it may."""


def guarded_dial(*, allow_loopback: bool, judge: Judge | None = None) -> Dial:
    """`dial` that connects to no forbidden address, whatever the name resolves to. judge: of those not forbidden."""

    async def guarded(host: str, port: int, timeout_s: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reason = None
        for ip in await _resolved(host, port, timeout_s):
            reason = forbidden(ip, allow_loopback=allow_loopback)
            if reason is None and judge is not None:
                reason = await judge(ip, port)
            if reason is None:
                return await dial(str(ip), port, timeout_s)
        raise PlainError(f"{host} {reason or 'has no address'}", "forbidden_address")

    return guarded


async def _resolved(host: str, port: int, timeout_s: float) -> list[IP]:
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
