"""Whose places a consistent hash is made of, and how a large one is made without keeping calls waiting."""

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, Self, TypeVar

from gateway.upstream.eligible import Eligible
from gateway.upstream.endpoint import Endpoint

T = TypeVar("T")
Aside = Callable[[Callable[[], Any], Callable[[Any], None]], None]  # see `Parts`


class Members(NamedTuple):
    """Those who may serve and those who are only away for a while, in order of key, with their weights."""

    endpoints: tuple[Endpoint, ...]
    weights: tuple[int, ...]

    @classmethod
    def of(cls, eligible: Eligible) -> Self:
        """Who is away weighs what the policy says while all do; where calls are spread over levels it has no place."""
        weights = dict(zip(eligible.endpoints, eligible.weights, strict=True))
        if all(weight == endpoint.weight for endpoint, weight in weights.items()):
            for endpoint in eligible.away:
                weights.setdefault(endpoint, endpoint.weight)
        endpoints = sorted(weights, key=lambda endpoint: endpoint.key)
        return cls(tuple(endpoints), tuple(weights[endpoint] for endpoint in endpoints))


class Laid(Generic[T]):
    """The places that serve now. A large set of them is made beside the loop; until it is there the last one serves, or
    a small one where the last one knows nobody who is left.

    lay: makes places of a size. at_once: the largest size that the loop makes itself.
    """

    __slots__ = ("_aside", "_at_once", "_lay", "_members", "_owners", "places")

    def __init__(self, empty: T, lay: Callable[[Members, int], T], at_once: int, aside: Aside) -> None:
        self.places = empty
        self._lay = lay
        self._at_once = at_once
        self._aside = aside
        self._members = Members((), ())
        self._owners: frozenset[Endpoint] = frozenset()

    def lay_for(self, eligible: Eligible, size_for: Callable[[int], int]) -> None:
        """size_for: of so many endpoints."""
        members = Members.of(eligible)
        if members == self._members:
            return
        self._members = members
        size = size_for(len(members.endpoints))
        if size <= self._at_once or self._owners.isdisjoint(eligible.endpoints):
            self._take(members, self._lay(members, min(size, self._at_once)))
        if size > self._at_once:
            self._aside(lambda: self._lay(members, size), lambda places: self._take(members, places))

    def _take(self, members: Members, places: T) -> None:
        if members is self._members:  # else it comes too late
            self.places, self._owners = places, frozenset(members.endpoints)
