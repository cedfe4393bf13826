"""The live state of the embedded mode: one registry, whose own table is the whole truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.live.interface import Claimed
from registry.live.table import LeaseTable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from registry.live.interface import Lease


class MemoryLive(LeaseTable):
    """clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self.notice = self.noticed = b""
        self.kept = self.losses = self.mark = 0

    async def run(self) -> None:
        """Nothing to do: nobody shares it."""

    async def catch_up(self) -> bool:
        return True

    async def claim(self, leases: Sequence[Lease]) -> list[Claimed]:
        return [Claimed(lease, 0) for lease in leases]

    async def settle(self, claims: Sequence[Claimed]) -> None:
        """Nothing was marked: heartbeats and the sweep's write are judged in one order."""

    async def begin_anew(self) -> bool:
        """Nobody else renewed here, so nothing is unknown."""
        return True

    def missing(self) -> str | None:
        return None


class MemoryBus:
    """One end of a bus inside a process. ends: all of them, this one included when it is made."""

    silent_since_s: float | None = None
    dropped = 0

    def __init__(self, ends: list[MemoryBus] | None = None) -> None:
        self._ends: list[MemoryBus] = [] if ends is None else ends
        self._ends.append(self)
        self._heard: dict[str, list[Callable[[bytes], None]]] = {}

    async def run(self) -> None:
        """Nothing to do: messages are heard as they are published."""

    def publish(self, topic: str, message: bytes) -> None:
        for end in self._ends:
            if end is not self:
                for heard in end._heard.get(topic, ()):
                    heard(message)

    def subscribe(self, topic: str, heard: Callable[[bytes], None]) -> None:
        self._heard.setdefault(topic, []).append(heard)
