"""Holds retries to a share of the calls, so that a failing service is not hit harder for failing.

Retries in 10 s are at most percent of the requests in 10 s, or 10 * min_per_s where that is more: the minimum lets a
service that is seldom called be retried at all, and adds nothing where the share is enough (at 20 % and 10/s from 50
calls a second on), so that there attempts stay within 1.2 of the calls, but for 10 * min_per_s of them. Each worker
keeps to its share of the minimum (Envoy's retry_budget has one in the same sense, and counts running calls instead).
A cluster has its own: a canary that fails does not spend what the stable version may retry.
"""

from typing import Final

from gateway.upstream.cluster_settings import BudgetSettings
from gateway.upstream.ratio_window import RatioWindow

WINDOW_S: Final = 10.0


class RetryBudget:
    __slots__ = ("_least", "_share", "_window")

    def __init__(self, settings: BudgetSettings, workers: int) -> None:
        self._window = RatioWindow(WINDOW_S)
        self.configure(settings, workers)

    def configure(self, settings: BudgetSettings, workers: int) -> None:
        self._least = WINDOW_S * settings.min_per_s / max(workers, 1)
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
        if retries + 1 > max(self._least, self._share * requests):
            return False
        window.failed += 1
        return True
