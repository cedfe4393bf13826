"""Holds retries to a share of the calls, so that a failing service is not hit harder for failing.

Retries in 10 s stay below 10 * min_per_s + percent of the requests in 10 s. Each worker keeps to its share of the
constant part, so the sum over a host's workers keeps to the whole (Envoy's retry_budget counts running calls instead).
A cluster has its own: a canary that fails does not spend what the stable version may retry.
"""

from typing import Final

from gateway.upstream.cluster_settings import BudgetSettings
from gateway.upstream.ratio_window import RatioWindow

WINDOW_S: Final = 10.0


class RetryBudget:
    __slots__ = ("_constant", "_share", "_window")

    def __init__(self, settings: BudgetSettings, workers: int) -> None:
        self._window = RatioWindow(WINDOW_S)
        self.configure(settings, workers)

    def configure(self, settings: BudgetSettings, workers: int) -> None:
        self._constant = WINDOW_S * settings.min_per_s / max(workers, 1)
        self._share = settings.percent / 100.0

    def count_request(self, now: float) -> None:
        """Once an exchange, before its first attempt."""
        window = self._window
        if now >= window.ends:
            window.advance(now)
        window.total += 1

    def spend(self, now: float) -> bool:
        """True: one retry (or hedge) may be made, and is counted."""
        window = self._window
        requests, retries = window.counts(now)
        if retries + 1 > self._constant + self._share * requests:
            return False
        window.failed += 1
        return True
