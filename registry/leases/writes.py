"""What heartbeats and the sweep write: each judged against what is there, in the one order of all writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from registry.live.interface import CRITICAL, Lease, Renewed
from registry.view.rows import InstanceRow, instance_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshway.model.instance import Status
    from registry.revisions.draft import Draft


class Renewal(msgspec.Struct, frozen=True, kw_only=True):
    """What a heartbeat did. unknown: register again. superseded: another process holds the instance now."""

    renewed: int
    unknown: list[str] = []
    superseded: list[str] = []


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


def renewal_of(renewed: Renewed) -> Renewal:
    """Where nothing had to be written."""
    return Renewal(renewed=renewed.count, unknown=renewed.unknown, superseded=renewed.superseded)


def with_status(row: InstanceRow, status: Status, revision: int) -> InstanceRow:
    instance = msgspec.structs.replace(row.instance, status=status)
    return msgspec.structs.replace(row, instance=instance, revision=revision, value=instance_value(instance))


def _row_of(draft: Draft, lease: Lease) -> InstanceRow | None:
    """The lease's instance, unless another process holds it by now."""
    row = draft.instance((lease.namespace, lease.service, lease.id))
    return row if row is not None and row.number == lease.number and row.lease_id == lease.lease_id else None
