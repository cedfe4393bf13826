"""How many connections a route has now: of the gateway, over all its workers, and of one source in this worker.

The kernel spreads connections over the workers, so a source's are counted where they are and not over all.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.host_table import HostTable


class ConnectionCounts:
    """row: of the host table; without one a worker counts alone."""

    __slots__ = ("_by_source", "_row", "_table", "_taken")

    def __init__(self, table: "HostTable | None", row: int) -> None:
        self._table = table if row >= 0 else None
        self._row = row
        self._taken = 0
        self._by_source: dict[str, int] = {}

    def take(self, source: str, most: int, most_of_source: int) -> str:
        """Counts one more, which `leave` ends. Returns which bound stands in the way, and counts nothing then: `limits.
        connections`, `limits.per_source`. 0: there is none."""
        if most_of_source and self._by_source.get(source, 0) >= most_of_source:
            return "limits.per_source"
        if most and self.taken >= most:
            return "limits.connections"
        self._taken += 1
        if self._table is not None:
            self._table.add(self._row, 1)
        self._by_source[source] = self._by_source.get(source, 0) + 1
        return ""

    def leave(self, source: str) -> None:
        self._taken -= 1
        if self._table is not None:
            self._table.add(self._row, -1)
        left = self._by_source[source] - 1
        if left:
            self._by_source[source] = left
        else:
            del self._by_source[source]

    @property
    def taken(self) -> int:
        """Of the gateway."""
        return self._taken if self._table is None else self._table.sum(self._row)
