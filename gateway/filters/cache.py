"""Answers from what was kept, where a rule has `cache`: the last step before the service is called.

All that a caller must prove, and all limits, come before it, for each call. Calls that cannot be answered from it
(other methods, with bodies, upgrades, with preconditions) go on as if it were not there; a request for a part is
answered from a whole answer that is there, and else goes to the service.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from gateway.cache.key import Key
from gateway.cache.rule_cache import RuleCache, has_credentials
from gateway.cache.stored import StoredAnswer
from gateway.cache.wishes import NONE, Wishes, forbids_keeping, wishes_of
from gateway.exchange import NEVER, Exchange, Reply
from gateway.plan import Forecast, RequestFilter, RoutePlan
from gateway.relay.call import Call
from gateway.relay.filling import Filling, fill_in_background
from gateway.relay.given import Given, note
from gateway.relay.reader import Reader
from gateway.verdict import Detour
from meshway.http1.fields import find
from meshway.http1.message import NO_BODY

STEP: Final = "cache"
_LONGEST: Final = 1024  # bytes of a block of fields whose meaning is remembered
_BYPASS: Final = b"fwd=bypass"


class _Asked(NamedTuple):
    """What a block of fields asks of a cache. conditional: in another way than a cache answers."""

    conditional: bool
    part: bool
    keeps_nothing: bool
    wishes: Wishes


def compile_filter(cache: RuleCache) -> RequestFilter:
    spec, store, now = cache.spec, cache.store, cache.now
    methods = frozenset(method.encode() for method in spec.methods)
    wait_s = float(spec.coalesce_wait)

    def from_cache(exchange: Exchange) -> Reply | Detour | None:
        head = exchange.head
        if exchange.method not in methods or head.body != NO_BODY or head.upgrade:
            note(cache, exchange, "bypass", b"fwd=method" if exchange.method not in methods else _BYPASS)
            return None
        block = head.block
        asked = _asked_by(block) if len(block) <= _LONGEST else _read(block)
        if asked.conditional:
            note(cache, exchange, "bypass", _BYPASS)
            return None
        key = cache.key_of(exchange)
        stored, time = store.find(key.target, key.parts, exchange.block), now()
        if stored is not None and not _may_have(exchange, stored):
            stored = None
        wishes = asked.wishes if spec.client_control else NONE
        if stored is not None:
            left_s = stored.left_s(time)
            if _is_fresh(stored, left_s, time, wishes):
                return Given(cache, stored, "hit", b"hit; ttl=%d" % int(left_s))
            if not wishes.asks_anew and 0.0 <= -left_s < stored.freshness.stale_s and not stored.freshness.revalidates:
                return _Stale(cache, key, stored, b"hit; ttl=%d" % int(left_s))
        if wishes.only_stored:
            return Reply(
                504, "only_if_cached", "", "nothing that is kept may answer this, and no service was to be asked"
            )
        why = b"fwd=miss" if stored is None else b"fwd=request" if wishes.asks_anew else b"fwd=stale"
        if exchange.method != b"GET" or asked.part or asked.keeps_nothing:
            note(cache, exchange, "miss", why)
            return None
        filling = cache.fillings.get(key) if not wishes.asks_anew else None
        if isinstance(filling, Filling):
            return Reader(filling, wait_s)
        if cache.is_passing(key, time, has_credentials=has_credentials(exchange)):
            note(cache, exchange, "miss", b"fwd=miss; detail=unkept")
            return None
        return Reader(Filling(cache, key, stored), NEVER)

    return from_cache


def compile_forecast(cache: RuleCache) -> Callable[[Exchange], Sequence[Forecast]]:
    def forecast(exchange: Exchange) -> Sequence[Forecast]:
        if exchange.method not in (b"GET", b"HEAD"):
            return (Forecast("pass", "not a method of which answers are kept"),)
        key = cache.key_of(exchange)
        stored = cache.store.find(key.target, key.parts, exchange.block)
        if stored is None:
            return (Forecast("pass", "no answer is kept for it: the service is asked"),)
        left_s = stored.left_s(cache.now())
        if stored.may_be_given(cache.now()):
            return (Forecast("answer", f"from the cache, fresh for another {int(left_s)} s"),)
        return (Forecast("pass", f"what is kept is stale since {int(-left_s)} s: the service is asked anew"),)

    return forecast


class _Stale(Detour):
    """A stale answer at once, while it is asked for anew (RFC 5861 §3)."""

    __slots__ = ("_cache", "_key", "_stored", "_words")

    def __init__(self, cache: RuleCache, key: Key, stored: StoredAnswer, words: bytes) -> None:
        self._cache, self._key, self._stored, self._words = cache, key, stored, words

    def begin(self, call: Call, plan: RoutePlan, index: int) -> None:
        relay, exchange = call.relay, call.exchange
        fill_in_background(self._cache, self._key, self._stored, relay, exchange, plan)
        Given(self._cache, self._stored, "stale", self._words).begin(call, plan, index)


def _is_fresh(stored: StoredAnswer, left_s: float, now: float, wishes: Wishes) -> bool:
    """With what the caller wishes, where that counts (RFC 9111 §5.2.1)."""
    if stored.freshness.revalidates:
        return False
    if wishes is NONE:
        return left_s > 0.0
    if wishes.asks_anew or stored.age_s(now) > wishes.most_age_s or 0.0 < wishes.least_left_s > left_s:
        return False
    return left_s > 0.0 or (not stored.freshness.is_strict and -left_s <= wishes.most_stale_s)


def _may_have(exchange: Exchange, stored: StoredAnswer) -> bool:
    """Whether he may call whoever it came from, where that was not sure before."""
    plan = exchange.plan
    return plan is None or plan.guard is None or plan.guard.refusal(exchange, *stored.served_by) is None


def _read(block: bytes) -> _Asked:
    return _Asked(
        conditional=find(block, b"if-match") is not None or find(block, b"if-unmodified-since") is not None,
        part=find(block, b"range") is not None,
        keeps_nothing=forbids_keeping(block),
        wishes=wishes_of(block),
    )


# Of blocks that come again, mostly as the same object of a connection.
_asked_by = lru_cache(maxsize=512)(_read)
