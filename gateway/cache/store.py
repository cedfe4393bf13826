"""Where a rule's answers lie: bounded in bytes, by S3-FIFO (Yang et al., SOSP 2023, "FIFO queues are all you need").

What is new goes to a small queue and, when it was asked for again by the time it comes to the queue's end, on to the
main one; so a scan over pages that nobody asks for twice, by a crawler, pushes out what is new and not what is loved,
as it would by LRU. A hit adds one to a number and moves nothing.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Final

from gateway.cache.selection import asked_with
from gateway.cache.stored import StoredAnswer

MOST_VARIANTS: Final = 8  # of one key, by Vary
_SMALL: Final = 0.1  # of the room, for what is new
_MOST_HITS: Final = 3
_MOST_GHOSTS: Final = 16_384


class _Queue(OrderedDict[StoredAnswer, None]):
    """The oldest first. size: bytes of all."""

    size = 0

    def add(self, stored: StoredAnswer) -> None:
        self[stored] = None
        self.size += stored.size

    def take(self) -> StoredAnswer:
        stored, _ = self.popitem(last=False)
        self.size -= stored.size
        return stored

    def drop(self, stored: StoredAnswer) -> None:
        del self[stored]
        self.size -= stored.size


class Store:
    """A target is what is asked for (scheme, host, path, query); parts, what else the key has. An unsafe call makes a
    target forgotten with all its parts. evictions: how many went to make room."""

    __slots__ = ("_ghosts", "_main", "_most", "_small", "_targets", "evictions")

    def __init__(self, most: int) -> None:
        """most: bytes."""
        self._most = most
        self.evictions = 0
        self._targets: dict[Hashable, dict[Hashable, list[StoredAnswer]]] = {}
        self._small = _Queue()
        self._main = _Queue()
        self._ghosts: OrderedDict[int, None] = OrderedDict()  # of what left the small queue unloved

    @property
    def size(self) -> int:
        """Bytes that it holds."""
        return self._small.size + self._main.size

    def __len__(self) -> int:
        return len(self._small) + len(self._main)

    def __iter__(self) -> Iterator[StoredAnswer]:
        yield from self._small
        yield from self._main

    def find(self, target: Hashable, parts: Hashable, block: bytes) -> StoredAnswer | None:
        """block: fields of the request."""
        of_target = self._targets.get(target)
        if of_target is None:
            return None
        for stored in of_target.get(parts, ()):
            wanted = stored.asked_with
            if not wanted or wanted == asked_with([name for name, _ in wanted], block):
                if stored.hits < _MOST_HITS:
                    stored.hits += 1
                return stored
        return None

    def put(self, target: Hashable, parts: Hashable, stored: StoredAnswer) -> None:
        """In place of the one that the same requests got."""
        stored.target, stored.parts = target, parts
        stored.size += _length(target) + _length(parts) + _length(stored.asked_with)
        if stored.size > self._most:
            return
        for old in self._variants(target, parts):
            if old.asked_with == stored.asked_with:
                stored.hits = old.hits
                self.forget(old)
        variants = self._targets.setdefault(target, {}).setdefault(parts, [])
        while len(variants) >= MOST_VARIANTS:
            self._evict(variants[-1])
        # The newest first: where Vary has changed, old names still fit some requests, and the new word counts.
        self._targets.setdefault(target, {}).setdefault(parts, variants).insert(0, stored)
        ghost = _ghost(stored)
        if stored.hits or ghost in self._ghosts:
            self._ghosts.pop(ghost, None)
            self._main.add(stored)
        else:
            self._small.add(stored)
        self._make_room(self._most)

    def grow(self, stored: StoredAnswer, size: int) -> None:
        """It holds so many bytes more."""
        queue = self._queue_of(stored)
        if queue is not None:
            stored.size += size
            queue.size += size
            self._make_room(self._most)

    def forget(self, stored: StoredAnswer) -> None:
        queue = self._queue_of(stored)
        if queue is None:
            return
        queue.drop(stored)
        self._unlink(stored)

    def forget_target(self, target: Hashable) -> int:
        """Answers how many are gone."""
        gone = [stored for variants in self._targets.get(target, {}).values() for stored in variants]
        for stored in gone:
            self.forget(stored)
        return len(gone)

    def forget_where(self, is_meant: Callable[[StoredAnswer], bool]) -> int:
        """Answers how many are gone."""
        gone = [stored for stored in self if is_meant(stored)]
        for stored in gone:
            self.forget(stored)
        return len(gone)

    def shrink(self, share: float) -> None:
        """To this share of what it holds now."""
        self._make_room(int(self.size * share))

    def _make_room(self, most: int) -> None:
        while self.size > most:
            if self._small and (self._small.size > self._most * _SMALL or not self._main):
                stored = self._small.take()
                if stored.hits > 1:
                    stored.hits = 0
                    self._main.add(stored)
                else:
                    self._remember(_ghost(stored))
                    self._gone(stored)
            else:
                stored = self._main.take()
                if stored.hits:
                    stored.hits -= 1
                    self._main.add(stored)
                else:
                    self._gone(stored)

    def _evict(self, stored: StoredAnswer) -> None:
        self.evictions += 1
        self.forget(stored)

    def _gone(self, stored: StoredAnswer) -> None:
        self.evictions += 1
        self._unlink(stored)

    def _unlink(self, stored: StoredAnswer) -> None:
        of_target = self._targets[stored.target]
        variants = of_target[stored.parts]
        variants.remove(stored)
        if not variants:
            del of_target[stored.parts]
            if not of_target:
                del self._targets[stored.target]

    def _remember(self, ghost: int) -> None:
        self._ghosts[ghost] = None
        if len(self._ghosts) > _MOST_GHOSTS:
            self._ghosts.popitem(last=False)

    def _variants(self, target: Hashable, parts: Hashable) -> tuple[StoredAnswer, ...]:
        return tuple(self._targets.get(target, {}).get(parts, ()))

    def _queue_of(self, stored: StoredAnswer) -> _Queue | None:
        return self._small if stored in self._small else self._main if stored in self._main else None


def _length(part: object) -> int:
    """Bytes of what an answer is found by, which its callers choose: a query may be as long as a head."""
    if isinstance(part, bytes | str):
        return len(part)
    return sum(map(_length, part)) if isinstance(part, tuple) else 0


def _ghost(stored: StoredAnswer) -> int:
    return hash((stored.target, stored.parts, stored.asked_with))
