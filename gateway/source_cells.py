"""How many connections each source has by a bound, over the workers of a host: cells in the host table's file.

Each worker writes its own part only, so nothing is locked, and a sum may be late by one of each other worker. A part is
BUCKETS buckets of WAYS keys and as many counts, 8 bytes each; a cell whose count is 0 is free. A source that finds none
free in its bucket is seen by its own worker alone, and makes room for itself when another has gone.
"""

import hashlib
from typing import Final

BUCKETS: Final = 2048
WAYS: Final = 8
PART_WORDS: Final = BUCKETS * WAYS * 2
NO_CELL: Final = -1


class SourceCells:
    """words: PART_WORDS for each column of the host table. column: whose part `claim` writes."""

    __slots__ = ("_others", "_own", "_words")

    def __init__(self, words: "memoryview[int]", column: int) -> None:
        starts = range(0, len(words), PART_WORDS)
        self._words = words
        self._own = starts[column]
        self._others = tuple(start for start in starts if start != self._own)

    def claim(self, key: int, count: int) -> int:
        """A cell of ours that says so from now on, NO_CELL: none is free. key: as `key_of`. count: above 0."""
        words, first = self._words, self._own + _bucket(key)
        for at in range(first, first + WAYS):
            if not words[at + WAYS]:
                # In this order: only who has read the former key already may take the count for that one's, once.
                words[at], words[at + WAYS] = key, count
                return at
        return NO_CELL

    def tell(self, cell: int, count: int) -> None:
        """0: it is free."""
        self._words[cell + WAYS] = count

    def of_others(self, key: int) -> int:
        """Of the other workers. Of the cells of a part with this key the first is the one that is in use."""
        words, bucket, count = self._words, _bucket(key), 0
        for start in self._others:
            first = start + bucket
            keys = words[first : first + WAYS].tolist()
            if key in keys:
                count += words[first + WAYS + keys.index(key)]
        return count

    def clear(self, column: int) -> None:
        """What a dead worker was counting is over."""
        first = column * PART_WORDS
        self._words[first : first + PART_WORDS] = memoryview(bytes(8 * PART_WORDS)).cast("q")

    def release(self) -> None:
        self._words.release()


def key_of(bound: str, source: str) -> int:
    """bound: whose, the same in all workers."""
    digest = hashlib.blake2b(f"{bound} {source}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True) or 1


def _bucket(key: int) -> int:
    return key % BUCKETS * WAYS * 2
