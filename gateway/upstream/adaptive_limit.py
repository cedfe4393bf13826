"""How many calls a service can run at once, learnt from how long they take: above it calls are refused, not queued.

A gradient (Netflix's concurrency-limits, Envoy's adaptive concurrency) without their probe of the least latency, which
pins a service to a few calls: `base`, the latency without congestion, is learnt from windows that were not congested,
and a limit that fell without latency falling with it shows that the service itself became slower.
"""

from collections.abc import Hashable
from math import sqrt
from typing import Final

from gateway.exchange import Exchange, Reply
from gateway.upstream.cluster_settings import AdaptiveSettings
from gateway.upstream.criticality import share_of

FIRST_LIMIT: Final = 20.0
_SMOOTHING: Final = 0.2  # of limit and of a base that falls
_DRIFT: Final = 0.02  # of a base that rises
_STEEPEST: Final = 0.5
_FELL: Final = 0.6  # of the limit where congestion began
_FOLLOWED: Final = 0.85  # of the latency there: else the calls are not its cause


class AdaptiveLimit:
    """limit: calls at once; held: those that run. One a worker: what others run shows in the latency they share."""

    __slots__ = (
        "_base_s", "_congested_at", "_ends", "_name", "_peak", "_refused", "_samples", "_sum_s", "held", "limit",
        "settings",
    )  # fmt: skip

    def __init__(self, name: str, settings: AdaptiveSettings) -> None:
        self._name = name
        self.settings = settings
        self.limit = min(max(FIRST_LIMIT, settings.min_limit), settings.max_limit)
        self.held: set[Hashable] = set()
        self._base_s = 0.0
        self._congested_at: tuple[float, float] | None = None  # limit and latency when it began
        self._ends = 0.0
        self._peak = self._refused = self._samples = 0
        self._sum_s = 0.0

    def configure(self, settings: AdaptiveSettings) -> None:
        """New bounds; what was learnt stays."""
        self.settings = settings
        self.limit = min(max(self.limit, settings.min_limit), settings.max_limit)

    @property
    def running(self) -> int:
        return len(self.held)

    def admit(self, exchange: Exchange) -> Reply | None:
        return None if self.enter(exchange, share_of(exchange)) else self._refusal()

    def forecast(self, exchange: Exchange) -> Reply | None:
        """What `admit` would answer now; nothing is counted."""
        return None if self.has_room(share_of(exchange)) else self._refusal()

    def _refusal(self) -> Reply:
        return self.overloaded(f"{self._name} runs as many calls as it can take ({self.limit:.0f} from this worker)")

    def overloaded(self, detail: str) -> Reply:
        return Reply(503, "overloaded", "OM", detail, fields=b"Retry-After: 1\r\n", policy=self.settings.policy)

    def enter(self, call: Hashable, share: float) -> bool:
        """False: refused. share: of the limit that calls as important as this one may fill; one always may run."""
        if not self.has_room(share):
            self.refused()
            return False
        self.held.add(call)
        self.entered(len(self.held))
        return True

    def has_room(self, share: float) -> bool:
        return self.running + 1 <= max(self.limit * share, 1.0)

    def entered(self, running: int) -> None:
        """So many run now, with the one that came."""
        if running > self._peak:
            self._peak = running

    def refused(self) -> None:
        """A call was."""
        self._refused += 1

    def release(self, call: Hashable) -> None:
        self.held.discard(call)

    def observe(self, latency_s: float, now: float) -> None:
        """An answer came, or did not come in time."""
        if not self._ends:
            # The first to come are the quickest of those that began: a base of these alone would be too low for good.
            self._ends = now + self.settings.window_s
        self._samples += 1
        self._sum_s += latency_s
        if now >= self._ends and self._samples >= self.settings.minimum_samples:
            self._judge(self._sum_s / self._samples)
            self._begin(now)

    def _begin(self, now: float) -> None:
        self._ends = now + self.settings.window_s
        self._samples = self._refused = 0
        self._sum_s = 0.0
        self._peak = self.running

    def _judge(self, short_s: float) -> None:
        """short_s: mean latency of the window that ends."""
        is_idle = self._peak < self.limit / 2.0
        if not self._base_s:
            self._base_s = short_s
        elif short_s < self._base_s:
            self._base_s += _SMOOTHING * (short_s - self._base_s)
        elif is_idle and not self._refused:
            self._base_s += _DRIFT * (short_s - self._base_s)
        if is_idle:
            return
        settings = self.settings
        gradient = min(1.0, max(_STEEPEST, settings.tolerance * self._base_s / short_s))
        limit = self.limit + _SMOOTHING * (self.limit * gradient + sqrt(self.limit) - self.limit)
        self.limit = min(max(limit, settings.min_limit), settings.max_limit)
        self._find_cause(gradient, short_s)

    def _find_cause(self, gradient: float, short_s: float) -> None:
        if gradient == 1.0:
            self._congested_at = None
        elif self._congested_at is None:
            self._congested_at = (self.limit, short_s)
        elif self.limit < _FELL * self._congested_at[0]:
            if short_s > _FOLLOWED * self._congested_at[1]:
                self._base_s = short_s / self.settings.tolerance
            self._congested_at = None
