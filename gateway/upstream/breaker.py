"""Opens when a service fails too much of its calls, and tries it again with a few (Resilience4j's circuit breaker).

closed -> open: the share of failures, or of slow calls, in the window is above its threshold, with enough attempts to
judge and, where a confidence is asked for, so far above it that chance does not explain it. open -> half-open
after open_for, or early when an active check passes. half-open -> closed when all probes were good, -> open for twice
as long (up to open_max) when one was bad. Each worker judges its own attempts; what it finds is told to the others.
"""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Final, Literal

from gateway.exchange import Exchange, Reply
from gateway.upstream.cluster_settings import BreakerSettings
from gateway.upstream.ratio_window import RatioWindow, lower_bound

BreakerNews = Literal["breaker_opened", "breaker_half_open", "breaker_closed"]
CLOSED: Final = "closed"
OPEN: Final = "open"
HALF_OPEN: Final = "half_open"


class Breaker:
    """report: told `breaker_opened | breaker_half_open | breaker_closed`, until_s and the openings in a row.

    state, open_until (monotonic seconds) and openings are for showing.
    """

    __slots__ = (
        "_answer", "_good", "_is_slow", "_name", "_probes", "_report", "_share", "_slow", "_window", "_z",
        "open_until", "openings", "settings", "state",
    )  # fmt: skip

    def __init__(
        self, name: str, settings: BreakerSettings, workers: int, report: Callable[[BreakerNews, float, int], None]
    ) -> None:
        self._name = name
        self._report = report
        self.settings = settings
        self._window = RatioWindow(settings.window_s)
        self._slow = RatioWindow(settings.window_s)
        self._is_slow = False  # the attempt whose end is recorded next
        self._z = 0.0
        self._share = 1
        self._good = 0
        self._answer: Reply | None = None
        self._probes: set[Exchange] = set()
        self.state = CLOSED
        self.open_until = 0.0
        self.openings = 0
        self.configure(settings, workers)

    def configure(self, settings: BreakerSettings, workers: int) -> None:
        """New settings, same state; the window begins anew only when its length changed."""
        if settings.window_s != self.settings.window_s:
            self._window = RatioWindow(settings.window_s)
            self._slow = RatioWindow(settings.window_s)
        self.settings = settings
        confidence = settings.confidence_percent
        self._answer = None if settings.answer is None else self._reply(*settings.answer)
        self._z = NormalDist().inv_cdf(confidence / 100.0) if confidence else 0.0
        self._share = math.ceil(settings.half_open_requests / max(workers, 1))

    def admit(self, exchange: Exchange, now: float) -> Reply | None:
        if self.state is CLOSED:
            return None
        refusal = self.forecast(now)
        if refusal is not None:
            return refusal
        if self.state is OPEN:
            self.state = HALF_OPEN
            self._good = 0
            self._probes.clear()
            self._report("breaker_half_open", 0.0, self.openings)
        self._probes.add(exchange)
        return None

    def forecast(self, now: float) -> Reply | None:
        """What `admit` would answer now; None: it would admit."""
        if self.state is OPEN:
            return self._refusal(self.open_until - now) if now < self.open_until else None
        if self.state is HALF_OPEN and len(self._probes) >= self._share:
            return self._refusal(1.0)
        return None

    def release(self, exchange: Exchange) -> None:
        """The exchange is over, or was not admitted after all: another probe may go."""
        if self._probes:
            self._probes.discard(exchange)

    def observe(self, latency_s: float) -> None:
        """How long the attempt took whose end is recorded next; to be told where slow calls count."""
        self._is_slow = latency_s > self.settings.slow_over_s

    def record(self, outcome: str, status: int, now: float, exchange: Exchange | None = None) -> None:
        """One attempt's end. outcome: `ok connect reset timeout`. exchange: whose; half-open only probes are judged."""
        settings = self.settings
        failed = status in settings.statuses if outcome == "ok" else outcome in settings.outcomes
        is_slow, self._is_slow = self._is_slow, False
        if self.state is CLOSED:
            self._window.add(failed, now)
            if failed and self._is_above(self._window, settings.failure_percent, now):
                self._open(now)
            elif settings.slow_over_s < math.inf:
                self._slow.add(is_slow, now)
                if is_slow and self._is_above(self._slow, settings.slow_percent, now):
                    self._open(now)
        elif self.state is HALF_OPEN and exchange in self._probes:  # others are stragglers from before the opening
            if failed or is_slow:
                self._open(now)
                return
            self._good += 1
            if self._good >= self._share:
                self.close()
                self._report("breaker_closed", 0.0, 0)

    def _is_above(self, window: RatioWindow, percent: float, now: float) -> bool:
        total, special = window.counts(now)
        if total < self.settings.minimum_requests or special * 100.0 <= percent * total:
            return False
        return not self._z or lower_bound(special / total, total, self._z) * 100.0 > percent

    def _open(self, now: float) -> None:
        settings = self.settings
        # Beyond 2^30 the doubling would only overflow; open_max has long been reached.
        wait_s = min(settings.open_for_s * 2.0 ** min(self.openings, 30), settings.open_max_s)
        self.open(now + wait_s, self.openings + 1)
        self._report("breaker_opened", self.open_until, self.openings)

    def open(self, until_s: float, openings: int) -> None:
        """Also by another worker's finding. openings: in a row, it sets how long the next one lasts."""
        self.state = OPEN
        self.open_until = until_s
        self.openings = openings
        self._probes.clear()

    def close(self) -> None:
        self.state = CLOSED
        self.open_until = 0.0
        self.openings = 0
        self._good = 0
        self._probes.clear()
        self._window.clear()
        self._slow.clear()

    def end_open_early(self) -> None:
        """An active check passes again: probe now."""
        if self.state is OPEN:
            self.open_until = 0.0

    def _reply(self, status: int, body: str, content_type: str) -> Reply:
        """Told to be of the open breaker, so that nobody takes it for the service's own."""
        fields = f"Content-Type: {content_type}\r\n".encode("latin-1") if body else b""
        detail = f"the breaker of {self._name} is open: its fallback answers"
        policy = self.settings.policy
        return Reply(status, "breaker_open", "UO", detail, fields=fields, body=body.encode(), policy=policy)

    def _refusal(self, wait_s: float) -> Reply:
        if self._answer is not None:
            return self._answer
        return Reply(
            503,
            "breaker_open",
            "UO",
            f"the breaker of {self._name} is open",
            fields=b"Retry-After: %d\r\n" % max(math.ceil(wait_s), 1),
            policy=self.settings.policy,
        )
