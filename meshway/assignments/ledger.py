"""The book of shared limits: who was granted how much, by one clock. Pure; in the registry, and in each supervisor for
limits of one host. The registry's Redis does the same in one script (registry/limits/script.py).

A bucket: what lies in the store, what workers hold, and what all of them may borrow (`loan_of`) is at most the burst,
and only the store refills: so whatever the workers do with what they hold, no strict bucket would have refused it. A
window: what is granted counts from then on, and must be used within the segment it was granted in. A period: the same
until the next one begins. Held grants that are neither used nor given back count as spent once their time and MARGIN_S
have passed; what is running, as over once its worker has not told of it for RUNNING_S.
"""

import math
from collections import OrderedDict
from typing import Final

from meshway.assignments.messages import Ask, Budget, Grant, loan_of

PLENTY_S: Final = 5.0  # that a grant is kept while at least half is there
SCARCE_S: Final = 0.2
MARGIN_S: Final = 0.8
MANY: Final = 100  # calls of a period for each who asks: below it nobody holds any back for long
SIZE_S: Final = 0.1  # of the rate: a worker's grant, among all that ask
LONGEST_AGAIN_S: Final = 1.0
SHORTEST_AGAIN_S: Final = 0.005
SCARCE_AGAIN_S: Final = 0.05  # of a period, while others hold the last of it
RUNNING_S: Final = 3.0
BUSY_AGAIN_S: Final = 0.005  # nobody knows when a call will end
_GRAIN: Final = 1e-9


class _Account:
    """holders: by worker what it holds, and until when that counts as held. level, at: of a bucket. granted: calls of
    a window by segment. idle_at: when all will be there again and nobody holds anything."""

    __slots__ = ("at", "granted", "holders", "idle_at", "level")

    def __init__(self, level: float, now: float) -> None:
        self.level = level
        self.at = now
        self.idle_at = now
        self.holders: dict[str, tuple[int, float]] = {}
        self.granted: dict[int, int] = {}

    def fill(self, rate: float, cap: float, now: float) -> None:
        """Brings the level up to now. What somebody held until a moment makes room from that moment on."""
        out = sum(held for held, _ in self.holders.values())
        for until, held, worker in sorted((until, held, worker) for worker, (held, until) in self.holders.items()):
            if until >= now:
                break
            if until > self.at:
                self.level, self.at = min(self.level + (until - self.at) * rate, cap - out), until
            out -= held
            del self.holders[worker]
        self.level, self.at = min(self.level + (now - self.at) * rate, cap - out), now

    def forget(self, now: float) -> None:
        """Whoever has not asked for long shares no more."""
        for worker in [worker for worker, (_, until) in self.holders.items() if until < now]:
            del self.holders[worker]


class Ledger:
    """most: keys of all limits; above it those that nobody asked for longest are forgotten, and are full again."""

    def __init__(self, most: int = 200_000) -> None:
        self._most = most
        self._accounts: OrderedDict[tuple[str, int, str], _Account] = OrderedDict()
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._accounts)

    def assign(self, budget: Budget, ask: Ask, holder: str, workers: int, now: float) -> Grant:
        """holder: who asks, unique in the mesh. workers: that may borrow. now: never goes back."""
        cap = float(max(budget.limit - workers * loan_of(budget, workers), 1))
        name = (budget.id, budget.period, ask.key)
        account = self._accounts.get(name)
        if account is None:
            account = self._accounts[name] = _Account(cap, now)
            self._make_room(now)
        self._accounts.move_to_end(name)
        return _BY_KIND[budget.kind](account, budget, ask, holder, cap, now)

    def _make_room(self, now: float) -> None:
        """Two at a time, so that those that are whole again go sooner than they come."""
        for _ in range(2):
            first = next(iter(self._accounts.values()))
            if first.idle_at < now and len(self._accounts) > 1:
                self._accounts.popitem(last=False)
        if len(self._accounts) > self._most:
            self._accounts.popitem(last=False)
            self.forgotten += 1


def _of_bucket(account: _Account, budget: Budget, ask: Ask, holder: str, cap: float, now: float) -> Grant:
    rate = budget.rate
    account.fill(rate, cap, now)
    level = account.level
    known, _ = account.holders.pop(holder, (0, 0.0))
    held = min(ask.held, known)
    level += min(ask.back, known - held)
    active = len(account.holders) + 1
    count = _size(level, rate, active, ask)
    level -= count
    account.level = level
    # Of a burst that is soon full again nobody shall hold back a part for longer than that.
    keep_s = PLENTY_S if level >= cap / 2 and cap >= 2 * active else min(SCARCE_S, cap / (4.0 * rate))
    if held + count or ask.want:
        account.holders[holder] = (held + count, now + keep_s + MARGIN_S)
    reset_s = max((cap - level) / rate, 0.0)
    account.idle_at = now + max(reset_s, keep_s + MARGIN_S)
    again_s = 0.0
    if level < ask.least - _GRAIN:
        # Not as often as tokens come, but before they would spill over.
        turn_s = min(active / rate, cap / (4.0 * rate), LONGEST_AGAIN_S)
        again_s = max((ask.least - level) / rate, turn_s, SHORTEST_AGAIN_S)
    return Grant(count=count, left=max(level, 0.0), reset_s=reset_s, again_s=again_s, keep_s=keep_s)


