"""Who waits for a change: blocking queries, woken once by the first revision that touches their scope."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Scope = tuple[str, ...]
"""`()` everything, `(namespace,)`, or `(namespace, service)`."""


class Waiters:
    """The callers bound the time they wait and cancel; a scope without waiters costs nothing."""

    __slots__ = ("_by_scope",)

    def __init__(self) -> None:
        self._by_scope: dict[Scope, dict[object, Callable[[], None]]] = {}

    def add(self, scope: Scope, wake: Callable[[], None]) -> Callable[[], None]:
        """Returns what takes the wait back; it may be called at any time. wake must not raise."""
        ticket = object()
        self._by_scope.setdefault(scope, {})[ticket] = wake

        def cancel() -> None:
            waiting = self._by_scope.get(scope)
            if waiting is not None:
                waiting.pop(ticket, None)
                if not waiting:
                    self._by_scope.pop(scope, None)

        return cancel

    def wake(self, scopes: Iterable[Scope]) -> None:
        if not self._by_scope:
            return
        for scope in scopes:
            for wake in self._by_scope.pop(scope, {}).values():
                wake()

    def scopes(self) -> list[Scope]:
        """All that somebody waits for."""
        return list(self._by_scope)

    def __len__(self) -> int:
        return sum(map(len, self._by_scope.values()))
