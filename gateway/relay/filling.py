"""One answer fetched for the cache, and for all callers who ask for it meanwhile (audience.py).

It asks by a call of its own, so retries, breakers and timeouts are those of the rule, and no caller's leaving or
slowness is another's. What may be kept is kept when it is whole. When it turns out that it may not, the first caller
has it and the others, who wait for its head, go their own way at once.
"""

from typing import Final

from gateway.cache.conditions import weakly
from gateway.cache.freshness import AUTHORIZATION
from gateway.cache.key import Key
from gateway.cache.rule_cache import MOST_BACKGROUND, REVALIDATIONS, RuleCache, has_credentials
from gateway.cache.stored import StoredAnswer
from gateway.exchange import Exchange, Reply
from gateway.plan import RoutePlan
from gateway.relay.asking import copy_of
from gateway.relay.audience import Audience
from gateway.relay.call import Call
from gateway.relay.relay import Relay
from gateway.relay.sharing import may_get, served_by
from gateway.wire.interfaces import Address, Timer
from meshway.http1.fields import find, remove
from meshway.http1.message import ResponseHead, bare_head

FAILURES: Final = frozenset({500, 502, 503, 504})  # RFC 5861 §4
_FORBIDDEN: Final = 403
_CONDITIONS: Final = (b"if-none-match", b"if-modified-since", b"if-range", b"range")


