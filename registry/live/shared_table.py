"""A replica's table of leases where others hold one, too: what they must hear of ours, and what they say of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from registry.live import scripts
from registry.live.handover import Handover
from registry.live.interface import CRITICAL, LIVE
from registry.live.table import LeaseTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from registry.live.interface import Lease


class SharedTable(LeaseTable):
    """clock: monotonic seconds. Redis's own time, in pages of a look and in `_begun`, is in microseconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(clock)
        self._handover = Handover(self.again)
        self._begun = 0

    # --- what others must hear ---

    def start(self, lease: Lease) -> None:
        before = self._by_number.get(lease.number)
        if before is not None and before.lease_id != lease.lease_id:
            self._handover.forget(before)
        super().start(lease)
        lease.packed = scripts.bulk(lease.lease_id.encode())
        if lease.state == CRITICAL:
            self._handover.turned_critical(lease, lease.expires_s - self.now())
        else:
            self._handover.started[lease.lease_id] = lease

    def end(self, number: int) -> None:
        lease = self._by_number.get(number)
        if lease is not None:
            self._handover.forget(lease)
        super().end(number)

    def answered(self, leases: Iterable[Lease]) -> None:
        now = self.now()
        for lease in leases:
            # Gateways say it every 2 s; the others hear it when a quarter of the TTL has gone.
            if lease.answers_until_s <= now + 0.75 * lease.ttl_s:
                lease.answers_until_s = now + lease.ttl_s
                self._handover.evidence[lease.lease_id] = None

    # --- what others say ---

    def _count_as_renewed(self, begun_s: float) -> None:
        """Nobody could renew before: every lease counts as renewed at that moment. begun_s: on our clock."""
        for lease in self._by_number.values():
            if lease.state == LIVE:
                lease.expires_s = max(lease.expires_s, begun_s + lease.ttl_s)

    def _hear(self, pages: Sequence[Sequence[bytes]], now: int, received: float, *, is_first: bool) -> None:
        """Moves our leases to what Redis says. is_first: ours were only guessed, so they may come nearer, too."""
        renewed, answering, late = pages
        for member, score in scores(renewed):
            lease = self._by_id.get(member)
            if lease is None or lease.state != LIVE:
                continue
            expires_s = received - (now - max(score, self._begun)) / 1e6 + lease.ttl_s
            if expires_s > lease.expires_s:
                lease.expires_s = expires_s
            elif is_first and member in self._handover.started and member not in self._handover.kept:
                lease.expires_s = expires_s
                self.again(lease)
            self._handover.started.pop(member, None)
        for member, score in scores(answering):
            lease = self._by_id.get(member)
            if lease is not None:
                lease.answers_until_s = max(lease.answers_until_s, received - (now - score) / 1e6 + lease.ttl_s)
        for one in late[::2]:
            member, _, at = one.decode().partition("@")
            lease = self._by_id.get(member)
            if lease is not None and lease.state == LIVE:
                lease.expires_s = max(lease.expires_s, received - (now - int(at)) / 1e6 + lease.ttl_s)


def scores(page: Sequence[Any]) -> Iterable[tuple[str, int]]:
    """Members of a sorted set, each with its score behind it, as Redis answers them."""
    members = iter(page)
    return ((member.decode(), int(float(score))) for member, score in zip(members, members, strict=True))
