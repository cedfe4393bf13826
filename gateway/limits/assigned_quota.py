"""A worker's part of a quota that many share: as of every limit (`assigned.py`), only that each period begins anew, and
that its last calls are waited for while others hold them: they are given back, or used, within a fraction of a second.
"""

from collections.abc import MutableSet
from math import inf

import msgspec

from gateway.limits.alone import OnFailure
from gateway.limits.assigned import Assigned
from gateway.limits.calendar import Calendar
from gateway.limits.desk import Desk
from gateway.limits.line import Advancing
from gateway.limits.quota import Quotas
from gateway.limits.share import Share
from gateway.limits.shared import ANSWER_S
from meshway.assignments.messages import Budget, Grant


class AssignedQuota(Assigned):
    """Which period it is, each gateway reads from its own clock; the book keeps each of them apart."""

    def __init__(
        self,
        budget: Budget,
        desk: Desk,
        calendar: Calendar,
        fallback: Quotas,
        advancing: MutableSet[Advancing],
        *,
        max_keys: int = 100_000,
        on_failure: OnFailure = "local_share",
    ) -> None:
        super().__init__(budget, desk, fallback, advancing, max_keys=max_keys, on_failure=on_failure)
        self._calendar = calendar
        self._ends = -inf

    def wait_s(self, key: str, now: float, ahead: int = 0, cost: int = 1) -> float:
        self._turn(now)
        return super().wait_s(key, now, ahead, cost)

    def spend(self, key: str, now: float, cost: int = 1) -> None:
        self._turn(now)
        super().spend(key, now, cost)

    def take(self, key: str, now: float) -> float:
        self._turn(now)
        return super().take(key, now)

    def stand(self, key: str, now: float) -> tuple[float, float]:
        self._turn(now)
        return super().stand(key, now)[0], self._ends - now

    def others(self, key: str) -> int:
        """Calls that others hold, and may yet give back, as the book said last."""
        share = self._shares.get(key)
        return 0 if share is None else share.others

    def look(self, key: str, now: float) -> None:
        self._turn(now)
        super().look(key, now)

    def granted(self, key: str, grant: Grant, asked_at: float, now: float) -> None:
        if grant.mark == self.budget.period:  # else it was asked in another period
            super().granted(key, grant, asked_at, now)

    def _is_spent(self, share: Share) -> bool:
        return super()._is_spent(share) and not share.others

    def _until_more_s(self, share: Share, now: float, ahead: int = 0) -> float:
        return ANSWER_S if share.others else self._ends - now

    def _turn(self, now: float) -> None:
        if now < self._ends:
            return
        period, left_s = self._calendar.now()
        self._ends = now + left_s
        if period != self.budget.period:
            self.budget = msgspec.structs.replace(self.budget, period=period)
            self.begin_anew(now)