class Filling(Audience):
    """A `Downstream` to its own call."""

    __slots__ = ("_asked_wall", "_came", "_has_credentials", "_plan", "timer")

    def __init__(self, cache: RuleCache, key: Key, stale: StoredAnswer | None, *, is_background: bool = False) -> None:
        super().__init__(cache, key, stale, is_background=is_background)
        self.timer = Timer()

    def ask(self, relay: Relay, exchange: Exchange, plan: RoutePlan) -> None:
        """exchange: of whoever asks first, when all filters have seen it."""
        cache = self.cache
        cache.running.add(self)
        if cache.spec.coalesce:
            cache.fillings.setdefault(self.key, self)
        if self._is_background:
            cache.background += 1
        self._plan = plan
        own = Relay(relay.holder, relay.pool, relay.wheel, relay.now, _nobody_is_told, relay.random)
        now = relay.now()
        asked = copy_of(exchange, now)
        asked.head = bare_head(b"GET", exchange.authority)  # nothing is encoded for it: callers differ in that
        asked.method = b"GET"
        asked.block = self._block = remove(exchange.block, _CONDITIONS)
        self._has_credentials = has_credentials(exchange)
        if self.stale is not None:
            asked.block += self.stale.validators()
        asked.plan = plan
        asked.deadline = now + plan.deadline_s
        self._asked_wall = self.cache.wall()
        call = self._call = Call(own, asked, self)
        call.is_request_whole = True
        relay.wheel.set(self.timer, call, asked.deadline)
        call.enter(plan, now)

    # As a downstream.

    def ends(self) -> tuple[Address | None, Address | None]:
        return self._ends

    def send_head(self, exchange: Exchange, head: ResponseHead, first: bytes, ended: bool, trailers: bytes) -> None:
        origin = exchange.answer
        assert origin is not None
        self._came = self.cache.now()
        if self.stale is not None and origin.status == 304:
            self._renew(self.stale, head, origin, ended)
            return
        if origin.status in FAILURES and self._fall_back():
            self._stop()
            return
        self._head, self._origin = head, origin
        leader = self._leader
        if leader is not None and not leader.is_over and self._plan.settle is not None:
            self._plan.settle(leader.call.exchange, origin)
        if self.cache.refusal_to_keep(origin, has_credentials=self._has_credentials):
            self._keep_no_more()
            self._send_others_away()
            if not self._readers:
                self._stop()
                return
        if first:
            self._take(first)
        if ended:
            self._finish(trailers)
        for reader in tuple(self._readers):
            if not reader.is_over:
                self._admit(reader)
        self._uncount()

    def send_body(self, data: bytes) -> None:
        self._take(data)
        self._push_all()

    def send_end(self, trailers: bytes) -> None:
        self._finish(trailers)
        self._push_all()

    def send_interim(self, head: ResponseHead) -> None:
        if self._leader is not None and not self._leader.is_over:
            self._leader.call.downstream.send_interim(head)

    def send_reply(self, exchange: Exchange, reply: Reply) -> None:
        """There is no answer, as the gateway says."""
        self._end()
        if self._fall_back():
            return
        for reader in self._dismiss():
            if reader is not self._leader and reply.status == _FORBIDDEN:
                reader.ask_again()  # what the first may not, another may
                continue
            self._note(reader)
            reader.fail(reply)

    def send_upgrade(self, exchange: Exchange, head: ResponseHead) -> None:
        """Nobody has asked for one."""
        self._stop()

    def finish_upgraded(self) -> None:
        """As above."""

    def abort(self) -> None:
        """The answer broke off: it is not whole, so it is not kept (RFC 9111 §3.3)."""
        self._end()
        for reader in self._dismiss():
            reader.cut(self._call.exchange, self.cache.now())

    def pause_body(self) -> None:
        """The request has none."""

    def resume_body(self) -> None:
        """As above."""

    # The answer.

    def _take(self, data: bytes) -> None:
        self._body.add(data)
        if not self.keeps:
            return
        cache = self.cache
        self._size += len(data)
        cache.coming += len(data)
        if self._size > cache.spec.max_object or cache.coming > cache.most_coming:
            self._keep_no_more()
            if not self._readers:
                self._stop()
            elif any(each.is_paused for each in self._readers):
                self._call.on_write_paused()

    def _keep_no_more(self) -> None:
        cache = self.cache
        self.keeps = False
        cache.coming -= self._size
        self._size = 0
        cache.pass_by(self.key, cache.now(), has_credentials=self._has_credentials)
        if cache.fillings.get(self.key) is self:
            del cache.fillings[self.key]

    def _finish(self, trailers: bytes) -> None:
        self._is_whole = True
        self._trailers = trailers
        head, keeps = self._head, self.keeps
        assert head is not None
        self._end()
        cache = self.cache
        if keeps and not trailers and not self.is_outdated:
            made = cache.make(head, self._origin.block, self._body.since(0), self._block, self._asked_wall, self._came)
            made.served_by = served_by(self._call.exchange)
            if made.is_of_use():
                cache.keep(self.key, made)
            else:
                cache.pass_by(self.key, self._came, has_credentials=self._has_credentials)

    def _renew(self, stale: StoredAnswer, head: ResponseHead, origin: ResponseHead, ended: bool) -> None:
        """It has not changed."""
        if not ended:
            self._stop()
        self._end()
        cache = self.cache
        told, known = find(origin.block, b"etag"), find(stale.origin, b"etag")
        if told is not None and known is not None and weakly(told) != weakly(known):
            self._ask_anew()  # of another answer than ours (RFC 9111 §4.3.4)
            return
        renewed = cache.renew(stale, head, origin.block, self._block, self._asked_wall)
        cache.count(REVALIDATIONS)
        refusal = cache.refusal_to_keep_on(renewed, has_credentials=self._has_credentials)
        if refusal:
            cache.pass_by(self.key, self._came, has_credentials=self._has_credentials)
        elif not self.is_outdated:
            cache.keep(self.key, renewed)
        if refusal != AUTHORIZATION:  # else it may be used on as it was: what came with this 304 is one caller's
            cache.store.forget(stale)
        for reader in self._dismiss():
            if reader is not self._leader and (refusal or not may_get(reader, renewed)):
                reader.ask_again()
                continue
            self._lead(reader)
            reader.give(renewed, cache, "revalidated", b"fwd=stale; fwd-status=304")

    def _ask_anew(self) -> None:
        if self.stale is not None:
            self.cache.store.forget(self.stale)
        for reader in self._dismiss():
            reader.ask_again()

    def _fall_back(self) -> bool:
        """To what there is, though it is stale, instead of a failure (RFC 5861 §4)."""
        stale, cache = self.stale, self.cache
        if stale is None or stale.freshness.error_s + stale.left_s(cache.now()) <= 0.0:
            return False
        self._end()
        for reader in self._dismiss():
            if reader is not self._leader and not may_get(reader, stale):
                reader.ask_again()
                continue
            self._lead(reader)
            reader.give(stale, cache, "stale", b"hit; ttl=%d; detail=failed" % int(stale.left_s(cache.now())))
        return True

    # The end.

    def _stop(self) -> None:
        """Nobody wants it."""
        if not self._call.is_over:
            self._call.on_gone()
        self._end()

    def _end(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        cache = self.cache
        cache.running.discard(self)
        if cache.fillings.get(self.key) is self:
            del cache.fillings[self.key]
        if self._is_background:
            cache.background -= 1
        self._uncount()


def fill_in_background(
    cache: RuleCache, key: Key, stale: StoredAnswer, relay: Relay, exchange: Exchange, plan: RoutePlan
) -> None:
    """Asks anew for what a caller got stale, unless somebody does."""
    if key in cache.fillings or cache.background >= MOST_BACKGROUND:
        return
    Filling(cache, key, stale, is_background=True).ask(relay, exchange, plan)


def _nobody_is_told(exchange: Exchange, now: float) -> None:
    """The callers' exchanges are told of, not the one by which they are answered."""
