"""Where health checks may go: among the networks that instances stand in, and never to the registry or its stores.

Who registers an instance says where it is. A check that asked whatever is named would be a way to reach what only the
registry's machine may (SSRF), and to learn which of its ports answer.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from meshway.addresses import IP, plain
from registry.settings import StartRefused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from registry.settings import RegistrySettings

    Network = ipaddress.IPv4Network | ipaddress.IPv6Network
    Place = tuple[str, int]

_PORTS: Final = {"postgresql": 5432, "postgres": 5432, "redis": 6379, "rediss": 6379}
_RESOLVE_S: Final = 1.0


class Targets:
    """networks: beside loopback, of which the dial judges. stores: host and port of each. own_ports: the registry's."""

    def __init__(self, networks: Sequence[Network], stores: Iterable[Place]) -> None:
        self._networks = networks
        self._stores = list(stores)
        self.own_ports: set[int] = set()

    async def refusal(self, ip: IP, port: int) -> str | None:
        """Why nothing may be asked there, for a message; None: it may."""
        ip = plain(ip)
        if not ip.is_loopback and not any(ip in network for network in self._networks):
            return "is in none of the networks that --allow-registered-cidrs names"
        return await self.own_refusal(ip, port)

    async def own_refusal(self, ip: IP, port: int) -> str | None:
        """As `refusal`, of whatever network: the registry itself and its stores."""
        ip = plain(ip)
        if port in self.own_ports and _is_own(ip):
            return f"with port {port} is the registry itself"
        for host, store_port in self._stores:
            if port == store_port and await _is_at(host, ip):
                return f"with port {port} is a store of the registry"
        return None

    async def closed(self) -> list[Place]:
        """Addresses and ports of the registry and its stores, for a process that judges by itself."""
        loopback = ("127.0.0.1", "::1")
        found = [(str(ip), port) for host, port in self._stores for ip in await _addresses(host)]
        own = {*loopback, *[str(ip) for ip in await _addresses(socket.gethostname())]}
        return found + [(ip, port) for port in sorted(self.own_ports) for ip in sorted(own)]


def targets_of(settings: RegistrySettings) -> Targets:
    """Raises StartRefused."""
    try:
        networks = [ipaddress.ip_network(one) for one in settings.allow_registered_cidrs]
    except ValueError as error:
        raise StartRefused(f"--allow-registered-cidrs: {error}") from None
    return Targets(networks, [*places_in(settings.database_url), *places_in(settings.redis_url)])


def places_in(url: str) -> list[Place]:
    """Host and port of every server in a store's URL; none of a Unix socket."""
    parts = urlsplit(url)
    usual = _PORTS.get(parts.scheme)
    if usual is None:
        return []
    servers = (urlsplit(f"//{server}") for server in parts.netloc.rpartition("@")[2].split(",") if server)
    return [(server.hostname, server.port or usual) for server in servers if server.hostname]


async def _is_at(host: str, ip: IP) -> bool:
    """Whether the host is this address, or both are this machine. One that is not found is not judged: a dial of the
    same name would not find it either."""
    places = await _addresses(host)
    return ip in places or (_is_own(ip) and any(map(_is_own, places)))


async def _addresses(host: str) -> set[IP]:
    try:
        async with asyncio.timeout(_RESOLVE_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError):
        return set()
    return {plain(ipaddress.ip_address(str(address[0]).partition("%")[0])) for *_, address in found}


def _is_own(ip: IP) -> bool:
    """Only a machine's own address can be bound."""
    with socket.socket(socket.AF_INET if ip.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(ip), 0))
        except OSError:
            return False
    return True
