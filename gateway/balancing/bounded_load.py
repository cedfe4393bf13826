"""Consistent hashing with bounded loads (Mirrokni, Thorup, Zadimoghaddam 2016): nobody runs far more than his share."""

from collections.abc import Callable
from math import ceil

from gateway.upstream.eligible import Eligible
from gateway.upstream.endpoint import Endpoint

Admits = Callable[[Endpoint], bool]


class Bound:
    """factor: over the mean of running calls; 0 = unbounded."""

    __slots__ = ("_factor",)

    def __init__(self, factor: float) -> None:
        self._factor = factor

    def over(self, eligible: Eligible) -> Admits | None:
        """Whether an endpoint may take one call more: at most ceil(factor * its share of all calls with this one)."""
        if not self._factor:
            return None
        endpoints = eligible.endpoints
        total = sum(eligible.weights)
        shares = {
            endpoint: self._factor * weight / total
            for endpoint, weight in zip(endpoints, eligible.weights, strict=True)
        }

        def admits(endpoint: Endpoint) -> bool:
            active = endpoint.in_flight
            if not active:
                return True  # one call is within every bound: no need to sum up
            running = sum([other.in_flight for other in endpoints])
            return active + 1 <= ceil(shares[endpoint] * (running + 1))

        return admits
