"""Where hosts outside the mesh are: by the name server's word, and judged at every connection.

Whoever writes a document says a name, and a name server says any address. Without a judgement of the address itself a
name would lead callers to what only this machine, or its cloud, may reach (SSRF, DNS rebinding).
"""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from meshway.addresses import IP, forbidden, plain
from meshway.tasks import spawn

RETRY_S: Final = 5.0  # after a name server that gave no answer
LOOKUP_S: Final = 5.0
PATIENCE_S: Final = 0.25  # for a new answer, of one who could do with the last: connections have little time
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Lookup = Callable[[str], Awaitable[Sequence[str]]]  # raises OSError


class Outside(NamedTuple):
    """refresh_s: how long an answer is used. allowed: networks that are not judged."""

    host: str
    refresh_s: float
    allowed: tuple[Network, ...]


class _Known:
    """until: monotonic seconds. turn: of the address that is tried next. lookup: under way, for all who wait."""

    __slots__ = ("addresses", "lookup", "turn", "until")

    def __init__(self) -> None:
        self.addresses: list[IP] = []
        self.until = float("-inf")
        self.turn = 0
        self.lookup: asyncio.Task[OSError | None] | None = None


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
            await self._renew(outside, known)
        reason = None
        for _ in known.addresses:
            ip = known.addresses[known.turn % len(known.addresses)]
            known.turn += 1
            reason = _reason_against(ip, outside)
            if reason is None:
                return str(ip)
        raise OSError(f"{outside.host} {reason or 'has no address'}")

    async def _renew(self, outside: Outside, known: _Known) -> None:
        """One lookup for all: a resolver's thread is busy until the name server answers, whoever gives up before."""
        if known.lookup is None:
            known.lookup = spawn(self._refresh(outside, known), name=f"look up {outside.host}")
        lookup = asyncio.shield(known.lookup)
        if not known.addresses:
            failure = await lookup
            if failure is not None:
                raise OSError(str(failure)) from failure
            return
        known.until = self._now() + RETRY_S  # those who come meanwhile go on with the last answer
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await lookup

    async def _refresh(self, outside: Outside, known: _Known) -> OSError | None:
        """The last good answer stays where there is none."""
        try:
            async with asyncio.timeout(LOOKUP_S):
                found = await self._lookup(outside.host)
            known.addresses = list(dict.fromkeys(ipaddress.ip_address(text) for text in found))
        except TimeoutError:
            return OSError(f"{outside.host} is not found within {LOOKUP_S:g} s")
        except OSError as error:
            return OSError(f"{outside.host}: {error.strerror or error}")
        else:
            known.until = self._now() + outside.refresh_s
            return None
        finally:
            known.lookup = None


async def looked_up(host: str) -> list[str]:
    """By this machine's resolver. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=1)
    return [str(address[0]).partition("%")[0] for *_, address in found]


def refuse_named(name: str, address: str) -> None:
    """Of an endpoint that is written by its name: where that led is judged as its address would have been, in the
    document. Raises OSError."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    reason = forbidden(ip, allow_loopback=True)
    if reason is not None:
        raise OSError(f"{name} leads to {ip}, which nobody is sent to: it {reason}")


def is_name(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return True
    return False


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
