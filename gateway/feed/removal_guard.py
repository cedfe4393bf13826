"""Keeps a fault of the registry from leaving a gateway without endpoints (pure): the mass removal guard.

When more than half of the host's endpoints vanish within ten seconds, and more than three, those that vanished are
called on for thirty, as far as they answer. Vanished is who turned critical, or is missing from a snapshot. Who was
deregistered, drains or is in maintenance left on purpose. It stands where the whole host's entries are, in the
supervisor, so all workers keep the same endpoints; they learn of it by frames of its own, and the feed's go on as they
are.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from gateway.feed.state import Changes, Key, Whole
from meshway.model.instance import Status
from meshway.snapshot import INSTANCE, Change

WINDOW_S: Final = 10.0
KEPT_S: Final = 30.0
FEW: Final = 3  # so many may vanish unguarded: of a handful of instances, half is no mass


class _Status(msgspec.Struct):
    status: Status = "passing"


_decoder: Final = msgspec.msgpack.Decoder(_Status)


class RemovalGuard:
    """now: monotonic seconds. kept: the entries, as they last passed, that are called on. until_s: how long.

    trips: how often it was needed.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._alive = 0
        self._lost: OrderedDict[Key, tuple[float, Change]] = OrderedDict()  # the oldest first
        self._fresh: list[Key] = []
        self.kept: dict[Key, Change] = {}
        self.until_s = 0.0
        self.trips = 0

    def take(self, outcome: Whole | Changes, before: Mapping[Key, Change]) -> list[Change]:
        """Before the outcome is held. before: what is held now. Returns what to keep (puts) and no longer (deletes).

        Puts are ordered by service, for that is what a worker compiles at once.
        """
        if isinstance(outcome, Whole):
            dropped = self._take_whole(outcome.entries, before)
        else:
            dropped = self._take_changes(outcome.changes, before)
        return dropped + self._judge()

    def end(self) -> list[Change]:
        """Its time is up: nothing is kept. Returns the deletes; none before the time."""
        if not self.kept or self._now() < self.until_s:
            return []
        gone = [_no_longer(self.kept[key]) for key in sorted(self.kept)]
        self.kept.clear()
        self._lost.clear()
        return gone

    def _take_whole(self, entries: Mapping[Key, Change], before: Mapping[Key, Change]) -> list[Change]:
        dropped: list[Change] = []
        for key, old in before.items():
            if key[0] != INSTANCE:
                continue
            new = entries.get(key)
            if new is None:
                if is_passing(old):
                    self._lose(key, old)
            elif bytes(new.value) != bytes(old.value):
                dropped += self._take_put(key, old, new)
        for key in [*self._lost, *self.kept]:
            if (new := entries.get(key)) is not None and _status(new) != "critical":
                dropped += self._left(key)
        self._alive = sum(1 for key, entry in entries.items() if key[0] == INSTANCE and is_passing(entry))
        return dropped

    def _take_changes(self, changes: list[Change], before: Mapping[Key, Change]) -> list[Change]:
        dropped: list[Change] = []
        seen: dict[Key, Change] = {}
        for change in changes:
            if change.kind != INSTANCE:
                continue
            key = change.key
            old = seen.get(key) or before.get(key)
            seen[key] = change
            if change.op == "put":
                dropped += self._take_put(key, old, change)
            else:
                self._alive -= old is not None and is_passing(old)
                dropped += self._left(key)
        return dropped

    def _take_put(self, key: Key, old: Change | None, new: Change) -> Iterator[Change]:
        was_passing = old is not None and is_passing(old)
        status = _status(new)
        self._alive += (status == "passing") - was_passing
        if status != "critical":
            yield from self._left(key)
        elif was_passing and old is not None:
            self._lose(key, old)

    def _lose(self, key: Key, last: Change) -> None:
        self._lost.pop(key, None)
        self._lost[key] = (self._now(), last)
        self._fresh.append(key)

    def _left(self, key: Key) -> Iterator[Change]:
        """It is back, or went on purpose."""
        self._lost.pop(key, None)
        entry = self.kept.pop(key, None)
        if entry is not None:
            yield _no_longer(entry)

    def _judge(self) -> list[Change]:
        now, fresh = self._now(), self._fresh
        self._fresh = []
        while self._lost and next(iter(self._lost.values()))[0] <= now - WINDOW_S:
            self._lost.popitem(last=False)
        lost = len(self._lost)
        is_keeping = bool(self.kept) and now < self.until_s
        if not is_keeping and (lost <= FEW or lost * 2 <= self._alive + lost):
            return []
        if not is_keeping:
            self.trips += 1
            self.until_s = now + KEPT_S
            fresh = list(self._lost)
        kept = {key: self._lost[key][1] for key in sorted(fresh) if key in self._lost and key not in self.kept}
        self.kept |= kept
        return list(kept.values())


def is_passing(entry: Change) -> bool:
    return entry.op == "put" and _status(entry) == "passing"


def _status(entry: Change) -> Status:
    """Of an instance that the feed's state has judged to be one."""
    return _decoder.decode(entry.value).status


def _no_longer(entry: Change) -> Change:
    return Change("delete", entry.kind, entry.namespace, entry.name)
