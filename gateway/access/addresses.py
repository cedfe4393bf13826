"""Networks as ranges that are searched by halves: ten thousand cost what ten do."""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from gateway.exchange import Exchange
from gateway.routing.predicates import read_address

_REMEMBERED: Final = 1024  # callers whose address was judged


class Addresses:
    """entries: networks, each with the moment (seconds since 1970) from which it says nothing, inf = never.

    What is no address is in no network. wall: seconds since 1970.
    """

    __slots__ = ("_changes_at", "_entries", "_judged", "_ranges", "_wall")

    def __init__(self, entries: Iterable[tuple[str, float]], wall: Callable[[], float]) -> None:
        self._entries = [(ip_network(text), until) for text, until in entries]
        self._wall = wall
        self._judged: dict[str, bool] = {}
        self._changes_at = math.inf
        self._ranges: dict[int, tuple[list[int], list[int]]] = {}
        self._read()

    def compile(self) -> Callable[[Exchange], bool]:
        """Whether a network holds the caller's address."""
        known, judge = self._judged.get, self._judge

        def holds(exchange: Exchange) -> bool:
            verdict = known(exchange.peer)
            return judge(exchange.peer) if verdict is None else verdict

        def holds_now(exchange: Exchange) -> bool:
            if self._wall() >= self._changes_at:
                self._read()
            return holds(exchange)

        return holds if all(until == math.inf for _, until in self._entries) else holds_now

    def compile_outside(self, *, unreadable: bool) -> Callable[[Exchange], bool]:
        """Whether no network holds the caller's address. unreadable: what is said of what is no address."""
        holds = self.compile()
        if unreadable:
            return lambda exchange: not holds(exchange)
        return lambda exchange: not holds(exchange) and read_address(exchange.peer) is not None

    def _judge(self, peer: str) -> bool:
        if len(self._judged) >= _REMEMBERED:
            self._judged.clear()
        verdict = self._judged[peer] = self._search(peer)
        return verdict

    def _search(self, peer: str) -> bool:
        address = read_address(peer)
        if address is None:
            return False
        starts, ends = self._ranges.get(address.version, ((), ()))
        at = bisect_right(starts, int(address)) - 1
        return at >= 0 and int(address) <= ends[at]

    def _read(self) -> None:
        """What holds now, and when that changes."""
        now = self._wall()
        live = [network for network, until in self._entries if until > now]
        self._changes_at = min((until for _, until in self._entries if until > now), default=math.inf)
        self._judged.clear()
        self._ranges = {version: _ranges(live, version) for version in (4, 6)}


def _ranges(networks: Iterable[IPv4Network | IPv6Network], version: int) -> tuple[list[int], list[int]]:
    """First and last addresses of disjoint ranges, in order."""
    starts: list[int] = []
    ends: list[int] = []
    found = (
        (int(network.network_address), int(network.broadcast_address))
        for network in networks
        if network.version == version
    )
    for first, last in sorted(found):
        if ends and first <= ends[-1] + 1:
            ends[-1] = max(ends[-1], last)
        else:
            starts.append(first)
            ends.append(last)
    return starts, ends
