"""A ring of points, some for each endpoint by its weight; a call goes to the next one clockwise (Karger 1997, ketama).

Who leaves gives its calls to its neighbours on the ring and moves nobody else; who is away for a while (ejected,
failing its check) keeps its points, so that its callers find it again.
"""

from bisect import bisect_left
from collections.abc import Iterator
from math import ceil, log2
from typing import Final

from gateway.balancing.bounded_load import Bound
from gateway.balancing.hash_key import HashOf
from gateway.balancing.hash_members import Aside, Laid, Members
from gateway.balancing.pick import Pick
from gateway.balancing.stable_hash import stable_hashes
from gateway.exchange import Exchange
from gateway.upstream.eligible import Eligible
from gateway.upstream.endpoint import Endpoint

POINTS: Final = 100  # an endpoint, on the average: then the busiest gets about an eighth more than its share
LARGEST: Final = 65_536
AT_ONCE: Final = 2_048  # are laid in under 2 ms

Ring = tuple[list[int], list[Endpoint]]


def points_per_weight(total: int, size: int) -> float:
    """A power of two, so that an endpoint has as many points when another comes or goes: else all would move a little.

    total: of the weights. size: points of all together, at least.
    """
    points = 2.0 ** ceil(log2(size / total))
    return points if points * total <= LARGEST else points / 2.0


def ring_points(members: Members, size: int) -> Ring:
    """Sorted places and whose they are. size: points of all together, at least; each endpoint has one or more."""
    per_weight = points_per_weight(sum(members.weights), size)
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
    """least_size: points of the ring at least; more where there are many endpoints."""

    __slots__ = ("_bound", "_hash_of", "_laid", "_least_size")

    def __init__(self, hash_of: HashOf, least_size: int, max_load_factor: float, aside: Aside) -> None:
        self._hash_of = hash_of
        self._least_size = least_size
        self._bound = Bound(max_load_factor)
        self._laid = Laid[Ring](([], []), ring_points, AT_ONCE, aside)

    def __call__(self, eligible: Eligible) -> Pick:
        laid, hash_of = self._laid, self._hash_of
        laid.lay_for(eligible, lambda count: min(max(self._least_size, POINTS * count), LARGEST))
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
