"""A caller who gets an answer that is being fetched for the cache, with others perhaps: as an answer of his own."""

from typing import TYPE_CHECKING

from gateway.cache.rule_cache import RuleCache
from gateway.cache.stored import StoredAnswer
from gateway.exchange import NEVER, Exchange, Reply
from gateway.plan import RoutePlan
from gateway.relay.given import Given, Whole, note
from gateway.verdict import Detour
from gateway.wire.interfaces import Timer

if TYPE_CHECKING:
    from gateway.relay.audience import Audience
    from gateway.relay.call import Call


class Reader(Whole):
    """A caller who waits for a filling's answer, or gets it; the owner of a timer of his own.

    at: how many pieces he got. has_head: he got the head. may_wait_s: for it, inf: he was the first.
    """

    __slots__ = ("_audience", "_index", "_timer", "at", "call", "has_head", "is_paused", "may_wait_s", "plan")
    call: "Call"
    plan: RoutePlan

    def __init__(self, audience: "Audience", may_wait_s: float) -> None:
        self._audience = audience
        self._timer: Timer | None = None
        self.may_wait_s = may_wait_s
        self.at = 0
        self.has_head = self.is_over = self.is_paused = False

    def begin(self, call: "Call", plan: RoutePlan, index: int) -> None:
        self.call, self.plan, self._index = call, plan, index
        call.attempt = self
        if self.may_wait_s != NEVER:
            self._timer = Timer()
            call.relay.wheel.set(self._timer, self, call.relay.now() + self.may_wait_s)
        self._audience.join(self)

    def leave(self) -> None:
        """Hears nothing any more."""
        self.is_over = True
        if self._timer is not None:
            self._timer.owner, self._timer.due = None, NEVER
            self._timer = None

    def started(self) -> None:
        """He has the head."""
        self.has_head = True
        if self._timer is not None:
            self._timer.owner, self._timer.due = None, NEVER
            self._timer = None

    def ask_again(self) -> None:
        """What is on its way is not for him."""
        call, plan = self._let_go(), self.plan
        verdict = plan.request_filters[self._index - 1](call.exchange)
        if isinstance(verdict, Detour):
            verdict.begin(call, plan, self._index)
        elif isinstance(verdict, Reply):
            call.answer(verdict)
        else:
            call.enter(plan, call.relay.now())

    def give(self, stored: StoredAnswer, cache: RuleCache, outcome: str, words: bytes) -> None:
        call = self._let_go()
        Given(cache, stored, outcome, words).begin(call, self.plan, self._index)

    def _let_go(self) -> "Call":
        self.leave()
        self.call.attempt = None
        return self.call

    def fail(self, reply: Reply) -> None:
        self._let_go().answer(reply)

    def cut(self, by: Exchange, now: float) -> None:
        """by: the exchange whose answer broke off."""
        self._let_go().cut(by.flag, by.reason, by.policy, by.detail, now)

    # As a source.

    def pause(self) -> None:
        self.is_paused = True
        self._audience.slowed()

    def resume(self) -> None:
        if self.is_paused:
            self.is_paused = False
            self._audience.go_on(self)

    def cancel(self, outcome: str, now: float) -> None:
        if not self.is_over:
            self.leave()
            self._audience.left(self)

    def on_timer(self, now: float) -> None:
        """He has waited for long enough, and asks by himself."""
        audience = self._audience
        call = self._let_go()
        audience.left(self)
        note(audience.cache, call.exchange, "miss", b"fwd=miss; detail=waited")
        call.enter(self.plan, now)
