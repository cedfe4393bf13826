"""How many connections one address has by one bound: of the gateway, over all its workers.

The kernel spreads connections over the workers, so an address's are in several. Only where there is a bound the others
are told and asked, once a connection.
"""

from typing import TYPE_CHECKING

from gateway.source_cells import NO_CELL, key_of

if TYPE_CHECKING:
    from gateway.source_cells import SourceCells


class _Source:
    """count: here. key, cell: where the others see it, NO_CELL: they do not."""

    __slots__ = ("cell", "count", "key")

    def __init__(self, key: int) -> None:
        self.count = 0
        self.key = key
        self.cell = NO_CELL


class SourceCounts:
    """bound: its name, the same in all workers. cells: None = a worker counts alone."""

    __slots__ = ("_bound", "_cells", "_sources")

    def __init__(self, bound: str, cells: "SourceCells | None") -> None:
        self._bound = bound
        self._cells = cells
        self._sources: dict[str, _Source] = {}

    def take(self, source: str, most: int) -> bool:
        """Counts one more, which `leave` ends. False: there are as many as may be, and nothing is counted. most: 0 =
        any number."""
        known, cells = self._sources.get(source), self._cells
        if most and known is not None and known.count >= most:
            return False
        if known is None:
            known = _Source(key_of(self._bound, source) if most and cells is not None else 0)
        if most and cells is not None:
            known.key = known.key or key_of(self._bound, source)  # it came when there was no bound
            if known.count + cells.of_others(known.key) >= most:
                return False
            if known.cell == NO_CELL:
                known.cell = cells.claim(known.key, known.count + 1)
        known.count += 1
        self._sources[source] = known
        self._tell(known)
        return True

    def leave(self, source: str) -> None:
        known = self._sources[source]
        known.count -= 1
        self._tell(known)
        if not known.count:
            del self._sources[source]

    def _tell(self, known: _Source) -> None:
        if known.cell != NO_CELL:
            assert self._cells is not None
            self._cells.tell(known.cell, known.count)
