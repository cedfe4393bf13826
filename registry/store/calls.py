"""Where single calls and spans are kept that several registries hear of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

CALLS: Final = "calls"
SPANS: Final = "spans"

FoundItem = tuple[int, bytes]
"""id, greater than of all that came before, and value."""


class Item(NamedTuple):
    """value: as the asker packed it."""

    trace_id: str
    request_id: str
    value: bytes


class Told(NamedTuple):
    """A gateway's message. kind: CALLS, SPANS. at: microseconds since 1970. What comes twice counts once."""

    kind: str
    node: str
    boot: str
    sequence: int
    at: int
    items: Sequence[Item]


class CallStore(Protocol):
    """All may raise StoreUnavailable."""

    async def write(self, told: Told) -> None: ...

    async def page(self, kind: str, before: int, count: int) -> list[FoundItem]:
        """Those below an id, the youngest first."""

    async def having(self, kind: str, name: str, wanted: str, count: int) -> list[FoundItem]:
        """Those whose `trace_id` or `request_id` is wanted, the youngest first."""

    async def prune(self, kind: str, *, before: int, most_items: int, most_bytes: int) -> None:
        """Forgets what came before a moment (microseconds), and the oldest above so many and so many bytes."""

    async def close(self) -> None: ...
