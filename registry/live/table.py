"""A replica's own table of leases: a dict by lease id, and a lazy wheel of half-second lists.

A renewal only moves a number; the wheel learns of it when the old moment comes and puts the lease further on. A heap
costs four times as much per revisit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from registry.live.interface import LIVE, Lease, Renewed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_SLOTS_PER_S: Final = 2


class LeaseTable:
    """clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.now = clock
        self._by_id: dict[str, Lease] = {}
        self._by_number: dict[int, Lease] = {}
        self._wheel: dict[int, list[Lease]] = {}
        self._looked = int(clock() * _SLOTS_PER_S)

    def start(self, lease: Lease) -> None:
        before = self._by_number.get(lease.number)
        if before is not None:
            del self._by_id[before.lease_id]
        self._by_number[lease.number] = lease
        self._by_id[lease.lease_id] = lease
        self.again(lease)

    def end(self, number: int) -> None:
        lease = self._by_number.pop(number, None)
        if lease is not None:
            del self._by_id[lease.lease_id]

    def renew(self, lease_ids: Sequence[str]) -> Renewed:
        now = self.now()
        by_id = self._by_id
        count = 0
        critical: list[Lease] = []
        unknown: list[str] = []
        superseded: list[str] = []
        for lease_id in lease_ids:
            lease = by_id.get(lease_id)
            if lease is None:
                (superseded if self._is_superseded(lease_id) else unknown).append(lease_id)
            elif lease.state == LIVE:
                lease.expires_s = now + lease.ttl_s
                count += 1
            else:
                critical.append(lease)
        return Renewed(count, critical, unknown, superseded)

    def due(self) -> list[Lease]:
        now = self.now()
        slot = int(now * _SLOTS_PER_S)
        due: list[Lease] = []
        # A loop that stood still (a suspended machine) may have missed more slots than there are lists.
        passed = range(self._looked + 1, slot + 1)
        slots = passed if len(passed) <= len(self._wheel) else [at for at in self._wheel if at <= slot]
        for at in slots:
            for lease in self._wheel.pop(at, ()):
                if lease.slot != at or self._by_number.get(lease.number) is not lease:
                    continue
                if lease.expires_s > now:
                    self.again(lease)
                else:
                    lease.slot = 0  # it may stand in the list twice, and is due once
                    due.append(lease)
        self._looked = max(slot, self._looked)
        return due

    def again(self, lease: Lease) -> None:
        # The slot that ends after the expiry, and never one that was looked through.
        slot = lease.slot = max(int(lease.expires_s * _SLOTS_PER_S), int(self.now() * _SLOTS_PER_S)) + 1
        self._wheel.setdefault(slot, []).append(lease)

    def find(self, number: int) -> Lease | None:
        return self._by_number.get(number)

    def leases(self) -> Iterable[Lease]:
        return self._by_number.values()

    def __len__(self) -> int:
        return len(self._by_number)

    def answered(self, leases: Iterable[Lease]) -> None:
        now = self.now()
        for lease in leases:
            lease.answers_until_s = now + lease.ttl_s

    def _is_superseded(self, lease_id: str) -> bool:
        """A lease id is number, generation, random: an older generation of an instance that is still here."""
        number, _, rest = lease_id.partition("-")
        generation = rest.partition("-")[0]
        if not (number.isascii() and number.isdigit() and len(number) < 19 and generation.isascii()):
            return False
        lease = self._by_number.get(int(number))
        return (
            lease is not None and generation.isdigit() and len(generation) < 19 and int(generation) < lease.generation
        )
