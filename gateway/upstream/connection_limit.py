"""Bounds the connections to a cluster over all workers of a host, busy and idle ones.

Each worker writes into the host table how many it has. A call enters while its connection fits beside the busy ones
here and all of the others'; idle ones of our own are no hindrance, since they serve it or are closed for it. What a
worker keeps idle stays within its share, so that no worker starves another. Two workers that open at the same moment
may pass the bound by one each.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gateway.upstream.endpoint import Endpoint

if TYPE_CHECKING:
    from gateway.host_table import HostTable


class ConnectionLimit:
    """endpoints: of the cluster, as they are now. row: of the host table; without one a worker keeps to its share.
    max_streams: calls that share a connection, 0: each has one of its own. Where they share, an instance that is called
    has one connection at least, though that passes the bound."""

    __slots__ = ("_endpoints", "_most", "_row", "_share", "_table", "_told", "max_streams")

    def __init__(self, endpoints: Callable[[], Sequence[Endpoint]], table: "HostTable | None", row: int) -> None:
        self._endpoints = endpoints
        self._table = table if row >= 0 else None
        self._row = row
        self._most = self._share = 1
        self._told = 0
        self.max_streams = 0

    def configure(self, most: int, workers: int) -> None:
        """most: over the host's workers."""
        self._share = max(1, most // max(workers, 1))
        self._most = most if self._table is not None else self._share

    def has_room(self, running: int) -> bool:
        """Whether one more call can have a connection. running: calls that were let in here."""
        busy = sum([endpoint.in_flight for endpoint in self._endpoints()])
        calls, most = max(busy, running), self._most - self._of_others()
        return calls < (most * self.max_streams if self.max_streams else most)

    def may_open(self) -> bool:
        """Whether one more connection that calls share fits, in place of one that is idle where need be."""
        most = self._most - self._of_others()
        self._close_idle(self._count() + 1 - most)
        return self._count() < most

    def make_room(self) -> None:
        """A new connection is about to be opened, for an attempt that counts as in flight already."""
        if self.max_streams:
            return
        self._close_idle(self._count() + self._of_others() - self._most)
        self.tell()

    def settle(self) -> None:
        """A call ended, and its connection lies idle or is closed."""
        self._close_idle(self._count() - self._share)
        self.tell()

    def tell(self) -> int:
        """What is open here, to the other workers."""
        count = self._count()
        self._show(count)
        return count

    def dissolve(self) -> None:
        """The policy is gone."""
        self._show(0)

    def _show(self, count: int) -> None:
        if self._table is not None and count != self._told:
            self._table.add(self._row, count - self._told)
            self._told = count

    def _count(self) -> int:
        if self.max_streams:
            return sum([len(endpoint.shared) for endpoint in self._endpoints()])
        return sum([endpoint.in_flight + len(endpoint.idle) for endpoint in self._endpoints()])

    def _of_others(self) -> int:
        return self._table.sum(self._row) - self._told if self._table is not None else 0

    def _close_idle(self, excess: int) -> None:
        """So many of them, the oldest of who has most."""
        if self.max_streams:
            idle = [one for endpoint in self._endpoints() for one in endpoint.shared if not one.running]
            for shared in idle[: max(excess, 0)]:
                shared.retire()
            return
        for _ in range(excess):
            most = max(self._endpoints(), key=_idle, default=None)
            if most is None or not most.idle:
                return
            most.idle.pop(0).close()


def _idle(endpoint: Endpoint) -> int:
    return len(endpoint.idle)
