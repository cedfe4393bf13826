"""Keeps a fault of the network, or of the registry itself, from emptying the catalogue.

When more than a share of a group's leases run out within one TTL, or are about to while the first do (late.py), the
group's expiry pauses, until most are back and each of the others has had its TTL to follow. Groups are zones of a
namespace, so that one dead zone holds only itself, and then the namespace without those zones, so that many small ones
do not slip through. After Eureka's self-preservation, which knows one group, the whole registry.
"""

from __future__ import annotations

from collections import defaultdict
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from registry.live.interface import Lease

_ALL_ZONES: Final = None

Group = tuple[str, str]
"""Namespace and zone."""

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[tuple[str, str | None, float, int]]).decode


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """A pause of expiry. zone None: the namespace's zones that are not held themselves. overdue: leases it spares.
    tripped_s: when so many were missing for the last time; what is still overdue then has its TTL from there on."""

    namespace: str
    zone: str | None
    since_s: float
    tripped_s: float
    overdue: int


class _Pauses(NamedTuple):
    """What one look decides. tripped_s: by group that is held. forced: groups whose hold lasted too long."""

    holds: dict[tuple[str, str | None], Hold]
    tripped_s: dict[Group, float]
    forced: set[Group]


class SelfPreservation:
    """percent, minimum: more than this share and more than this number of leases trip it. max_s: longest hold."""

    def __init__(self, *, percent: float, minimum: int, max_s: float) -> None:
        self._share = percent / 100.0
        self._minimum = minimum
        self.max_s = max_s
        self._lost: dict[Group, list[float]] = {}
        self.holds: dict[tuple[str, str | None], Hold] = {}

    def resume(self, holds: Iterable[Hold]) -> None:
        """Goes on with what another registry held, so that its end does not begin a hold anew."""
        self.holds = {(hold.namespace, hold.zone): hold for hold in holds}

    def judge(
        self,
        due: Sequence[Lease],
        alive: Mapping[Group, int],
        now: float,
        late: Mapping[Group, int] = MappingProxyType({}),
    ) -> tuple[list[Lease], list[Lease]]:
        """Splits overdue leases into those that expire and those that are held.

        due: every overdue lease, also those held before. By group, the overdue included: alive, leases not critical;
        late, those about to run out.
        """
        by_group: dict[Group, list[Lease]] = defaultdict(list)
        for lease in due:
            by_group[(lease.namespace, lease.zone)].append(lease)
        self._forget_lost(now)
        pauses = self._pause(by_group, alive, late, now)
        self.holds = pauses.holds
        expire: list[Lease] = []
        held: list[Lease] = []
        for group, leases in by_group.items():
            tripped_s = pauses.tripped_s.get(group)
            spared, gone = ([], leases) if tripped_s is None else _parted(leases, tripped_s, now)
            held += spared
            expire += gone
            if gone and group not in pauses.forced:
                self._lost.setdefault(group, []).extend(now + lease.ttl_s for lease in gone)
        return expire, held

    def _pause(
        self,
        by_group: Mapping[Group, Sequence[Lease]],
        alive: Mapping[Group, int],
        late: Mapping[Group, int],
        now: float,
    ) -> _Pauses:
        pauses = _Pauses({}, {}, set())
        gone = {group: max(len(by_group.get(group, ())), late.get(group, 0)) for group in by_group.keys() | late.keys()}
        rest: dict[str, list[Group]] = defaultdict(list)
        for group in alive.keys() | by_group.keys():
            trips = self._trips([group], gone, alive)
            # One that will be held as soon as its first lease has run out is no reason to hold the others until then.
            is_about_to = trips and group not in by_group
            if not (is_about_to or self._enter(pauses, group, [group], by_group, now, trips=trips)):
                rest[group[0]].append(group)
        for namespace, groups in rest.items():
            trips = self._trips(groups, gone, alive)
            self._enter(pauses, (namespace, _ALL_ZONES), groups, by_group, now, trips=trips)
        return pauses

    def _enter(
        self,
        pauses: _Pauses,
        key: tuple[str, str | None],
        groups: Sequence[Group],
        by_group: Mapping[Group, Sequence[Lease]],
        now: float,
        *,
        trips: bool,
    ) -> bool:
        """Whether it is a hold, a new one or one that goes on for those that are not back yet, or was one for too long.

        A crowd comes back one after the other: the last of it, few by then, must not run out for coming last.
        """
        before = self.holds.get(key)
        if before is None and not trips:
            return False
        since_s = now if before is None else before.since_s
        tripped_s = now if before is None or trips else before.tripped_s
        spared = sum(len(_parted(by_group.get(group, ()), tripped_s, now)[0]) for group in groups)
        if not spared:
            return False
        if now - since_s >= self.max_s:
            pauses.forced.update(groups)
            return True
        pauses.holds[key] = Hold(namespace=key[0], zone=key[1], since_s=since_s, tripped_s=tripped_s, overdue=spared)
        pauses.tripped_s.update(dict.fromkeys(groups, tripped_s))
        return True

    def _trips(self, groups: Iterable[Group], gone: Mapping[Group, int], alive: Mapping[Group, int]) -> bool:
        """gone: by group, what is overdue or about to be."""
        lost = count = total = 0
        for group in groups:
            lost += len(self._lost.get(group, ()))
            count += gone.get(group, 0)
            total += alive.get(group, 0)
        count += lost
        return count > self._minimum and count > self._share * (total + lost)

    def _forget_lost(self, now: float) -> None:
        """What expired longer than its TTL ago counts no more."""
        for group, until in list(self._lost.items()):
            kept = [at for at in until if at > now]
            if kept:
                self._lost[group] = kept
            else:
                del self._lost[group]


def _parted(leases: Sequence[Lease], tripped_s: float, now: float) -> tuple[list[Lease], list[Lease]]:
    """Those that have time left since the hold tripped, and those that have not."""
    if tripped_s == now:
        return list(leases), []
    spared: list[Lease] = []
    gone: list[Lease] = []
    for lease in leases:
        (spared if now < tripped_s + lease.ttl_s else gone).append(lease)
    return spared, gone


def write_notice(holds: Iterable[Hold], now: float) -> bytes:
    """What other registries are told: ages, for their clocks are not ours."""
    return _encode([(hold.namespace, hold.zone, now - hold.since_s, hold.overdue) for hold in holds])


def read_notice(notice: bytes, now: float) -> list[Hold]:
    if not notice:
        return []
    return [
        Hold(namespace=namespace, zone=zone, since_s=now - age_s, tripped_s=now, overdue=overdue)
        for namespace, zone, age_s, overdue in _decode(notice)
    ]
