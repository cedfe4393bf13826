"""One of a few by weight, the same for the same key: weighted rendezvous hashing (Thaler and Ravishankar 1998, with the
weights of Schindelhauer and Schomaker 2005).

Each has the score -weight / ln(u), with u from a hash of key and name; the highest wins. A weight that grows only draws
keys to it and moves none between the others. The hash is (a * key + b) mod p, a and b of the name (Carter and Wegman
1979): the key is hashed already, and a cryptographic hash for each name costs eight times as much.
"""

from collections.abc import Sequence
from math import log
from typing import Final

from gateway.balancing.stable_hash import stable_hash

_PRIME: Final = (1 << 61) - 1


class Ranking:
    """names: of those to choose from, each with its weight; whose weight is 0 is never chosen. One needs a weight."""

    __slots__ = ("_each",)

    def __init__(self, names: Sequence[bytes], weights: Sequence[int]) -> None:
        self._each = [
            (stable_hash(b"factor " + name) % (_PRIME - 1) + 1, stable_hash(b"term " + name) % _PRIME, weight, at)
            for at, (name, weight) in enumerate(zip(names, weights, strict=True))
            if weight
        ]

    def winner(self, key: int) -> int:
        """The index of the first in `order`, for a third less. key: a stable hash."""
        highest, first = float("-inf"), 0
        for factor, term, weight, at in self._each:
            score = weight / -log(((factor * key + term) % _PRIME + 0.5) / _PRIME)
            if score > highest:
                highest, first = score, at
        return first

    def order(self, key: int) -> list[int]:
        """Indexes of all with a weight, the winner first."""
        scores = [
            (weight / -log(((factor * key + term) % _PRIME + 0.5) / _PRIME), -at)
            for factor, term, weight, at in self._each
        ]
        scores.sort(reverse=True)
        return [-at for _, at in scores]
