"""Smooth weighted round robin (nginx): add each weight, take the largest (the first on a tie), subtract the sum.

Weights 2, 3, 4 give 3 2 1 3 2 3 1 2 3; equal weights 1 2 3 1 2 3. The order repeats after sum/gcd picks, so it is
computed once and then read.
"""

from collections.abc import Iterator, Sequence
from itertools import cycle, dropwhile, islice
from math import gcd

from gateway.balancing.pick import Pick, Random, are_equal
from gateway.exchange import Exchange
from gateway.upstream.eligible import Eligible
from gateway.upstream.endpoint import Endpoint

LONGEST_ORDER = 65_536  # picks that are kept; a longer period is computed again and again


def smooth_order(weights: Sequence[int]) -> Iterator[int]:
    """Indexes in the order of nginx's algorithm, for ever."""
    total = sum(weights)
    current = [0] * len(weights)
    while True:
        current = [value + weight for value, weight in zip(current, weights, strict=True)]
        index = max(range(len(current)), key=current.__getitem__)  # max gives the first on a tie
        current[index] -= total
        yield index


def weighted_order(endpoints: Sequence[Endpoint], weights: Sequence[int]) -> Iterator[Endpoint]:
    """Endless; lazily computed, so that a change of endpoints costs nothing at the change."""
    period = sum(weights) // gcd(*weights)
    order = smooth_order(weights)
    if period > LONGEST_ORDER:
        for index in order:
            yield endpoints[index]
    kept = []
    for index in islice(order, period):
        kept.append(endpoints[index])
        yield endpoints[index]
    yield from cycle(kept)


class RoundRobin:
    """Makes a pick for each new tuple and keeps its place: the one who was next is next, if it is still there.

    Workers begin at a random offset, or all of them would call the first endpoint first; a lone worker begins at it.
    """

    __slots__ = ("_next", "_random", "_workers")
    takes_turns = True  # a pick that leads to no call would cost somebody his

    def __init__(self, random: Random, workers: int) -> None:
        self._random = random
        self._workers = workers
        self._next: Iterator[Endpoint] | None = None

    def __call__(self, eligible: Eligible) -> Pick:
        endpoints, weights = eligible.endpoints, eligible.weights
        due = next(self._next, None) if self._next is not None else None
        if are_equal(weights):
            start = self._start(endpoints, due)
            order: Iterator[Endpoint] = cycle(endpoints[start:] + endpoints[:start])
        else:
            order = weighted_order(endpoints, weights)
            if due in endpoints:
                order = dropwhile(lambda endpoint: endpoint is not due, order)
            elif self._workers > 1:
                order = islice(order, int(self._random() * len(endpoints)), None)
        self._next = order
        take = order.__next__

        def round_robin(_: Exchange) -> Endpoint:
            return take()

        return round_robin

    def _start(self, endpoints: tuple[Endpoint, ...], due: Endpoint | None) -> int:
        if due is not None:
            return next((at for at, endpoint in enumerate(endpoints) if endpoint.id >= due.id), 0)
        return int(self._random() * len(endpoints)) if self._workers > 1 else 0
