"""Which connections go where: what a TcpRoute or TlsRoute compiles to, and how one is found.

Of several that a listener has, the one whose host is the most exact and then whose source is the narrowest.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final, NamedTuple

from gateway.exchange import Exchange
from gateway.limits.connection_counts import ConnectionCounts
from gateway.plan import RoutePlan

Network = IPv4Network | IPv6Network
ANY_NAME: Final = "*"


@dataclass(slots=True, frozen=True)
class ConnectionPlan:
    """route: what calls have as well: filters, destinations. title: of the document. counts: what runs by it. idle_s,
    max_duration_s: inf = none. half_close_s: how long one side goes on alone. most, most_of_source, bytes_per_s: 0 =
    any number."""

    route: RoutePlan
    title: str
    counts: ConnectionCounts
    idle_s: float = math.inf
    half_close_s: float = 0.0
    max_duration_s: float = math.inf
    most: int = 0
    most_of_source: int = 0
    bytes_per_s: int = 0


class Placed(NamedTuple):
    """Where a plan stands on a listener. host: exact, `*.suffix` or ANY_NAME. sources: none = everybody."""

    plan: ConnectionPlan
    sources: tuple[Network, ...] = ()
    host: str = ANY_NAME


class _Sources:
    """The plans of one host, by who calls."""

    __slots__ = ("_anybody", "_networks")

    def __init__(self, placed: Iterable[Placed]) -> None:
        self._anybody: ConnectionPlan | None = None
        found: list[tuple[Network, ConnectionPlan]] = []
        for plan, sources, _ in placed:
            found += [(network, plan) for network in sources]
            if not sources:
                self._anybody = plan
        self._networks = tuple(sorted(found, key=lambda pair: pair[0].prefixlen, reverse=True))

    def match(self, peer: str) -> ConnectionPlan | None:
        if self._networks:
            try:
                address = ip_address(peer.partition("%")[0])
            except ValueError:
                return self._anybody
            if address.version == 6 and address.ipv4_mapped is not None:  # of a socket for both families
                address = address.ipv4_mapped
            for network, plan in self._networks:
                if address in network:
                    return plan
        return self._anybody


class ConnectionTable:
    """Of one listener."""

    __slots__ = ("_any", "_exact", "_suffixes", "plans")

    def __init__(self, placed: Sequence[Placed]) -> None:
        by_host: dict[str, list[Placed]] = {}
        for each in placed:
            by_host.setdefault(each.host, []).append(each)
        self.plans = tuple(dict.fromkeys(each.plan.title for each in placed))
        anybody = by_host.pop(ANY_NAME, None)
        self._any = None if anybody is None else _Sources(anybody)
        self._exact = {host: _Sources(of) for host, of in by_host.items() if not host.startswith("*.")}
        wide = sorted((host for host in by_host if host.startswith("*.")), key=len, reverse=True)
        self._suffixes = tuple((host[1:], _Sources(by_host[host])) for host in wide)

    def match(self, exchange: Exchange) -> ConnectionPlan | None:
        """By its peer, and the host that its first message names (`server_name`), lower-case, "" = none."""
        name, peer = exchange.server_name, exchange.peer
        if name:
            exact = self._exact.get(name)
            if exact is not None and (plan := exact.match(peer)) is not None:
                return plan
            for suffix, sources in self._suffixes:
                if name.endswith(suffix) and (plan := sources.match(peer)) is not None:
                    return plan
        return None if self._any is None else self._any.match(peer)
