"""Weights from how fast endpoints answer: who answers twice as fast gets twice the calls (`weights: auto`).

A weight is the declared one times the ratio of the middle latency to the endpoint's own, so that all endpoints run
about as many calls at once (Little 1961); one that slows down under its load gets less of it until it does not. Ratios
are taken in steps, or chance would make the balancer anew each time. A failure counts as a slow answer.
"""

from collections.abc import Callable
from math import log
from statistics import median
from typing import Final

from gateway.balancing.pick import Pick
from gateway.exchange import Exchange
from gateway.upstream.eligible import NOBODY, Eligible
from gateway.upstream.endpoint import Endpoint

PERIOD_S: Final = 2.0
LEAST: Final = 5  # answers of an endpoint in a period; fewer say nothing
FAILURE_S: Final = 1.0  # at least, as in peak_ewma
STEP: Final = 1.1
MOST_STEPS: Final = 24  # about ten times more or less than declared
_SMOOTHING: Final = 0.5
_SCALE: Final = 100  # weights are whole
_NO_VERDICT: Final = frozenset({"cancelled", "stale_connection"})

Algorithm = Callable[[Eligible], Pick]


class _Record:
    __slots__ = ("count", "mean_s", "sum_s")

    def __init__(self) -> None:
        self.count = 0
        self.sum_s = 0.0
        self.mean_s = 0.0  # of the periods before, 0 = unknown


class AutoWeights:
    """algorithm: picks by the weights that it is given."""

    __slots__ = ("_algorithm", "_eligible", "_ends", "_pick", "_records", "_steps", "takes_turns")

    def __init__(self, algorithm: Algorithm) -> None:
        self._algorithm = algorithm
        self.takes_turns = getattr(algorithm, "takes_turns", False)
        self._eligible = NOBODY
        self._records: dict[Endpoint, _Record] = {}
        self._steps: tuple[int, ...] = ()
        self._ends = 0.0
        self._pick: Pick | None = None

    def __call__(self, eligible: Eligible) -> Pick:
        self._eligible = eligible
        known = self._records
        self._records = {endpoint: known.get(endpoint) or _Record() for endpoint in eligible.endpoints}
        self._steps = self._steps_now()
        self._weigh()

        def pick(exchange: Exchange) -> Endpoint:
            assert self._pick is not None
            return self._pick(exchange)

        return pick

    def observe(self, endpoint: Endpoint, outcome: str, status: int, latency_s: float, now: float) -> None:
        """As `Cluster.observe`."""
        record = self._records.get(endpoint)
        if record is None or outcome in _NO_VERDICT:
            return
        record.count += 1
        record.sum_s += latency_s if outcome == "ok" and status < 500 else max(latency_s, FAILURE_S)
        if now >= self._ends:
            self._end_period(now)

    def _end_period(self, now: float) -> None:
        is_first, self._ends = not self._ends, now + PERIOD_S
        if is_first:
            return
        for record in self._records.values():
            if record.count >= LEAST:
                mean_s = record.sum_s / record.count
                record.mean_s = mean_s if not record.mean_s else record.mean_s + _SMOOTHING * (mean_s - record.mean_s)
            record.count, record.sum_s = 0, 0.0
        steps = self._steps_now()
        if steps != self._steps:
            self._steps = steps
            self._weigh()

    def _steps_now(self) -> tuple[int, ...]:
        """Of each endpoint, from what is declared; 0 for one of which nothing is known."""
        known = [record.mean_s for record in self._records.values() if record.mean_s]
        middle_s = median(known) if known else 0.0
        return tuple(
            max(-MOST_STEPS, min(MOST_STEPS, round(log(middle_s / record.mean_s, STEP)))) if record.mean_s else 0
            for record in self._records.values()
        )

    def _weigh(self) -> None:
        eligible, weights = self._eligible, self._eligible.weights
        if any(self._steps):
            scaled = zip(weights, self._steps, strict=True)
            weights = tuple(max(1, round(weight * _SCALE * STEP**steps)) for weight, steps in scaled)
        self._pick = self._algorithm(eligible._replace(weights=weights))
