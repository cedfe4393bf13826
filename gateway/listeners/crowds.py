"""Addresses that have as many connections as one may, and ask for more all the time.

Accepting a connection to reset it costs as much as a call. Once an address was refused so often in a second, the kernel
drops what it asks for, until it has fewer connections again: a caller of good faith asks again by himself (RFC 9293
§3.8.1, after a second). Where the system has no such filter, each is reset.
"""

import logging
import math
import socket
from collections import Counter
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from gateway.listeners import syn_filter
from gateway.wire.listener_context import ListenerContext

SPAN_S: Final = 1.0
MOST_REFUSED: Final = 32  # connections of one address in a span that are reset
MOST_KEPT_OUT: Final = 64  # addresses; who attacks from more is not held off by addresses
ENOUGH: Final = 0.9  # of what an address may have: below it is let in again
LINES_EVERY_S: Final = 60.0

_log = logging.getLogger("meshway.gateway.listeners")


class Crowds:
    """Of one listener and its socket. kept_out: the addresses whose new connections are dropped now."""

    __slots__ = ("_accepting", "_due", "_is_offered", "_listener", "_refused", "_silent_until", "kept_out")

    def __init__(self, listener: ListenerContext, accepting: socket.socket) -> None:
        self._listener = listener
        self._accepting = accepting
        self._is_offered = syn_filter.IS_OFFERED
        self._refused: Counter[str] = Counter()
        self._due = 0.0
        self._silent_until = 0.0
        self.kept_out: dict[str, IPv4Address | IPv6Address] = {}
        syn_filter.detach(accepting)  # a worker that was killed left its own
        listener.crowded = self.refused

    def refused(self, peer: str) -> None:
        """One more connection of this address was reset."""
        self._refused[peer] += 1
        if self._refused[peer] < MOST_REFUSED or not self._is_offered:
            return
        if peer not in self.kept_out and len(self.kept_out) < MOST_KEPT_OUT:
            self.kept_out[peer] = _address(peer)
            self._filter()
            self._tell(peer)

    def beat(self, now: float) -> None:
        if now < self._due:
            return
        self._due = now + SPAN_S
        self._refused.clear()
        listener = self._listener
        most = listener.limits.per_address
        few = ENOUGH * most if most else math.inf  # a document may have lifted it
        gone = [peer for peer in self.kept_out if listener.per_address.get(peer, 0) < few]
        for peer in gone:
            del self.kept_out[peer]
        if gone:
            self._filter()

    def close(self) -> None:
        """The socket lives on with the next worker."""
        self.kept_out.clear()
        self._filter()

    def _filter(self) -> None:
        try:
            if self.kept_out:
                syn_filter.attach(self._accepting, self.kept_out.values())
            else:
                syn_filter.detach(self._accepting)
        except OSError as error:  # forbidden here, as in some sandboxes
            self._is_offered = False
            self.kept_out.clear()
            _log.info("%s: new connections cannot be dropped: %s", self._listener.name, error.strerror or error)
        self._listener.kept_out = len(self.kept_out)

    def _tell(self, peer: str) -> None:
        now = self._listener.now()
        if now < self._silent_until or not self.kept_out:
            return
        self._silent_until = now + LINES_EVERY_S
        count = self._listener.limits.per_address
        _log.info("%s: %s has %d connections and asks for more: they are dropped", self._listener.name, peer, count)


def _address(peer: str) -> IPv4Address | IPv6Address:
    """A socket for both families tells callers of IPv4 as mapped addresses; the segment is IPv4's."""
    address = ip_address(peer.partition("%")[0])
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