def _of_window(account: _Account, budget: Budget, ask: Ask, holder: str, cap: float, now: float) -> Grant:
    width_s = budget.window_s / budget.segments
    segment = math.floor(now / width_s)
    account.forget(now)
    granted = account.granted
    for old in [old for old in granted if old < segment - budget.segments]:
        del granted[old]
    if ask.back and ask.mark in granted:
        granted[ask.mark] -= min(ask.back, granted[ask.mark])
    account.holders.pop(holder, None)
    active = len(account.holders) + 1
    room = cap - sum(granted.values())
    count = _size(room, budget.rate, active, ask)
    room -= count
    if count:
        granted[segment] = granted.get(segment, 0) + count
    if ask.want:
        account.holders[holder] = (0, now + SCARCE_S + MARGIN_S)
    # A call must be admitted in the segment in which it was counted.
    keep_s = min(PLENTY_S if room >= cap / 2 else SCARCE_S, (segment + 1) * width_s - now)
    leaving = [(old + budget.segments + 1) * width_s - now for old, calls in sorted(granted.items()) if calls]
    reset_s = leaving[-1] if leaving else 0.0
    account.idle_at = now + reset_s
    again_s = 0.0 if room >= ask.least else max(min([*leaving[:1], LONGEST_AGAIN_S]), SHORTEST_AGAIN_S)
    return Grant(count=count, left=max(room, 0.0), reset_s=reset_s, again_s=again_s, keep_s=keep_s, mark=segment)


def _of_period(account: _Account, budget: Budget, ask: Ask, holder: str, cap: float, now: float) -> Grant:
    """level: of calls that nobody was granted yet."""
    account.forget(now)
    known, _ = account.holders.pop(holder, (0, 0.0))
    held = min(ask.held, known)
    level = account.level + min(ask.back, known - held)
    active = len(account.holders) + 1
    count = _size(level, budget.rate, active, ask)
    level -= count
    account.level = level
    keep_s = PLENTY_S if level >= max(cap / 2, MANY * active) else SCARCE_S
    if held + count or ask.want:
        account.holders[holder] = (held + count, now + keep_s + MARGIN_S)
    account.idle_at = now + budget.window_s
    others = sum(held for worker, (held, _) in account.holders.items() if worker != holder)
    again_s = 0.0
    if level < ask.least:
        again_s = SCARCE_AGAIN_S if level + others >= ask.least else LONGEST_AGAIN_S
    return Grant(
        count=count, left=level, reset_s=0.0, again_s=again_s, keep_s=keep_s, mark=budget.period, others=others
    )


def _of_running(account: _Account, _budget: Budget, ask: Ask, holder: str, cap: float, now: float) -> Grant:
    """A worker's word on what it holds is taken: so a book that was lost is whole again once all have told. Where they
    hold too much together, the next one that asks is to give up some."""
    account.forget(now)
    account.holders.pop(holder, None)
    room = cap - sum(held for held, _ in account.holders.values()) - ask.held
    count = _size(room, 0.0, len(account.holders) + 1, ask) if room >= 0.0 else max(int(room), -ask.held)
    room = max(room - count, 0.0)
    if ask.held or count or ask.want:
        # What is to be given up is held until its worker says that it is over.
        account.holders[holder] = (ask.held + max(count, 0), now + RUNNING_S)
    account.idle_at = now + RUNNING_S
    keep_s = PLENTY_S if room >= cap / 2 else SCARCE_S
    again_s = 0.0 if room >= ask.least else BUSY_AGAIN_S
    return Grant(count=count, left=room, reset_s=0.0, again_s=again_s, keep_s=keep_s)


_BY_KIND: Final = {"bucket": _of_bucket, "window": _of_window, "period": _of_period, "running": _of_running}


def _size(there: float, rate: float, active: int, ask: Ask) -> int:
    """A fair part of what comes in SIZE_S, or of what is there when that is more; never more than is there, and nothing
    where that is too little to be of use."""
    there += _GRAIN
    if there < ask.least:
        return 0
    fair = max(int(max(rate * SIZE_S, there / 2.0) / active), ask.least)
    return max(min(ask.want, fair, int(there)), 0)
