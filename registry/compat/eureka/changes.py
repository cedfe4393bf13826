"""What changed in the last minutes, as Eureka's deltas tell it, and how many instances stand in each status.

A window on the commits, by rows: a tombstone of the log names no Eureka id.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from registry.compat.eureka.info import NAMESPACE
from registry.compat.eureka.statuses import shown_status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from registry.view.rows import InstanceRow
    from registry.view.view import InstanceMove, View

KEEP_S: Final = 180.0
"""Eureka's own; its clients ask every 30 s."""
MAX_CHANGES: Final = 10_000
"""Beyond it the oldest are forgotten: a client that misses one sees it by the hash code and asks for all."""

Action = Literal["ADDED", "MODIFIED", "DELETED"]


class RecentChange(NamedTuple):
    at_s: float
    row: InstanceRow
    action: Action


class Changes:
    """Follows the view. clock: monotonic seconds. forgotten: how many changes left the window."""

    def __init__(self, view: View, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._window: deque[RecentChange] = deque()
        self._counts: Counter[str] = Counter()
        self.forgotten = 0
        view.on_instances.append(self._follow)
        for (namespace, _), service in view.services.items():
            if namespace == NAMESPACE:
                self._counts.update(shown_status(row.instance) for row in service.values())

    @property
    def hashcode(self) -> str:
        """apps__hashcode: each status with its count, in order of their names."""
        return "".join(f"{status}_{count}_" for status, count in sorted(self._counts.items()) if count)

    def latest(self) -> list[tuple[InstanceRow, Action]]:
        """Each changed instance once, as it is now or was last, in the order of their last changes."""
        self.forget_old()
        found: dict[tuple[str, str, str], RecentChange] = {}
        for change in self._window:
            found.pop(change.row.key, None)
            found[change.row.key] = change
        return [(change.row, change.action) for change in found.values()]

    def forget_old(self) -> None:
        window, oldest_s = self._window, self._clock() - KEEP_S
        while window and (window[0].at_s < oldest_s or len(window) > MAX_CHANGES):
            window.popleft()
            self.forgotten += 1

    def _follow(self, moves: Sequence[InstanceMove]) -> None:
        at_s = self._clock()
        for before, after in moves:
            row = after or before
            if row is None or row.instance.namespace != NAMESPACE:
                continue
            if before is not None:
                self._counts[shown_status(before.instance)] -= 1
            if after is None:
                action: Action = "DELETED"
            else:
                self._counts[shown_status(after.instance)] += 1
                action = "ADDED" if before is None else "MODIFIED"
            self._window.append(RecentChange(at_s, row, action))
        self.forget_old()
