"""How many connections a route has now, and how many one source has: of the gateway, over all its workers."""

from typing import TYPE_CHECKING

from gateway.limits.source_counts import SourceCounts

if TYPE_CHECKING:
    from gateway.host_table import HostTable


class ConnectionCounts:
    """name: of the route. table: without one a worker counts alone."""

    __slots__ = ("_row", "_sources", "_table", "_taken")

    def __init__(self, table: "HostTable | None", name: str) -> None:
        self._row = -1 if table is None else table.row(f"{name} connections")
        self._table = table if self._row >= 0 else None
        self._taken = 0
        self._sources = SourceCounts(name, None if table is None else table.sources)

    def take(self, source: str, most: int, most_of_source: int) -> str:
        """Counts one more, which `leave` ends. Returns which bound stands in the way, and counts nothing then: `limits.
        connections`, `limits.per_source`. 0: there is none."""
        if most and self.taken >= most:
            return "limits.connections"
        if not self._sources.take(source, most_of_source):
            return "limits.per_source"
        self._taken += 1
        if self._table is not None:
            self._table.add(self._row, 1)
        return ""

    def leave(self, source: str) -> None:
        self._taken -= 1
        if self._table is not None:
            self._table.add(self._row, -1)
        self._sources.leave(source)

    @property
    def taken(self) -> int:
        """Of the gateway."""
        return self._taken if self._table is None else self._table.sum(self._row)
