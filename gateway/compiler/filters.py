"""Which limits a rule runs under. A limit lives on over table swaps while its document is unchanged."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from gateway.compiler.diff import DocumentKey, Entry
from gateway.compiler.matches import compile_any
from gateway.compiler.policies import MESH, Place, places_of
from gateway.filters.limit import AppliedLimit, Limit
from gateway.limits.key import compile_key
from gateway.plan import Parts
from gateway.routing.captures import compile_captures
from meshway.model.match import PathMatch
from meshway.model.rate_limit import RateLimit

LimitKey = tuple[DocumentKey, Place]
SpentLimits = list[tuple[LimitKey, list[tuple[str, list[float]]]]]
_KEY_BYTES: Final = 16  # of one key in a frame, beside its text and its numbers
_NUMBER_BYTES: Final = 9


class Limits:
    """All limits by the place they count for: a document has one set of buckets at each of its targets."""

    def __init__(self, entries: Iterable[Entry[RateLimit]], before: "Limits | None", parts: Parts) -> None:
        """before: those of the last tables; of an unchanged document they go on with what they have counted."""
        self._at: dict[Place, list[Limit]] = {}
        self._all: dict[LimitKey, Limit] = {}
        known: Mapping[LimitKey, Limit] = before._all if before is not None else {}
        for entry in sorted(entries, key=lambda entry: entry.key):
            for place in places_of(entry):
                key = (entry.key, place)
                limit = known.get(key)
                if limit is None or limit.policy != entry.spec:
                    concerns = compile_any(entry.spec.match, "spec.match", parts)
                    limit = Limit(entry.name, entry.spec, parts, entry.title, "/".join(place), concerns)
                self._all[key] = limit
                self._at.setdefault(place, []).append(limit)

    def applied(
        self, places: Iterable[Place], *, service: str, route: str, rule: str, paths: Sequence[PathMatch] = ()
    ) -> tuple[AppliedLimit, ...]:
        """All limits at these places, the narrowest last; service, route, rule and names in paths may be parts of their
        keys. paths: canonical, of the rule's matches."""
        found = [limit for place in places for limit in self._at.get(place, ())]
        captured = compile_captures(paths)
        return tuple(
            AppliedLimit(
                limit,
                compile_key(
                    limit.policy.key,
                    service=service,
                    route=route,
                    rule=rule,
                    shares_missing=limit.policy.on_missing_key == "shared",
                    captured=captured,
                ),
            )
            for limit in dict.fromkeys(found)
        )

    def share(self, workers: int) -> None:
        for limit in self._all.values():
            limit.counts.share(workers)

    def __iter__(self) -> Iterator[Limit]:
        return iter(self._all.values())

    def spent(self, now: float, room: int) -> SpentLimits:
        """For the worker that takes over; room: bytes of all keys, beyond which the longest unused are left out."""
        found: SpentLimits = []
        for key, limit in self._all.items():
            kept: list[tuple[str, list[float]]] = []
            for name, numbers in reversed(limit.counts.spent(now)):
                room -= len(name.encode()) + len(numbers) * _NUMBER_BYTES + _KEY_BYTES
                if room < 0:
                    break
                kept.append((name, numbers))
            if kept:
                found.append((key, kept[::-1]))
        return found

    def adopt(self, spent: SpentLimits, now: float) -> None:
        """Limits that are unknown here, or of another version, are left out."""
        for key, buckets in spent:
            limit = self._all.get(key)
            if limit is not None:
                limit.counts.adopt(buckets, now)

    def items(self) -> Iterable[tuple[LimitKey, Limit]]:
        return self._all.items()


def limit_places(route: tuple[Place, ...], services: Iterable[tuple[str, str, str]]) -> tuple[Place, ...]:
    """Where limits are looked for: mesh, then of the route's and every destination's place the wider ones first.

    services: namespace, service, subset of each destination. Limits come before the draw, so a limit of any
    destination counts the calls of the whole rule.
    """
    places: dict[Place, None] = {MESH: None}
    namespace = route[0][1]
    places[("namespace", namespace)] = None
    triples = tuple(services)
    for owner, _, _ in triples:
        places[("namespace", owner)] = None
    for owner, service, _ in triples:
        places[("service", owner, service)] = None
    for owner, service, subset in triples:
        if subset:
            places[("subset", owner, service, subset)] = None
    return (*places, *route)
