"""A ring of points, some for each endpoint by its weight; a call goes to the next one clockwise (Karger 1997, ketama).

Who leaves gives its calls to its neighbours on the ring and moves nobody else; who is away for a while (ejected,
failing its check) keeps its points, so that its callers find it again.
"""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from gateway.balancing.bounded_load import Bound
from gateway.balancing.hash_key import HashOf
from gateway.balancing.hash_members import Aside, Laid, Members
from gateway.balancing.pick import Pick
from gateway.balancing.stable_hash import stable_hashes
from gateway.exchange import Exchange
from gateway.upstream.eligible import Eligible
from gateway.upstream.endpoint import Endpoint

FULL_FROM: Final = 4  # endpoints: from so many equal ones on the ring has its size
LARGEST: Final = 65_536
AT_ONCE: Final = 2_048  # are laid in under 2 ms

Ring = tuple[list[int], list[Endpoint]]


def ring_points(members: Members, size: int, most: int) -> Ring:
    """Sorted places and whose they are.

    size: the heaviest endpoint has a quarter of it, the others their share of that, each one at least. An endpoint so
    has as many points when others come or go; did all get a few more, all would take callers from each other. Only a
    ring of more than `most` points halves them.
    """
    per_weight = max(size / FULL_FROM, 1.0) / max(members.weights)
    while per_weight * sum(members.weights) > most * 1.001:
        per_weight /= 2.0
    points: dict[int, Endpoint] = {}
    for endpoint, weight in zip(members.endpoints, members.weights, strict=True):
        own = max(1, round(per_weight * weight))
        for at, place in enumerate(_places(endpoint)):
            if at == own:
                break
            points.setdefault(place, endpoint)
    places = sorted(points)
    return places, [points[place] for place in places]


def _places(endpoint: Endpoint) -> Iterator[int]:
    at = 0
    identity = "/".join(endpoint.key).encode()
    while True:
        yield from stable_hashes(b"%b %d" % (identity, at))
        at += 1


class RingHash:
    """size: points of a ring of four equal endpoints; more have more."""

    __slots__ = ("_bound", "_hash_of", "_laid", "_size")

    def __init__(self, hash_of: HashOf, size: int, max_load_factor: float, aside: Aside) -> None:
        self._hash_of = hash_of
        self._size = size
        self._bound = Bound(max_load_factor)
        self._laid = Laid[Ring](([], []), lambda members, most: ring_points(members, size, most), AT_ONCE, aside)

    def __call__(self, eligible: Eligible) -> Pick:
        laid, hash_of = self._laid, self._hash_of
        laid.lay_for(eligible, lambda count: min(max(count, self._size * count // FULL_FROM), LARGEST))
        serves, admits = frozenset(eligible.endpoints), self._bound.over(eligible)

        def pick(exchange: Exchange) -> Endpoint:
            places, owners = laid.places
            many = len(places)
            start = bisect_left(places, hash_of(exchange)) % many
            first = owners[start]
            if first in serves and (admits is None or admits(first)):
                return first
            seen: dict[Endpoint, None] = {}
            for at in range(start, start + many):
                endpoint = owners[at % many]
                if endpoint in serves and endpoint not in seen:
                    if admits is None or admits(endpoint):
                        return endpoint
                    seen[endpoint] = None
                    if len(seen) == len(serves):
                        break
            return next(iter(seen), eligible.endpoints[0])

        return pick
