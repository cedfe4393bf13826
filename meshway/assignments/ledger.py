"""The book of shared limits: who was granted how much, by one clock. Pure; in the registry, and in each supervisor for
limits of one host. The registry's Redis does the same in one script (registry/limits/script.py).

A bucket: what lies in the store, what workers hold, and what all of them may borrow (`loan_of`) is at most the burst,
and only the store refills: so whatever the workers do with what they hold, no strict bucket would have refused it. A
window: what is granted counts from then on, and must be used within the segment it was granted in. Held grants that are
neither used nor given back count as spent once their time and MARGIN_S have passed.
"""

import math
from collections import OrderedDict
from typing import Final

from meshway.assignments.messages import Ask, Budget, Grant, loan_of

PLENTY_S: Final = 5.0  # that a grant is kept while at least half is there
SCARCE_S: Final = 0.2
MARGIN_S: Final = 0.8
SIZE_S: Final = 0.1  # of the rate: a worker's grant, among all that ask
LONGEST_AGAIN_S: Final = 1.0
SHORTEST_AGAIN_S: Final = 0.005
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
        self._accounts: OrderedDict[tuple[str, str], _Account] = OrderedDict()
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._accounts)

    def assign(self, budget: Budget, ask: Ask, holder: str, workers: int, now: float) -> Grant:
        """holder: who asks, unique in the mesh. workers: that may borrow. now: never goes back."""
        cap = float(max(budget.limit - workers * loan_of(budget, workers), 1))
        name = (budget.id, ask.key)
        account = self._accounts.get(name)
        if account is None:
            account = self._accounts[name] = _Account(cap, now)
            self._make_room(now)
        self._accounts.move_to_end(name)
        if budget.segments:
            return _of_window(account, budget, ask, holder, cap, now)
        return _of_bucket(account, budget, ask, holder, cap, now)

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
    count = _size(level, rate, active, ask.want)
    level -= count
    account.level = level
    # Of a burst that is soon full again nobody shall hold back a part for longer than that.
    keep_s = PLENTY_S if level >= cap / 2 and cap >= 2 * active else min(SCARCE_S, cap / (4.0 * rate))
    if held + count or ask.want:
        account.holders[holder] = (held + count, now + keep_s + MARGIN_S)
    reset_s = max((cap - level) / rate, 0.0)
    account.idle_at = now + max(reset_s, keep_s + MARGIN_S)
    again_s = 0.0
    if level < 1.0 - _GRAIN:
        # Not as often as tokens come, but before they would spill over.
        turn_s = min(active / rate, cap / (4.0 * rate), LONGEST_AGAIN_S)
        again_s = max((1.0 - level) / rate, turn_s, SHORTEST_AGAIN_S)
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
    count = _size(room, budget.rate, active, ask.want)
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
    again_s = 0.0 if room >= 1.0 else max(min([*leaving[:1], LONGEST_AGAIN_S]), SHORTEST_AGAIN_S)
    return Grant(count=count, left=max(room, 0.0), reset_s=reset_s, again_s=again_s, keep_s=keep_s, mark=segment)


def _size(there: float, rate: float, active: int, want: int) -> int:
    """A fair part of what comes in SIZE_S, or of what is there when that is more; never more than is there."""
    fair = max(int(max(rate * SIZE_S, there / 2.0) / active), 1)
    return max(min(want, fair, int(there + _GRAIN)), 0)
