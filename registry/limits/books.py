"""The book of shared limits: in memory here, in Redis for several registries (`registry/limits/redis.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from meshway.assignments.ledger import Ledger

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable

    from meshway.assignments.messages import Asks, Grant


class Books(Protocol):
    """Grants what workers ask for, so that no limit is exceeded however many registries assign."""

    async def run(self) -> None:
        """Its task, until cancelled."""

    def assign(self, asks: Asks, workers: int) -> list[Grant] | Future[list[Grant]]:
        """In the order of the asks. workers: live ones of the mesh. Raises Problem 503 when the book is away, at once
        or by the future."""


class MemoryBooks:
    """Lost with the process: whoever starts anew begins with full limits. clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ledger = Ledger()

    async def run(self) -> None:
        """Nothing to do."""

    def assign(self, asks: Asks, workers: int) -> list[Grant]:
        now, assign = self._clock(), self._ledger.assign
        return [
            assign(asks.budgets[ask.budget], ask, holder_of(asks.node, ask.worker), workers, now) for ask in asks.asks
        ]


def holder_of(node: str, worker: str) -> str:
    return f"{node}/{worker}"
