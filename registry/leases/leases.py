"""Leases: what a heartbeat does, and what happens when none comes.

Live, overdue (held by self-preservation), critical, removed. Every step but the renewal is a write with a revision;
renewals touch the live state only.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import msgspec

from meshway.problem import Problem
from registry.live.interface import CRITICAL, LIVE, Lease, Renewed
from registry.view.rows import InstanceRow, instance_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from meshway.model.instance import Status
    from registry.leases.self_preservation import Group, Hold, SelfPreservation
    from registry.live.interface import Live
    from registry.revisions.draft import Draft, Write
    from registry.view.rows import InstanceKey
    from registry.view.view import InstanceMove, View

_LOOK_EVERY_S: Final = 0.2
_SWEEP_ROWS: Final = 1000
_RETRY_S: Final = 1.0
_log = logging.getLogger("registry.leases")


class Renewal(msgspec.Struct, frozen=True, kw_only=True):
    """What a heartbeat did. unknown: register again. superseded: another process holds the instance now."""

    renewed: int
    unknown: list[str] = []
    superseded: list[str] = []


class Leases:
    """submit: `Revisions.submit`. remove_after_s: from critical to removed."""

    def __init__(
        self,
        view: View,
        live: Live,
        submit: Callable[[Write[Any]], asyncio.Future[Any]],
        *,
        self_preservation: SelfPreservation,
        remove_after_s: float,
    ) -> None:
        self._view = view
        self._live = live
        self._submit = submit
        self._guard = self_preservation
        self._remove_after_s = remove_after_s
        self._alive: Counter[Group] = Counter()
        self._held: dict[int, Lease] = {}
        view.on_instances.append(self._follow)
        for service in view.services.values():
            self._follow([(None, row) for row in service.values()])

    @property
    def count(self) -> int:
        """Leases of all instances, the critical ones included."""
        return len(self._live)

    @property
    def holds(self) -> list[Hold]:
        """Where self-preservation has paused expiry."""
        return list(self._guard.holds.values())

    def expires_in_s(self, number: int) -> float:
        """Seconds the lease has left; 0 when it is over."""
        lease = self._live.find(number)
        if lease is None or lease.state == CRITICAL:
            return 0.0
        return max(0.0, round(lease.expires_s - self._live.now(), 3))

    def is_unrenewed(self, number: int) -> bool:
        """Still passing, though no renewal came in time: it answers calls, or expiry is paused."""
        lease = self._live.find(number)
        return lease is not None and lease.state == LIVE and lease.expires_s <= self._live.now()

    def renew(self, lease_ids: Sequence[str]) -> Renewal | asyncio.Future[Renewal]:
        """A future only where a critical instance comes back: that is a write."""
        renewed = self._live.renew(lease_ids)
        if renewed.critical:
            return self._submit(Revive(renewed, self._live.now()))
        return Renewal(renewed=renewed.count, unknown=renewed.unknown, superseded=renewed.superseded)

    def renew_row(self, row: InstanceRow) -> None:
        """A registration by the process that holds the lease is a renewal, too."""
        self._live.renew([row.lease_id])

    def answered(self, instances: Iterable[InstanceKey]) -> None:
        """Gateways saw these instances answer calls: they count as alive for another TTL."""
        now = self._live.now()
        for key in instances:
            row = self._view.instance(key)
            lease = None if row is None else self._live.find(row.number)
            if lease is not None:
                lease.answers_until_s = now + lease.ttl_s

    async def run(self) -> None:
        """The sweep, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            await self.sweep()

    async def sweep(self) -> None:
        """Looks once: what ran out becomes critical, what was critical long enough goes, each as one revision."""
        now = self._live.now()
        overdue, remove = self._overdue(now)
        expire: list[Lease] = []
        if overdue or self._guard.holds:
            expire, held = self._guard.judge(overdue, self._alive, now)
            self._held = {lease.number: lease for lease in held}
        for at in range(0, max(len(expire), len(remove)), _SWEEP_ROWS):
            part = Sweep(expire[at : at + _SWEEP_ROWS], remove[at : at + _SWEEP_ROWS], now)
            try:
                await self._submit(part)
            except Problem as problem:
                _log.warning("the sweep of leases is put off: %s", problem)
                self._put_back(part)
                continue
            for lease in part.expire:
                if lease.state == LIVE:  # renewed while the sweep waited for its turn
                    self._live.again(lease)

    def _overdue(self, now: float) -> tuple[list[Lease], list[Lease]]:
        """Leases that ran out, those held before included, and critical ones whose time to go has come."""
        due: list[Lease] = []
        remove: list[Lease] = []
        for lease in [*self._live.due(), *self._held.values()]:
            if self._live.find(lease.number) is not lease:
                continue
            if lease.state == CRITICAL:
                remove.append(lease)
            elif lease.expires_s > now or lease.answers_until_s > now:
                self._live.again(lease)
            else:
                due.append(lease)
        self._held.clear()
        return due, remove

    def _put_back(self, part: Sweep) -> None:
        for lease in part.expire:
            lease.state = LIVE
            self._live.again(lease)
        for lease in part.remove:
            lease.expires_s = self._live.now() + _RETRY_S
            self._live.again(lease)

    def _follow(self, moves: Sequence[InstanceMove]) -> None:
        """The live state follows what was committed."""
        for before, after in moves:
            if before is not None and before.instance.status != "critical":
                self._alive[_group(before)] -= 1
                if not self._alive[_group(before)]:
                    del self._alive[_group(before)]
            if after is None:
                if before is not None:
                    self._live.end(before.number)
                continue
            if after.instance.status != "critical":
                self._alive[_group(after)] += 1
            if before is not None and before.number != after.number:
                self._live.end(before.number)
            self._adopt(after)

    def _adopt(self, row: InstanceRow) -> None:
        lease = self._live.find(row.number)
        is_critical = row.instance.status == "critical"
        span_s = self._remove_after_s if is_critical else row.ttl_s
        if lease is None or lease.lease_id != row.lease_id:
            namespace, service, instance_id = row.key
            lease = Lease(
                lease_id=row.lease_id,
                number=row.number,
                generation=row.instance.generation,
                namespace=namespace,
                service=service,
                id=instance_id,
                zone=row.instance.zone,
                ttl_s=row.ttl_s,
                expires_s=self._live.now() + span_s,
                state=CRITICAL if is_critical else LIVE,
            )
            self._live.start(lease)
            return
        is_retimed = lease.ttl_s != row.ttl_s
        lease.zone, lease.ttl_s = row.instance.zone, row.ttl_s
        if is_critical or is_retimed or lease.state == CRITICAL:
            # Into critical, out of it, or another TTL: each begins a new span, and the wheel may have let go of the
            # lease, or may look at it too late.
            lease.state = CRITICAL if is_critical else LIVE
            lease.expires_s = self._live.now() + span_s
            self._live.start(lease)


