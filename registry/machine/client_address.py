"""Whose address a request counts for: behind proxies of one's own the caller's, as they tell it.

Throttles and the audit log go by it. Only a peer in the networks that are named is believed, and of what it says the
right-most address that none of them has: whatever a caller writes itself stands to the left of that. Nobody is trusted
as a neighbour on this machine by such a word: a registry that trusts loopback believes no proxy.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from meshway.addresses import plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshway.http1.message import RequestHead

_MOST = 32  # proxies one behind the other


class ClientAddresses:
    """proxies: networks, CIDR."""

    __slots__ = ("_networks",)

    def __init__(self, proxies: Iterable[str]) -> None:
        self._networks = tuple(ipaddress.ip_network(proxy) for proxy in proxies)

    def of(self, peer: str, head: RequestHead) -> str:
        """peer: of the connection, "": unknown. What is no address ends the way back: the one before it counts."""
        if not self._networks or not self._is_trusted(peer):
            return peer
        told = head.named.get(b"x-forwarded-for", b"").decode("latin-1")
        client = peer
        for text in list(reversed(told.split(",")))[:_MOST]:
            address = _address(text.strip())
            if address is None:
                break
            client = address
            if not self._is_trusted(address):
                break
        return client

    def _is_trusted(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self._networks)


def _address(text: str) -> str | None:
    """IPv4 in IPv6 as IPv4; without a port, which some proxies write."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(plain(ipaddress.ip_address(text)))
    except ValueError:
        return None


def peer_address(peername: object) -> str:
    """Of a connection, as its transport says it; IPv4 in IPv6 (`::ffff:127.0.0.1`) as IPv4, so that it is stored in one
    form. "": unknown."""
    if not isinstance(peername, tuple) or not peername:
        return ""
    try:
        address = ipaddress.ip_address(str(peername[0]).partition("%")[0])
    except ValueError:
        return ""
    # And no other that leads to an IPv4 address: 2002:7f00:1:: is nobody on this machine.
    return str((address.ipv4_mapped if address.version == 6 else None) or address)
