"""What a replica has not told the others yet: the next looks hand it over, a bounded part of it each."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from registry.live import scripts
from registry.live.interface import CRITICAL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from registry.live.interface import Lease

    # Forgets what was handed over. Takes how long ago each critical lease became so, and when that was answered.
    Done = Callable[[Sequence[bytes], float], None]

# What one look hands over of each list; more follows in the next.
PART: Final = 1000
# What is not said beyond it goes by itself in two hours.
_MAX_ENDED: Final = 200_000


class Handover:
    """Each list by lease id. kept: renewals that were answered, with their moment. critical: with the revision beside
    the id. again: the table's."""

    def __init__(self, again: Callable[[Lease], None]) -> None:
        self._again = again
        self.kept: dict[str, float] = {}
        self.started: dict[str, Lease] = {}
        self.evidence: dict[str, None] = {}
        self._ended: dict[str, None] = {}
        self.critical: dict[str, tuple[Lease, float]] = {}

    def turned_critical(self, lease: Lease, span_s: float) -> None:
        """span_s: until it is to be removed."""
        self.critical[_since(lease)] = (lease, span_s)

    def forget(self, lease: Lease) -> None:
        """It has ended, and nothing else is said of it."""
        for waiting in (self.started, self.kept, self.evidence):
            waiting.pop(lease.lease_id, None)
        self.critical.pop(_since(lease), None)
        if len(self._ended) < _MAX_ENDED:
            self._ended[lease.lease_id] = None

    @property
    def has_more(self) -> bool:
        """More than one look takes."""
        lists = (self.kept, self.started, self._ended, self.critical, self.evidence)
        return any(len(waiting) >= PART for waiting in lists)

    def part(self, now: float, *, is_whole: bool) -> tuple[list[list[bytes]], Done]:
        """The lists of one look (scripts.LOOK). is_whole: with what began and what became critical."""
        kept = list(islice(self.kept.items(), PART))
        late = [bulk for key, at in kept for bulk in (scripts.bulk(b"%d" % ((now - at) * 1e6)), _member(key))]
        started = list(islice(self.started, PART)) if is_whole else []
        ended = list(islice(self._ended, PART))
        critical = list(islice(self.critical.items(), PART)) if is_whole else []
        evidence = list(islice(self.evidence, PART))

        def done(ages: Sequence[bytes], received: float) -> None:
            for key, at in kept:
                if self.kept.get(key) == at:  # not kept anew meanwhile
                    del self.kept[key]
            for keys, waiting in ((started, self.started), (ended, self._ended), (evidence, self.evidence)):
                for key in keys:
                    waiting.pop(key, None)
            for (key, (lease, span_s)), age in zip(critical, ages, strict=True):
                self.critical.pop(key, None)
                expires_s = received + span_s - int(age) / 1e6
                if lease.state == CRITICAL and key == _since(lease) and expires_s < lease.expires_s:
                    lease.expires_s = expires_s
                    self._again(lease)

        return [
            late,
            *(list(map(_member, keys)) for keys in (started, ended, [key for key, _ in critical], evidence)),
        ], done


def _since(lease: Lease) -> str:
    return f"{lease.lease_id}@{lease.since}"


def _member(key: str) -> bytes:
    return scripts.bulk(key.encode())
