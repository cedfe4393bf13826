"""One of a few by weight, the same for the same key: weighted rendezvous hashing (Thaler and Ravishankar 1998, with the
weights of Schindelhauer and Schomaker 2005).

Each has the score -weight / ln(u), with u from a hash of key and name; the highest wins. A weight that grows only draws
keys to it and moves none between the others.
"""

from collections.abc import Sequence
from math import log

from gateway.balancing.stable_hash import BITS, SPACE, stable_hash


def ranked(key: int, names: Sequence[bytes], weights: Sequence[int]) -> list[int]:
    """Indexes of all with a weight, the winner first. key: a stable hash."""
    prefix = key.to_bytes(BITS // 8, "big")
    scores = []
    for at, (name, weight) in enumerate(zip(names, weights, strict=True)):
        if weight:
            share = (stable_hash(prefix + name) + 0.5) / SPACE  # above 0 and below 1
            scores.append((weight / -log(share), at))
    scores.sort(reverse=True)
    return [at for _, at in scores]
