"""A worker's part of a limit that many share: it admits calls from what it was assigned, so none waits for others.

What is held is topped up before it runs out; a key's first calls are admitted on loan (`loan_of`). Only where nothing
is held and nothing may be borrowed does a call wait for the answer (`shared.py`). docs/internals/limits.md tells why no
limit is exceeded.
"""

from collections import OrderedDict
from collections.abc import Iterable, MutableSet
from heapq import heappop, heappush
from math import inf
from typing import Final

from gateway.limits.algorithm import Algorithm
from gateway.limits.alone import OnFailure
from gateway.limits.desk import Desk
from gateway.limits.line import Advancing, Ticket
from gateway.limits.share import Share, digest
from gateway.limits.shared import ANSWER_S, MOST_IN_LINE, REFUSED_S, Shared
from meshway.assignments.ledger import MARGIN_S
from meshway.assignments.messages import Ask, Budget, Grant, loan_of

_QUICK_S, _SLOW_S = 0.05, 0.25  # a grant that is used up sooner is doubled, one that lasts longer is halved
_SHORT_S: Final = 0.1  # what may be held for no longer is not asked for ahead
_MOST_BATCH: Final = 4096
_FEW: Final = 4  # calls for each worker
_MOST_A_BEAT: Final = 500  # keys that are looked at
_LEAST_WAIT_S: Final = 1e-3


