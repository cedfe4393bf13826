"""Where hosts outside the mesh are: by the name server's word, and judged at every connection.

Whoever writes a document says a name, and a name server says any address. Without a judgement of the address itself a
name would lead callers to what only this machine, or its cloud, may reach (SSRF, DNS rebinding).
"""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

from meshway.addresses import IP, forbidden, plain

RETRY_S: Final = 5.0  # after a name server that gave no answer
LOOKUP_S: Final = 5.0
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Lookup = Callable[[str], Awaitable[Sequence[str]]]  # raises OSError


class Outside(NamedTuple):
    """refresh_s: how long an answer is used. allowed: networks that are not judged."""

    host: str
    refresh_s: float
    allowed: tuple[Network, ...]


class _Known:
    """until: monotonic seconds. turn: of the address that is tried next."""

    __slots__ = ("addresses", "lock", "turn", "until")

    def __init__(self) -> None:
        self.addresses: list[IP] = []
        self.until = float("-inf")
        self.turn = 0
        self.lock = asyncio.Lock()


class OutsideHosts:
    """now: monotonic seconds."""

    def __init__(self, now: Callable[[], float], lookup: Lookup) -> None:
        self._now = now
        self._lookup = lookup
        self._known: dict[str, _Known] = {}

    async def address(self, outside: Outside) -> str:
        """One that may be called, in turn. Raises OSError."""
        known = self._known.setdefault(outside.host, _Known())
        if self._now() >= known.until:
            async with known.lock:
                if self._now() >= known.until:
                    await self._refresh(outside, known)
        reason = None
        for _ in known.addresses:
            ip = known.addresses[known.turn % len(known.addresses)]
            known.turn += 1
            reason = _reason_against(ip, outside)
            if reason is None:
                return str(ip)
        raise OSError(f"{outside.host} {reason or 'has no address'}")

    async def _refresh(self, outside: Outside, known: _Known) -> None:
        """The last good answer stays where there is none."""
        try:
            async with asyncio.timeout(LOOKUP_S):
                found = await self._lookup(outside.host)
        except TimeoutError as error:
            self._go_on(known, OSError(f"{outside.host} is not found within {LOOKUP_S:g} s"), error)
        except OSError as error:
            self._go_on(known, OSError(f"{outside.host}: {error.strerror or error}"), error)
        else:
            known.addresses = list(dict.fromkeys(ipaddress.ip_address(text) for text in found))
            known.until = self._now() + outside.refresh_s

    def _go_on(self, known: _Known, failure: OSError, cause: Exception) -> None:
        if not known.addresses:
            raise failure from cause
        known.until = self._now() + RETRY_S


async def looked_up(host: str) -> list[str]:
    """By this machine's resolver. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=1)
    return [str(address[0]).partition("%")[0] for *_, address in found]


def _reason_against(ip: IP, outside: Outside) -> str | None:
    """None: it may be called."""
    reason = forbidden(ip, allow_loopback=False)
    if reason is None:
        return None
    if any(plain(ip) in network for network in outside.allowed):
        return None
    return f"leads to {ip}, which nobody is sent to: it {_said(ip, reason)}; see MeshSettings egress.allow_cidrs"


def _said(ip: IP, reason: str) -> str:
    return "is this machine's own" if plain(ip).is_loopback else reason
