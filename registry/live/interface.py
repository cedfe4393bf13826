"""What leases need of a live state: memory here, Redis for several replicas.

A client's clock is never read. Times are this process's monotonic seconds; what replicas tell each other is measured by
Redis's clock and turned into them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Sequence

LIVE = 0
CRITICAL = 1


class Lease(msgspec.Struct, gc=False):
    """An instance's right to be called. state CRITICAL: it ran out; expires_s is then when the instance is removed.

    expires_s: of the live state's clock. answers_until_s: a gateway saw it answer, so it counts as alive that long.
    since: the revision that made it critical. slot, packed: the live state's own business.
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
    since: int = 0
    slot: int = 0
    packed: bytes = b""


class Claimed(NamedTuple):
    """A lease that a sweep is about to expire. mark: which claim it is; 0: one that only may have been made."""

    lease: Lease
    mark: int


class Renewed(msgspec.Struct, frozen=True):
    """critical: leases that ran out but whose instances are still there; making them passing again is a write.

    written: what an answer waits for, None: nothing. It ends with leases that are about to expire all the same unless
    a write says otherwise, or with a Problem (503).
    """

    count: int
    critical: list[Lease]
    unknown: list[str]
    superseded: list[str]
    written: asyncio.Future[list[Claimed]] | None = None


class Veto(Protocol):
    """Says where the one that sweeps hears it that this replica holds renewals no other sees; nobody sweeps then."""

    async def hold(self) -> bool:
        """False: it could not be said. Said again, it tells whether it still stands."""

    async def release(self) -> None: ...


class Agreement(Protocol):
    """Whether all registries of one store share their renewals in one place: in others' places nobody hears of them.

    refusal: why not, as last known; None: they do.
    """

    refusal: str | None

    async def reach(self, place: str) -> str | None:
        """The refusal of renewals shared in `place` from now on. Ends within a moment: without the store's word what
        was known last stands."""


class Bus(Protocol):
    """Messages from replica to replica: heard by all others, mostly. It loses what it cannot carry, so whoever uses it
    says again what matters. dropped: messages it knows it lost."""

    dropped: int

    async def run(self) -> None:
        """Its task, until cancelled."""

    def publish(self, topic: str, message: bytes) -> None:
        """Never waits and never fails."""

    def subscribe(self, topic: str, heard: Callable[[bytes], None]) -> None: ...

    @property
    def silent_since_s(self) -> float | None:
        """Since when messages of others may be missing (monotonic); None: they come."""


class Live(Protocol):
    """All of it is lost with the live state, and may be: every lease the database knows then counts as renewed.

    notice: what this replica, sweeping, has the others know. noticed: what the one that sweeps says.
    kept: how many renewals were answered and are not shared yet. losses: how often they could not be shared.
    """

    notice: bytes
    noticed: bytes
    losses: int

    @property
    def kept(self) -> int: ...

    def now(self) -> float: ...

    def start(self, lease: Lease) -> None:
        """Takes the place of an older lease with the same number."""

    def end(self, number: int) -> None: ...

    def renew(self, lease_ids: Sequence[str]) -> Renewed:
        """Raises Problem 503 when a renewal could neither be shared nor kept."""

    def answered(self, leases: Iterable[Lease]) -> None:
        """Gateways saw them answer calls: they count as alive for another TTL."""

    def due(self) -> list[Lease]:
        """Each lease whose time is over, once; `again` puts one back."""

    def again(self, lease: Lease) -> None: ...

    def find(self, number: int) -> Lease | None: ...

    def leases(self) -> Iterable[Lease]: ...

    async def run(self) -> None:
        """Its task, until cancelled."""

    async def catch_up(self) -> bool:
        """Hears of every renewal that another replica has answered before this call; False: it cannot."""

    async def claim(self, leases: Sequence[Lease]) -> list[Claimed]:
        """Those of the overdue that nobody renewed on any replica. A heartbeat that comes for one from here on is
        answered after a write only, so a sweep that stands still before its commit undoes no answered renewal."""

    @property
    def mark(self) -> int:
        """What is claimed from now on has a higher mark."""

    async def settle(self, claims: Sequence[Claimed]) -> None:
        """These claims mean nothing any more: a write came after them, whoever wrote it. One that cannot be taken back
        costs the next heartbeat a write."""

    async def begin_anew(self) -> bool:
        """Every lease counts as renewed now, on all replicas; False: they cannot hear of it."""

    def missing(self) -> str | None:
        """Why leases are not shared now, for readiness; None: they are. Nobody expires meanwhile."""

    def __len__(self) -> int: ...
