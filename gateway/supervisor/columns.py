"""The host table of a supervisor, and which of its columns are free for a worker.

Two supervisors of which one takes the other's place have one table, so that what is bounded for a host is counted once
while workers of both run: the one that goes lends some of its free columns, and the one that stays has all of them when
the other has ended.
"""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gateway.host_table import HostTable

PER_SLOT: Final = 4  # the running worker, its successor, and two that still drain
ORPHANED_S: Final = 10.0  # workers whose supervisor was killed have left by then

_log = logging.getLogger("meshway.gateway.supervisor")


class Columns:
    """path: where workers find the table."""

    def __init__(self, path: Path, slots: int) -> None:
        self.path = path
        self._slots = slots
        self._table = HostTable.create(path, slots * PER_SLOT)
        self._free = list(range(slots * PER_SLOT))
        self._lent: list[int] = []
        self._others: list[int] = []  # of the one whose place is taken
        self._freed = asyncio.Event()

    async def take(self) -> int:
        """One that counts nothing, as soon as there is one."""
        while not self._free:
            self._freed.clear()
            await self._freed.wait()
        column = self._free.pop(0)
        self._table.zero_column(column)
        return column

    def give_back(self, *columns: int) -> None:
        """Of workers that are gone."""
        for column in columns:
            self._table.zero_column(column)
        self._free += columns
        self._freed.set()

    # Between two supervisors.

    def lend(self) -> tuple[int, ...]:
        """To one that takes this one's place. Each of our slots keeps one, for a worker that has to be replaced."""
        self._free, self._lent = self._free[: self._slots], self._free[self._slots :]
        return tuple(self._lent)

    def end_loan(self, drain_s: float) -> None:
        """It has failed; its workers answer for so long yet whom they have taken in."""
        self._lent = self._later(self._lent, drain_s)

    def borrow(self, path: Path, columns: Sequence[int]) -> None:
        """Before any worker starts: the table of the one whose place is taken, with what it lends. Where that is of
        another version, or not enough for us, each counts by its own."""
        try:
            if len(columns) < self._slots:
                raise ValueError("the gateway that runs needs the columns of its table for a reload")
            joined = HostTable.join(self.path, path, self._slots * PER_SLOT)
        except (OSError, ValueError) as error:
            _log.warning("while both run, each counts alone what is bounded for a host: %s", error)
            return
        self._table.close()
        self._table, self._free = joined, list(columns)
        self._others = [column for column in range(joined.columns) if column not in columns]

    def inherit(self) -> None:
        """The one before has ended; workers that it left behind are there for a moment yet."""
        self._others = self._later(self._others)

    def _later(self, columns: list[int], drain_s: float = 0.0) -> list[int]:
        if columns:
            asyncio.get_running_loop().call_later(drain_s + ORPHANED_S, self.give_back, *columns)
        return []
