"""The quicker and less busy of two distinct endpoints, by a latency that remembers peaks (Finagle's Peak EWMA).

cost = latency * (active + 1) / weight. A sample above the mean replaces it at once; one below lowers it with the time
constant `decay_s`. A failure counts as a very slow answer, or an endpoint that fails fast would draw all calls. The
mean of an endpoint that nobody calls falls, so that it is tried again; while a call is under way it does not, for
an endpoint that hangs teaches nothing new.
"""

from math import exp, log
from typing import Final

from gateway.balancing.pick import Pick, Random, are_equal
from gateway.exchange import Exchange
from gateway.upstream.eligible import Eligible
from gateway.upstream.endpoint import Endpoint

FAILURE_S: Final = 1.0  # at least; more where good answers take longer
# An endpoint that nobody has measured gets one call; as long as that has not ended it counts as this slow.
UNKNOWN_S: Final = 1.0
SCANNED: Final = 16  # of unequal weights, all up to this number are looked at, or so many drawn ones
_NO_VERDICT: Final = frozenset({"cancelled", "stale_connection"})


class PeakEwma:
    """decay_s: seconds after which an old sample weighs 1/e. observe: told of each attempt that ended."""

    __slots__ = ("_decay_s", "_random", "_slowest", "_slowest_before", "_turns_at")

    def __init__(self, random: Random, decay_s: float) -> None:
        self._random = random
        self._decay_s = decay_s
        self._slowest = 0.0  # good answer of this window, which is as long as decay_s
        self._slowest_before = 0.0
        self._turns_at = 0.0

    def observe(self, endpoint: Endpoint, outcome: str, status: int, latency_s: float, now: float) -> None:
        """status: 0 when there was no answer."""
        if outcome in _NO_VERDICT:
            return
        if now >= self._turns_at:
            self._turns_at = now + self._decay_s
            self._slowest_before, self._slowest = self._slowest, 0.0
        if outcome == "ok" and status < 500:
            if latency_s > self._slowest:
                self._slowest = latency_s
        else:
            latency_s = max(latency_s, self._slowest, self._slowest_before, FAILURE_S)
        kept = exp((endpoint.ewma_at - now) / self._decay_s)
        mean = endpoint.ewma_s * kept
        endpoint.ewma_s = latency_s if latency_s >= mean else mean + latency_s * (1.0 - kept)
        endpoint.ewma_at = now

    def __call__(self, eligible: Eligible) -> Pick:
        endpoints = eligible.endpoints
        if len(endpoints) == 1:
            only = endpoints[0]
            return lambda _: only
        return self._draw_two(endpoints) if are_equal(eligible.weights) else self._scan(eligible)

    def _draw_two(self, endpoints: tuple[Endpoint, ...]) -> Pick:
        random, count, decay_s = self._random, len(endpoints), self._decay_s

        def pick(exchange: Exchange) -> Endpoint:
            i = int(random() * count)
            j = int(random() * (count - 1))
            a = endpoints[i]
            b = endpoints[j if j < i else j + 1]  # distinct, every pair equally likely
            now = exchange.started
            return a if _cost(a, now, decay_s, 1.0) <= _cost(b, now, decay_s, 1.0) else b

        return pick

    def _scan(self, eligible: Eligible) -> Pick:
        """The 1 of (active + 1) is drawn from an exponential distribution of mean 1, as in least_request: idle
        endpoints then win in proportion to weight / latency, and none with a weight is starved."""
        random, decay_s = self._random, self._decay_s
        weighted = tuple(zip(eligible.endpoints, eligible.weights, strict=True))
        count = len(weighted)

        def pick(exchange: Exchange) -> Endpoint:
            now = exchange.started
            some = weighted
            if count > SCANNED:
                start, step = int(random() * count), 1 + int(random() * (count // SCANNED))
                some = tuple(weighted[(start + step * at) % count] for at in range(SCANNED))
            best, least = some[0][0], float("inf")
            for endpoint, weight in some:
                cost = _cost(endpoint, now, decay_s, -log(1.0 - random())) / weight
                if cost < least:
                    best, least = endpoint, cost
            return best

        return pick


def _cost(endpoint: Endpoint, now: float, decay_s: float, own: float) -> float:
    """own: what the call to come adds to the running ones."""
    active, mean = endpoint.in_flight, endpoint.ewma_s
    if mean == 0.0:
        return UNKNOWN_S * active
    if not active:
        mean *= exp((endpoint.ewma_at - now) / decay_s)
    return mean * (active + own)
