"""Leases: what a heartbeat does, and what happens when none comes.

Live, overdue (held by self-preservation), critical, removed. Every step but the renewal is a write with a revision;
renewals touch the live state only. Every registry keeps all leases, and one of them sweeps.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, TypeVar

from meshway.problem import Problem
from registry.leases.hold_log import log_holds
from registry.leases.late import LateLeases
from registry.leases.renewals import Renewals
from registry.leases.self_preservation import read_notice, write_notice
from registry.leases.writes import Sweep
from registry.live.interface import CRITICAL, LIVE, Lease

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from registry.leases.self_preservation import Group, Hold, SelfPreservation
    from registry.leases.writes import Renewal
    from registry.live.interface import Live
    from registry.revisions.draft import Write
    from registry.view.rows import InstanceKey, InstanceRow
    from registry.view.view import InstanceMove, View

_LOOK_EVERY_S: Final = 0.2
_SWEEP_ROWS: Final = 1000
_RETRY_S: Final = 1.0
# The work that one registry does for all (`Store.lead`).
SWEEP: Final = "sweep"
_log = logging.getLogger("registry.leases")
_T = TypeVar("_T")


class Leases:
    """submit: `Revisions.submit`. remove_after_s: from critical to removed. lead: `Store.lead`. expired: leases
    that this registry let run out, by namespace."""

    def __init__(
        self,
        view: View,
        live: Live,
        submit: Callable[[Write[Any]], asyncio.Future[Any]],
        *,
        self_preservation: SelfPreservation,
        remove_after_s: float,
        lead: Callable[[str], Awaitable[bool]],
    ) -> None:
        self._view = view
        self._live = live
        self._submit = submit
        self._renewals = Renewals(live, submit)
        self._guard = self_preservation
        self._remove_after_s = remove_after_s
        self._lead = lead
        self._is_leading = False
        self._alive: Counter[Group] = Counter()
        self._late = LateLeases(live)
        self._held: dict[int, Lease] = {}
        self.expired: Counter[str] = Counter()
        view.on_instances.append(self._follow)
        for service in view.services.values():
            self._follow([(None, row) for row in service.values()])

    @property
    def count(self) -> int:
        """Leases of all instances, the critical ones included."""
        return len(self._live)

    @property
    def holds(self) -> list[Hold]:
        """Where self-preservation has paused expiry, as the registry that sweeps sees it."""
        return list(self._guard.holds.values()) or read_notice(self._live.noticed, self._live.now())

    def missing(self) -> str | None:
        """Why leases are not shared with the other registries; None: they are."""
        return self._live.missing()

    def expires_in_s(self, number: int) -> float:
        """Seconds the lease has left; 0 when it is over. Without the live state no lease ends, and each has its whole
        TTL from the moment it is back."""
        lease = self._live.find(number)
        if lease is None or lease.state == CRITICAL:
            return 0.0
        if self._live.missing():
            return float(lease.ttl_s)
        return max(0.0, round(lease.expires_s - self._live.now(), 3))

    def is_unrenewed(self, number: int) -> bool:
        """Still passing, though no renewal came in time: it answers calls, or expiry is paused."""
        lease = self._live.find(number)
        if lease is None or lease.state != LIVE or self._live.missing():
            return False
        return lease.expires_s <= self._live.now()

    def renew(self, lease_ids: Sequence[str]) -> Renewal | asyncio.Future[Renewal]:
        """A future where other registries must hear of it first, and where a critical instance comes back, which is a
        write. Raises Problem 503, or the future ends with it."""
        return self._renewals.renew(lease_ids)

    def renewing(self, written: asyncio.Future[_T], lease_ids: Callable[[_T], Sequence[str]]) -> asyncio.Future[_T]:
        """The answer of a write that is a renewal as well. lease_ids: of those that go on, from the answer."""
        return self._renewals.held(written, lease_ids)

    def renew_row(self, row: InstanceRow) -> None:
        """A registration by the process that holds the lease is a renewal, too."""
        self._live.renew([row.lease_id])

    def answered(self, instances: Iterable[InstanceKey]) -> None:
        """Gateways saw these instances answer calls: they count as alive for another TTL."""
        rows = filter(None, map(self._view.instance, instances))
        self._live.answered(filter(None, (self._live.find(row.number) for row in rows)))

    async def run(self) -> None:
        """The sweep, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            await self.sweep()

    async def sweep(self) -> None:
        """Looks once: what ran out becomes critical, what was critical long enough goes, each as one revision.

        Only with the lead and with everything heard that others have answered: a registry that was paused, or that is
        cut off from either, sweeps nothing, and neither does any while one of them cannot share its renewals.
        """
        now = self._live.now()
        overdue, remove = self._overdue(now)
        if not (overdue or remove or self._guard.holds):
            return
        if self._live.missing() or not (await self._lead(SWEEP) and await self._live.catch_up()):
            self._is_leading = False
            self._guard.holds, self._live.notice = {}, b""
            self._held = {lease.number: lease for lease in [*overdue, *remove]}
            return
        if not self._is_leading:
            self._is_leading = True
            self._guard.resume(read_notice(self._live.noticed, now))
        late = await self._late.count() if overdue else Counter()
        overdue = [lease for lease in overdue if not self._is_alive(lease, now)]
        expire: list[Lease] = []
        if overdue or self._guard.holds:
            before = self._guard.holds
            expire, held = self._guard.judge(overdue, self._alive, now, late)
            log_holds(_log, "leases that ran out", before, self._guard.holds, self._alive, now, max_s=self._guard.max_s)
            self._late.gone(expire)
            self._held = {lease.number: lease for lease in held}
        self._live.notice = write_notice(self._guard.holds.values(), now) if self._guard.holds else b""
        for at in range(0, max(len(expire), len(remove)), _SWEEP_ROWS):
            await self._sweep_part(expire[at : at + _SWEEP_ROWS], remove[at : at + _SWEEP_ROWS], now)

    async def _sweep_part(self, expire: list[Lease], remove: list[Lease], now: float) -> None:
        revisions = {lease.number: self._revision_of(lease) for lease in expire}
        claims = await self._live.claim(expire)
        if len(claims) < len(expire):
            kept = {claim.lease.number for claim in claims}
            for lease in expire:
                if lease.number not in kept:
                    self._live.again(lease)
        part = Sweep([claim.lease for claim in claims], remove, now, revisions)
        try:
            await self._submit(part)
        except Problem as problem:
            _log.warning("the sweep of leases is put off: %s", problem)
            self._put_back(part)
            return
        renewed = [claim for claim in claims if claim.lease.state == LIVE]
        self.expired.update(claim.lease.namespace for claim in claims if claim.lease.state != LIVE)
        for claim in renewed:  # while the sweep waited for its turn
            self._live.again(claim.lease)
        # What is critical now keeps its mark: another registry may not know of it yet, and a heartbeat there must learn
        # that it is no ordinary one.
        if renewed:
            await self._live.settle(renewed)

    def _revision_of(self, lease: Lease) -> int:
        row = self._view.instance((lease.namespace, lease.service, lease.id))
        return 0 if row is None else row.revision

    def _is_alive(self, lease: Lease, now: float) -> bool:
        """Puts one back that lives on after all."""
        if lease.expires_s > now or lease.answers_until_s > now:
            self._live.again(lease)
            return True
        return False

    def _overdue(self, now: float) -> tuple[list[Lease], list[Lease]]:
        """Leases that ran out, those held before included, and critical ones whose time to go has come."""
        due: list[Lease] = []
        remove: list[Lease] = []
        for lease in [*self._live.due(), *self._held.values()]:
            if self._live.find(lease.number) is not lease:
                continue
            if lease.state == CRITICAL:
                if lease.expires_s > now:  # it came back meanwhile, and ran out again
                    self._live.again(lease)
                else:
                    remove.append(lease)
            elif not self._is_alive(lease, now):
                due.append(lease)
        self._held.clear()
        return due, remove

    def _put_back(self, part: Sweep) -> None:
        for lease in part.expire:
            row = self._view.instance((lease.namespace, lease.service, lease.id))
            if row is not None and row.instance.status != "critical":  # another registry may have ended it meanwhile
                lease.state = LIVE
            self._live.again(lease)
        for lease in part.remove:
            lease.expires_s = self._live.now() + _RETRY_S
            self._live.again(lease)

    def _follow(self, moves: Sequence[InstanceMove]) -> None:
        """The live state follows what was committed."""
        for before, after in moves:
            if before is not None and _has_lease(before):
                self._alive[_group(before)] -= 1
                if not self._alive[_group(before)]:
                    del self._alive[_group(before)]
            if after is None:
                if before is not None:
                    self._live.end(before.number)
                continue
            if _has_lease(after):
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
                since=row.critical_since,
            )
            self._live.start(lease)
            return
        is_retimed = lease.ttl_s != row.ttl_s
        lease.zone, lease.ttl_s = row.instance.zone, row.ttl_s
        if is_critical and lease.since == row.critical_since:
            return  # changed while it was critical, which keeps nobody
        if is_critical or is_retimed or lease.state == CRITICAL:
            # Into critical, out of it, or another TTL: each begins a new span, and the wheel may have let go of the
            # lease, or may look at it too late.
            lease.state = CRITICAL if is_critical else LIVE
            lease.since = row.critical_since
            lease.expires_s = self._live.now() + span_s
            self._live.start(lease)


def _has_lease(row: InstanceRow) -> bool:
    """One that may run out: not of an instance that the registry asks itself."""
    return row.instance.status != "critical" and row.instance.check is None


def _group(row: InstanceRow) -> Group:
    return (row.instance.namespace, row.instance.zone)
