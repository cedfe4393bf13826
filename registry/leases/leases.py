"""Leases: what a heartbeat does, and what happens when none comes.

Live, overdue (held by self-preservation), critical, removed. Every step but the renewal is a write with a revision;
renewals touch the live state only. Every registry keeps all leases, and one of them sweeps.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from meshway.problem import Problem
from meshway.tasks import spawn
from registry.leases.hold_log import log_holds
from registry.leases.late import LateLeases
from registry.leases.self_preservation import read_notice, write_notice
from registry.live.interface import CRITICAL, LIVE, Lease, Renewed
from registry.view.rows import InstanceRow, instance_value

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from meshway.model.instance import Status
    from registry.leases.self_preservation import Group, Hold, SelfPreservation
    from registry.live.interface import Claimed, Live
    from registry.revisions.draft import Draft, Write
    from registry.view.rows import InstanceKey
    from registry.view.view import InstanceMove, View

_LOOK_EVERY_S: Final = 0.2
_SWEEP_ROWS: Final = 1000
_RETRY_S: Final = 1.0
# The work that one registry does for all (`Store.lead`).
SWEEP: Final = "sweep"
_log = logging.getLogger("registry.leases")
_T = TypeVar("_T")


class Renewal(msgspec.Struct, frozen=True, kw_only=True):
    """What a heartbeat did. unknown: register again. superseded: another process holds the instance now."""

    renewed: int
    unknown: list[str] = []
    superseded: list[str] = []


class Leases:
    """submit: `Revisions.submit`. remove_after_s: from critical to removed. lead: `Store.lead`."""

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
        self._guard = self_preservation
        self._remove_after_s = remove_after_s
        self._lead = lead
        self._is_leading = False
        self._alive: Counter[Group] = Counter()
        self._late = LateLeases(live)
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
        renewed = self._live.renew(lease_ids)
        if renewed.written is not None:
            return self._renew_shared(renewed, renewed.written)
        if renewed.critical:
            return self._submit(Revive(renewed, self._live.now()))
        return _renewal(renewed)

    def _renew_shared(self, renewed: Renewed, written: asyncio.Future[list[Claimed]]) -> asyncio.Future[Renewal]:
        answer: asyncio.Future[Renewal] = written.get_loop().create_future()

        def done(written: asyncio.Future[list[Claimed]]) -> None:
            if answer.done():
                return
            if (refused := written.exception()) is not None:
                answer.set_exception(refused)
            elif (claimed := written.result()) or renewed.critical:
                spawn(self._revive_shared(renewed, claimed, answer), name="revival of leases")
            else:
                answer.set_result(_renewal(renewed))

        written.add_done_callback(done)
        return answer

    def renewing(self, written: asyncio.Future[_T], lease_ids: Callable[[_T], Sequence[str]]) -> asyncio.Future[_T]:
        """The answer of a write that is a renewal as well, held until the other registries can know of that.

        lease_ids: of those that go on, from the answer. What is critical by now stays so: it was said after the write.
        """
        answer: asyncio.Future[_T] = written.get_loop().create_future()

        def committed(written: asyncio.Future[_T]) -> None:
            if answer.done():
                return
            try:
                renewed = self._live.renew(lease_ids(written.result()))
            except Problem as problem:
                answer.set_exception(problem)
                return
            if renewed.written is None:
                answer.set_result(written.result())
            else:
                shared = self._renew_shared(msgspec.structs.replace(renewed, critical=[]), renewed.written)
                shared.add_done_callback(told)

        def told(shared: asyncio.Future[Renewal]) -> None:
            if answer.done():
                return
            if (refused := shared.exception()) is not None:
                answer.set_exception(refused)
            else:
                answer.set_result(written.result())

        written.add_done_callback(committed)
        return answer

    async def _revive_shared(self, renewed: Renewed, claims: list[Claimed], answer: asyncio.Future[Renewal]) -> None:
        """Answers when the store has decided, and Redis has heard of those that came back."""
        try:
            renewal = await self._decide(renewed, claims)
            again = self._live.renew([lease.lease_id for lease in renewed.critical]).written
            if again is not None and (claims := await again):
                # The mark of the sweep that ended them, or of the next one: the write before may be older than it.
                await self._decide(Renewed(0, [], [], []), claims)
        except Problem as problem:
            if not answer.done():
                answer.set_exception(problem)
            return
        if not answer.done():
            answer.set_result(renewal)

    async def _decide(self, renewed: Renewed, claims: list[Claimed]) -> Renewal:
        renewal: Renewal = await self._submit(Revive(renewed, self._live.now(), [claim.lease for claim in claims]))
        if claims:
            await self._live.settle(claims)
        return renewal

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
        for lease in part.expire:
            if lease.state == LIVE:  # renewed while the sweep waited for its turn
                self._live.again(lease)
        if claims:
            await self._live.settle(claims)

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


class Sweep(msgspec.Struct, frozen=True):
    """Leases that ran out before `now`, and critical ones to remove; those that came back meanwhile are left alone.

    revisions: of the instances when their leases were claimed, by number. A heartbeat after that makes another one.
    """

    expire: list[Lease]
    remove: list[Lease]
    now: float
    revisions: dict[int, int]

    @property
    def size(self) -> int:
        return 512 * (len(self.expire) + len(self.remove))

    def judge(self, draft: Draft) -> None:
        for lease in self.expire:
            row = _row_of(draft, lease)
            if row is None or row.instance.status == "critical" or row.revision != self.revisions[lease.number]:
                continue
            if lease.expires_s <= self.now:
                # From here on a heartbeat asks for a write, which is judged after this one.
                lease.state = CRITICAL
                draft.put_instance(with_status(row, "critical", draft.revision))
        for lease in self.remove:
            row = _row_of(draft, lease)
            # One that came back and ran out again has its time before it.
            if row is not None and row.instance.status == "critical" and lease.expires_s <= self.now:
                draft.remove_instance(row)


class Revive(msgspec.Struct, frozen=True):
    """Heartbeats of critical instances; now: when they came. claimed: of instances that a sweep is about to expire."""

    renewed: Renewed
    now: float
    claimed: Sequence[Lease] = ()

    @property
    def size(self) -> int:
        return 512 * (len(self.renewed.critical) + len(self.claimed))

    def judge(self, draft: Draft) -> Renewal:
        unknown, superseded = list(self.renewed.unknown), list(self.renewed.superseded)
        for lease in self.claimed:
            row = _row_of(draft, lease)
            if row is not None:
                # Still passing: its new revision tells the sweep that it was renewed.
                status = row.wanted if row.instance.status == "critical" else row.instance.status
                draft.put_instance(with_status(row, status, draft.revision))
        for lease in self.renewed.critical:
            row = _row_of(draft, lease)
            if row is None:
                # Gone at this very moment: the process must register again. Taken: it must not.
                is_taken = draft.instance((lease.namespace, lease.service, lease.id)) is not None
                (superseded if is_taken else unknown).append(lease.lease_id)
            elif row.instance.check is not None:
                continue  # what its check found stands, whatever it says of itself
            elif row.instance.status == "critical":
                draft.put_instance(with_status(row, row.wanted, draft.revision))
            else:
                # The sweep that found it overdue was not committed: an ordinary renewal after all.
                lease.expires_s = max(lease.expires_s, self.now + lease.ttl_s)
        renewed = self.renewed
        asked = renewed.count + len(renewed.critical) + len(renewed.unknown) + len(renewed.superseded)
        return Renewal(renewed=asked - len(unknown) - len(superseded), unknown=unknown, superseded=superseded)


def _renewal(renewed: Renewed) -> Renewal:
    return Renewal(renewed=renewed.count, unknown=renewed.unknown, superseded=renewed.superseded)


def with_status(row: InstanceRow, status: Status, revision: int) -> InstanceRow:
    instance = msgspec.structs.replace(row.instance, status=status)
    return msgspec.structs.replace(row, instance=instance, revision=revision, value=instance_value(instance))


def _row_of(draft: Draft, lease: Lease) -> InstanceRow | None:
    """The lease's instance, unless another process holds it by now."""
    row = draft.instance((lease.namespace, lease.service, lease.id))
    return row if row is not None and row.number == lease.number and row.lease_id == lease.lease_id else None


def _has_lease(row: InstanceRow) -> bool:
    """One that may run out: not of an instance that the registry asks itself."""
    return row.instance.status != "critical" and row.instance.check is None


def _group(row: InstanceRow) -> Group:
    return (row.instance.namespace, row.instance.zone)
