"""What leases need of a live state: memory here, Redis for several replicas.

Time is the live state's own monotonic clock; a client's clock is never read.
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

LIVE = 0
CRITICAL = 1


class Lease(msgspec.Struct, gc=False):
    """An instance's right to be called. state CRITICAL: it ran out; expires_s is then when the instance is removed.

    expires_s: of the live state's clock. answers_until_s: a gateway saw it answer, so it counts as alive that long.
    slot: where the live state looks at it next; its own business.
    """

    lease_id: str
    number: int
    generation: int
    namespace: str
    service: str
    id: str
    zone: str
    ttl_s: int
    expires_s: float
    state: int = LIVE
    answers_until_s: float = 0.0
    slot: int = 0


class Renewed(msgspec.Struct, frozen=True):
    """critical: leases that ran out but whose instances are still there; making them passing again is a write."""

    count: int
    critical: list[Lease]
    unknown: list[str]
    superseded: list[str]


class Live(Protocol):
    """All of it is lost with the live state, and may be: every lease the database knows then counts as renewed."""

    def now(self) -> float: ...

    def start(self, lease: Lease) -> None:
        """Takes the place of an older lease with the same number."""

    def end(self, number: int) -> None: ...

    def renew(self, lease_ids: Sequence[str]) -> Renewed: ...

    def due(self) -> list[Lease]:
        """Each lease whose time is over, once; `again` puts one back."""

    def again(self, lease: Lease) -> None: ...

    def find(self, number: int) -> Lease | None: ...

    def leases(self) -> Iterable[Lease]: ...

    def __len__(self) -> int: ...