class Sweep(msgspec.Struct, frozen=True):
    """Leases that ran out before `now`, and critical ones to remove; those that came back meanwhile are left alone."""

    expire: list[Lease]
    remove: list[Lease]
    now: float

    @property
    def size(self) -> int:
        return 512 * (len(self.expire) + len(self.remove))

    def judge(self, draft: Draft) -> None:
        for lease in self.expire:
            row = _row_of(draft, lease)
            if row is not None and row.instance.status != "critical" and lease.expires_s <= self.now:
                # From here on a heartbeat asks for a write, which is judged after this one.
                lease.state = CRITICAL
                draft.put_instance(with_status(row, "critical", draft.revision))
        for lease in self.remove:
            row = _row_of(draft, lease)
            if row is not None and row.instance.status == "critical":
                draft.remove_instance(row)


class Revive(msgspec.Struct, frozen=True):
    """Heartbeats of critical instances; now: when they came."""

    renewed: Renewed
    now: float

    @property
    def size(self) -> int:
        return 512 * len(self.renewed.critical)

    def judge(self, draft: Draft) -> Renewal:
        unknown, superseded = list(self.renewed.unknown), list(self.renewed.superseded)
        for lease in self.renewed.critical:
            row = _row_of(draft, lease)
            if row is None:
                # Gone at this very moment: the process must register again. Taken: it must not.
                is_taken = draft.instance((lease.namespace, lease.service, lease.id)) is not None
                (superseded if is_taken else unknown).append(lease.lease_id)
            elif row.instance.status == "critical":
                draft.put_instance(with_status(row, row.wanted, draft.revision))
            else:
                # The sweep that found it overdue was not committed: an ordinary renewal after all.
                lease.expires_s = max(lease.expires_s, self.now + lease.ttl_s)
        renewed = self.renewed
        asked = renewed.count + len(renewed.critical) + len(renewed.unknown) + len(renewed.superseded)
        return Renewal(renewed=asked - len(unknown) - len(superseded), unknown=unknown, superseded=superseded)


def with_status(row: InstanceRow, status: Status, revision: int) -> InstanceRow:
    instance = msgspec.structs.replace(row.instance, status=status)
    return msgspec.structs.replace(row, instance=instance, revision=revision, value=instance_value(instance))


def _row_of(draft: Draft, lease: Lease) -> InstanceRow | None:
    """The lease's instance, unless another process holds it by now."""
    row = draft.instance((lease.namespace, lease.service, lease.id))
    return row if row is not None and row.number == lease.number and row.lease_id == lease.lease_id else None


def _group(row: InstanceRow) -> Group:
    return (row.instance.namespace, row.instance.zone)
