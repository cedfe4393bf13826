"""Bounds the running calls, or the connections, of a cluster over all workers of a host; above it calls wait in order,
bounded in number and time (Envoy calls the bound without the waiting a circuit breaker).

A worker sees the others' running calls in the host table, so the bound may be passed by workers - 1. Without a row
there each worker keeps to its share. Who waits for a slot that another worker frees gets it at the next tick.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.exchange import Exchange, Reply
from gateway.upstream.cluster_settings import BulkheadSettings
from gateway.upstream.connection_limit import ConnectionLimit

if TYPE_CHECKING:
    from gateway.host_table import HostTable

Resume = Callable[[Reply | None], None]


class Bulkhead:
    """connections: None = any number. held: admitted exchanges of this worker; waiting: how many are in the queue."""

    __slots__ = (
        "_is_handing_on",
        "_max_here",
        "_name",
        "_settings",
        "_table",
        "_waiting",
        "connections",
        "held",
        "row",
    )

    def __init__(
        self,
        name: str,
        settings: BulkheadSettings,
        workers: int,
        table: "HostTable | None",
        row: int = -1,
        connections: ConnectionLimit | None = None,
    ) -> None:
        self._name = name
        self._table = table if row >= 0 else None
        self._waiting: OrderedDict[Exchange, tuple[float, Resume]] = OrderedDict()
        self._is_handing_on = False
        self.row = row
        self.connections = connections
        self.held: set[Exchange] = set()
        self.configure(settings, workers)

    def configure(self, settings: BulkheadSettings, workers: int, gateways: int = 1) -> None:
        """gateways: live hosts, which share what is of the whole mesh."""
        self._settings = settings
        most = self._max_here = settings.of_host(settings.max_requests, gateways)
        if self._table is None and most:
            self._max_here = max(1, math.ceil(most / max(workers, 1)))
        if self.connections is not None:
            self.connections.configure(settings.of_host(settings.max_connections, gateways), workers)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def enter(self, exchange: Exchange) -> bool:
        """True: a slot is taken. False: all are, or others wait before it."""
        if self.would_wait:
            return False
        self._take(exchange)
        return True

    @property
    def would_wait(self) -> bool:
        """All slots are taken, or others wait for one."""
        return bool(self._waiting) or not self._has_room()

    def forecast(self) -> Reply | None:
        """The refusal of a call that came now; None: it would go in, or wait."""
        if self.would_wait and len(self._waiting) >= self._settings.max_pending:
            return self._refusal("pending_full", f"{self._name} has its most running and waiting calls")
        return None

    def wait(self, exchange: Exchange, resume: Resume, now: float) -> Reply | None:
        """None: queued, and resume will be called exactly once unless `cancel` comes first."""
        refusal = self.forecast()
        if refusal is not None:
            return refusal
        self._waiting[exchange] = (now + self._settings.pending_timeout_s, resume)
        return None

    def cancel(self, exchange: Exchange) -> bool:
        """The caller went away while waiting. False: it was not waiting."""
        return self._waiting.pop(exchange, None) is not None

    def release(self, exchange: Exchange) -> None:
        if exchange not in self.held:
            return
        self.held.discard(exchange)
        if self._table is not None:
            self._table.add(self.row, -1)
        if self._waiting:
            self.hand_on()
        if self.connections is not None:
            self.connections.settle()

    def hand_on(self) -> None:
        """Gives free slots to those who wait, in order.

        A resumed call may end at once and come back here; the outermost call goes on then, so the stack stays flat.
        """
        if self._is_handing_on:
            return
        self._is_handing_on = True
        try:
            while self._waiting and self._has_room():
                exchange, (_, resume) = self._waiting.popitem(last=False)
                self._take(exchange)
                resume(None)
        finally:
            self._is_handing_on = False

    def expire(self, now: float) -> None:
        """Answers those who waited their time. All wait equally long, so the first is always the next to go."""
        while self._waiting:
            exchange = next(iter(self._waiting))
            deadline, resume = self._waiting[exchange]
            if deadline > now:
                return
            del self._waiting[exchange]
            resume(self._refusal("pending_timeout", f"no running call of {self._name} ended in time"))

    def dissolve(self) -> None:
        """The policy is gone: all who wait go on, and nothing is counted any more."""
        if self._table is not None and self.held:
            self._table.add(self.row, -len(self.held))
        self.held.clear()
        if self.connections is not None:
            self.connections.dissolve()
        while self._waiting:
            _, (_, resume) = self._waiting.popitem(last=False)
            resume(None)

    def _refusal(self, reason: str, detail: str) -> Reply:
        return Reply(503, reason, "UO", detail, policy=self._settings.policy)

    def _has_room(self) -> bool:
        limit, running = self._max_here, len(self.held)
        if limit and (running >= limit or (self._table is not None and self._table.sum(self.row) >= limit)):
            return False
        return self.connections is None or self.connections.has_room(running)

    def _take(self, exchange: Exchange) -> None:
        self.held.add(exchange)
        if self._table is not None:
            self._table.add(self.row, 1)
