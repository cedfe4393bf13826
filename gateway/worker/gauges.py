"""What is so now, and what is only looked at: written into the worker's counters each two seconds, in slices.

Connections, waiting calls and breakers are states of the clusters, so nothing is counted for them on the way of a call.
A cluster that was never busy has no series.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from gateway.relay.tunnel import Tunnels
from gateway.routing.table import Tables
from gateway.telemetry.counters import IN_FLIGHT
from gateway.upstream.breaker import CLOSED

if TYPE_CHECKING:
    from gateway.compiler.filters import LimitKey, Limits
    from gateway.filters.limit import Limit
    from gateway.telemetry.counters import Counters
    from gateway.upstream.cluster import Cluster

BEATS: Final = 40  # of 50 ms
CONNECTIONS: Final = "meshway_upstream_connections"
PENDING: Final = "meshway_pending_requests"
BREAKERS: Final = "meshway_breaker_open"
LIMITS: Final = "meshway_concurrency_limit"
UPGRADED: Final = "meshway_upgraded_connections"
MESSAGES: Final = "meshway_websocket_messages_total"
# In the order of `Limit.tallies`.
OF_LIMITS: Final = (
    "meshway_rate_limit_would_refuse_total",
    "meshway_rate_limit_alone_total",
    "meshway_rate_limit_ahead_total",
    "meshway_rate_limit_keys_dropped_total",
)


class Gauges:
    """tunnels: of the worker."""

    def __init__(self, counters: "Counters", tunnels: Tunnels) -> None:
        self._counters = counters
        self._tunnels = tunnels
        self._upgraded = -1  # cells, from the first upgrade on
        self._messages: Sequence[int] = ()
        self._messages_told = (0, 0)
        self._cells: dict[str, tuple[int, int, int, int, int]] = {}
        self._told: dict[LimitKey, tuple[Limit, Sequence[int]]] = {}
        self._beats_left = 0
        self._slice = 1
        self._rest: Iterator[Cluster] = iter(())

    def beat(self, tables: Tables, limits: "Limits") -> None:
        """The next slice."""
        if not self._beats_left:
            self._begin(tables)
            self._count_limits(limits)
            self._count_tunnels()
        self._beats_left -= 1
        for cluster in islice(self._rest, self._slice):
            self._show(cluster)

    def _begin(self, tables: Tables) -> None:
        self._beats_left = BEATS
        self._slice = len(tables.clusters) // BEATS + 1
        self._rest = iter(tables.clusters.values())
        for name in self._cells.keys() - tables.clusters.keys():
            for cell in self._cells.pop(name):
                self._counters.set(cell, 0.0)

    def _show(self, cluster: "Cluster") -> None:
        in_flight = sum(endpoint.in_flight for endpoint in cluster.endpoints)
        if cluster.opening.sharing is None:
            connections = in_flight + sum(len(endpoint.idle) for endpoint in cluster.endpoints)
        else:
            connections = sum(len(endpoint.shared) for endpoint in cluster.endpoints)
        pending = cluster.bulkhead.waiting if cluster.bulkhead is not None else 0
        is_open = cluster.breaker is not None and cluster.breaker.state is not CLOSED
        limit = cluster.most_at_once
        cells = self._cells.get(cluster.name)
        if cells is None:
            if not connections and not pending and not is_open:
                return
            gauge = self._counters.gauge
            cells = self._cells[cluster.name] = (
                gauge(CONNECTIONS, service=cluster.name),
                gauge(PENDING, service=cluster.name),
                gauge(BREAKERS, service=cluster.name),
                gauge(LIMITS, service=cluster.name),
                gauge(IN_FLIGHT, service=cluster.name),
            )
        for cell, value in zip(cells, (connections, pending, is_open, limit, in_flight), strict=True):
            self._counters.set(cell, float(value))

    def _count_tunnels(self) -> None:
        tunnels, counters = self._tunnels, self._counters
        if not self._messages:
            if not tunnels.open and not tunnels.from_callers and not tunnels.from_services:
                return
            self._upgraded = counters.gauge(UPGRADED)
            self._messages = [counters.counter(MESSAGES, **{"from": who}) for who in ("caller", "service")]
        counters.set(self._upgraded, float(tunnels.open))
        now = tunnels.from_callers, tunnels.from_services
        for cell, count, before in zip(self._messages, now, self._messages_told, strict=True):
            if count > before:
                counters.add(cell, count - before)
        self._messages_told = now

    def _count_limits(self, limits: "Limits") -> None:
        """A changed limit is another one, which begins at nought."""
        told: dict[LimitKey, tuple[Limit, Sequence[int]]] = {}
        for key, limit in limits.items():
            before, counts = self._told.get(key, (limit, ()))
            tallies = limit.tallies()
            if any(tallies) and tallies != counts:
                was = counts if before is limit and counts else (0,) * len(tallies)
                for name, count, already in zip(OF_LIMITS, tallies, was, strict=True):
                    self._counters.add(self._counters.counter(name, limit=limit.title), count - already)
            told[key] = (limit, tallies)
        self._told = told