class Assigned(Shared):
    """Of a bucket or a window. max_keys: above it the one unused longest is forgotten."""

    def __init__(
        self,
        budget: Budget,
        desk: Desk,
        counts: Algorithm,
        advancing: MutableSet[Advancing],
        *,
        max_keys: int = 100_000,
        on_failure: OnFailure = "local_share",
        patience_s: float = 0.0,
        max_queue: int = MOST_IN_LINE,
    ) -> None:
        super().__init__(
            budget, desk, counts, advancing, on_failure=on_failure, patience_s=patience_s, max_queue=max_queue
        )
        self._limit = float(budget.limit)
        self._max_keys = max_keys
        self._grace_s = 0.0 if budget.kind == "window" else MARGIN_S / 2.0
        self._shares: OrderedDict[str, Share] = OrderedDict()
        self._later: OrderedDict[str, None] = OrderedDict()
        self._held: list[tuple[float, str]] = []
        self._workers = -1
        self._loan = self._at_once = self._least_batch = 0

    # What a limit is asked.

    def wait_s(self, key: str, now: float, ahead: int = 0, cost: int = 1) -> float:
        if self._desk.lost:
            return self.alone.wait_s(key, now, ahead, cost)
        if cost > self.budget.limit:
            return inf
        self._look_at_loans()
        share = self._shares.get(key)
        if share is None:
            return 0.0 if ahead + cost <= self._at_once else ANSWER_S
        self._refresh(share, now)
        if share.balance + self._at_once >= ahead + cost:
            return 0.0
        if now < share.again_at:
            return self._until_more_s(share, now, ahead)
        return ANSWER_S

    def spend(self, key: str, now: float, cost: int = 1) -> None:
        if self._desk.lost:
            self.alone.spend(key, now, cost)
            return
        share = self._held_of(key, now)
        share.balance -= cost
        share.wants_more = True
        self._shares.move_to_end(key)
        if share.balance <= share.low or share.balance <= 0:
            self._is_low(key, share, now)

    def _is_low(self, key: str, share: Share, now: float) -> None:
        if share.is_asking:
            return
        if share.balance <= share.low and now >= share.again_at:
            self._want(key, share)
        elif share.balance < 0:
            self._ask_later(key)
        elif share.balance == 0 and not self._loan:
            # Of a small limit nothing comes back into the store until it hears that this is spent.
            share.wants_more = False
            self._want(key, share)

    def take(self, key: str, now: float) -> float:
        share = self._shares.get(key)
        if share is not None and now < share.until and share.balance > 0 and share.era == self._desk.era:
            # What nearly every call meets. Where nobody assigns the era is another one.
            balance = share.balance = share.balance - 1
            share.wants_more = True
            self._shares.move_to_end(key)
            if balance <= share.low or not balance:
                self._is_low(key, share, now)
            return 0.0
        return super().take(key, now)

    def stand(self, key: str, now: float) -> tuple[float, float]:
        """What the book said last, less what was admitted since."""
        if self._desk.lost:
            counts = self.alone.counts()
            return counts.left(key, now), counts.reset_s(key, now)
        share = self._shares.get(key)
        if share is None:
            return self._limit, 0.0
        left, limit, reset_at = share.left + share.balance + self._loan, self._limit, share.reset_at
        if left > limit:
            left = limit
        return (left if left > 0.0 else 0.0), (reset_at - now if reset_at > now else 0.0)

    def spent(self, now: float) -> list[tuple[str, list[float]]]:
        """What is borrowed, and behind it what was counted alone; what is held goes with this worker."""
        borrowed = {key: float(share.balance) for key, share in self._shares.items() if share.balance < 0}
        alone = dict(self.alone.counts().spent(now))
        return [(key, [borrowed.get(key, 0.0), *alone.get(key, ())]) for key in borrowed | alone]

    def adopt(self, spent: Iterable[tuple[str, list[float]]], now: float) -> None:
        for key, (balance, *alone) in spent:
            if balance < 0.0:
                (self._shares.get(key) or self._open(key)).balance += int(balance)
                self._ask_later(key)
            if alone:
                self.alone.counts().adopt([(key, alone)], now)

    # What the desk asks and tells.

    def ask_of(self, key: str, worker: str, budget: int, now: float) -> Ask:
        share = self._held_of(key, now)
        back, share.back = share.back, 0
        want = max((share.batch if share.wants_more else 0) - share.balance, 0) + self.line.cost(key)
        return Ask(
            budget=budget,
            key=digest(key),
            worker=worker,
            want=want,
            held=max(share.balance, 0),
            back=back,
            mark=share.back_mark,
            least=max(self.line.first_cost(key) - max(share.balance, 0), 1),
        )

    def granted(self, key: str, grant: Grant, asked_at: float, now: float) -> None:
        share = self._shares.get(key)
        if share is None:
            return  # forgotten meanwhile: it counts as spent
        share.is_asking = share.wants_more = False
        share.told_at = now
        if grant.mark != share.mark:
            share.put_back()
        share.mark = grant.mark
        share.balance += grant.count
        # For those who wait it does not come too late as long as the book counts it as held.
        share.until = asked_at + grant.keep_s + self._grace_s
        share.again_at = now + grant.again_s
        share.is_empty = grant.again_s > 0.0
        share.left, share.reset_at, share.others = grant.left, now + grant.reset_s, grant.others
        if grant.count:
            lasted_s, share.granted_at = now - share.granted_at, now
            if lasted_s < _QUICK_S:
                share.batch = min(share.batch * 2 or 1, _MOST_BATCH)
            elif lasted_s > _SLOW_S:
                share.batch = max(share.batch // 2, self._least_batch)
            share.low = min(grant.count, share.batch) // 2 if grant.keep_s > _SHORT_S else -_MOST_BATCH
        self.line.serve(key, now)
        share.until = asked_at + grant.keep_s
        self._go_on(key, share, now)
        if share.balance > 0:
            heappush(self._held, (share.until, key))
            self._advancing.add(self)

    def _go_on(self, key: str, share: Share, now: float) -> None:
        """With those who still wait, and with what is borrowed."""
        if self.line.count(key):
            if self._is_spent(share) and not self._is_patient:
                self.line.refuse(key, max(self._until_more_s(share, now), _LEAST_WAIT_S))
            else:
                self._ask(key, share, now)
        elif share.balance < 0 or share.back:
            self._ask(key, share, now)

    def advance(self, now: float) -> None:
        """Asks for what was put off, and gives back what was held too long."""
        for _ in range(min(len(self._later), _MOST_A_BEAT)):
            key, _ = self._later.popitem(last=False)
            share = self._shares.get(key)
            if share is None:
                continue
            self._refresh(share, now)
            if share.balance < 0 or share.back or self.line.count(key):
                self._later[key] = None  # until it is settled
                if not self._desk.lost and now >= share.again_at:
                    self._ask(key, share, now)
        held = self._held
        while held and held[0][0] <= now:
            _, key = heappop(held)
            share = self._shares.get(key)
            if share is not None and share.balance > 0 and share.until <= now:
                self._refresh(share, now)
                if not self._desk.lost:
                    self._want(key, share)
        if not held and not self._later:
            self._advancing.discard(self)

    def begin_anew(self, now: float) -> None:
        """All keys are whole again, and what was granted is worth nothing."""
        self._shares.clear()
        self._later.clear()
        self._held.clear()
        for key in self.line.queues:
            self._expect(key, now)

    # How.

    def _held_of(self, key: str, now: float) -> Share:
        share = self._shares.get(key) or self._open(key)
        self._refresh(share, now)
        return share

    def _open(self, key: str) -> Share:
        self._look_at_loans()
        share = self._shares[key] = Share(self.budget.limit, self._desk.era, self._least_batch)
        if len(self._shares) > self._max_keys:
            self._shares.popitem(last=False)
            self.dropped += 1
        return share

    def _refresh(self, share: Share, now: float) -> None:
        """What was granted before the store was lost, or too long ago, is not admitted any more."""
        if share.era != self._desk.era:
            share.era = self._desk.era
            share.is_asking = share.is_empty = False
            share.balance, share.back, share.again_at = min(share.balance, 0), 0, 0.0
        elif share.balance > 0 and now >= share.until:
            share.put_back()

    def _look_at_loans(self) -> None:
        workers = self._desk.workers
        if workers != self._workers:
            self._workers = workers
            self._loan = loan_of(self.budget, workers)
            self._at_once = max(self._loan - 1, 0)  # the last one is for those whose answer comes late
            # Of a limit that is small for so many, what one has ahead is what another is refused.
            self._least_batch = 0 if self.budget.limit < _FEW * workers else 1

    def _ask(self, key: str, share: Share, now: float) -> None:
        if now >= share.again_at:
            self._want(key, share)
        elif share.balance < 0:
            self._ask_later(key)

    def _ask_later(self, key: str) -> None:
        self._later[key] = None
        self._advancing.add(self)

    def _expect(self, key: str, now: float) -> None:
        """Somebody stands in line for it."""
        if not self._desk.lost:
            share = self._held_of(key, now)
            share.wants_more = True
            self._ask(key, share, now)
        self._ask_later(key)

    def _verdict(self, ticket: Ticket, now: float) -> float | None:
        share = self._held_of(ticket.key, now)
        if self._is_patient and share.told_at >= ticket.joined:
            return max(self._until_more_s(share, now), 1.0 / self.budget.rate)
        # The last one of a loan is for those whose answer comes late, where there was more at the last.
        may_borrow = self._on_failure != "closed" and not share.is_empty and share.balance - ticket.cost >= -self._loan
        return 0.0 if may_borrow else None

    def _is_spent(self, share: Share) -> bool:
        """The book has said that whoever waits waits in vain."""
        return share.is_empty

    def _until_more_s(self, share: Share, now: float, ahead: int = 0) -> float:
        """Of a key of which the book has said that nothing is left."""
        return max(share.again_at - now, REFUSED_S) + ahead / self.budget.rate
