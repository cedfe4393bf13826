"""What one rule's calls share in one worker: its store, what is being fetched, and what is known to be of no use.

Each rule has its own, so no answer crosses from one Route, or tenant, to another.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, cast

from gateway.cache.freshness import Lifetimes, freshness_of, refusal_to_keep
from gateway.cache.key import Key, QueryOf, Target, compile_key, compile_query, target_beside, target_of
from gateway.cache.selection import asked_with, varying
from gateway.cache.store import Store
from gateway.cache.stored import StoredAnswer
from gateway.exchange import Exchange
from meshway.http1.fields import find, find_all
from meshway.http1.message import ResponseHead
from meshway.model.route import Rule

if TYPE_CHECKING:
    from gateway.telemetry.counters import Counters

PASSING_S: Final = 10.0  # an answer that could not be kept is not waited for, for so long
MOST_PASSING: Final = 4_096
MOST_BACKGROUND: Final = 32  # fetched at once without a caller who waits
_COMING: Final = 0.25  # of the room, of bodies that are on their way into it
REQUESTS: Final = "meshway_cache_requests_total"
BYTES: Final = "meshway_cache_bytes"
EVICTIONS: Final = "meshway_cache_evictions_total"
REVALIDATIONS: Final = "meshway_cache_revalidations_total"
OUTCOMES: Final = ("hit", "stale", "revalidated", "miss", "collapsed", "bypass")


class Coming:
    """What a rule's cache knows of one answer on its way (relay/filling.py). is_outdated: what it asked for was changed
    meanwhile, so it must not be kept."""

    __slots__ = ("is_outdated", "key")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.is_outdated = False


class RuleCache:
    """rule, reads: what it was made for; with others, another one is made. now: monotonic; wall: since 1970.

    fillings: by key, of answers that others may wait for. coming: bytes of bodies on their way. background: how many
    are fetched that no caller waits for.
    """

    __slots__ = (
        "_cells", "_counters", "_key_of", "_lifetimes", "_of_query", "_passing", "_statuses", "_told_evictions",
        "background", "coming", "fillings", "most_coming", "name", "now", "reads", "route", "rule", "running", "spec",
        "store", "wall",
    )  # fmt: skip

    def __init__(
        self,
        rule: Rule,
        reads: tuple[tuple[str, ...], tuple[str, ...]],
        route: str,
        name: str,
        now: Callable[[], float],
        wall: Callable[[], float],
        counters: "Counters | None",
    ) -> None:
        """reads: names of headers and of cookies that the plan reads. route, name: of the rule, for metrics."""
        spec = rule.cache
        assert spec is not None
        self.rule, self.reads, self.spec = rule, reads, spec
        self.route, self.name = route, name
        self.now, self.wall = now, wall
        headers, cookies = reads
        query = None if spec.query == "all" else spec.query
        self._of_query: QueryOf = compile_query(query)
        self._key_of = compile_key(
            query=query,
            headers=(*spec.headers, *headers),
            cookies=(*spec.cookies, *cookies),
            per_principal=spec.per_principal,
        )
        self._lifetimes = Lifetimes(
            float(spec.default_ttl),
            float(spec.max_ttl),
            float(spec.stale_while_revalidate),
            float(spec.stale_if_error),
        )
        self._statuses = frozenset(spec.statuses)
        self._passing: dict[int, float] = {}  # by hashes of keys, which may be as long as a request
        self.store = Store(int(spec.max_total))
        self.fillings: dict[Key, Coming] = {}
        self.running: set[Coming] = set()
        self.coming = 0
        self.most_coming = max(int(spec.max_object), int(spec.max_total * _COMING))
        self.background = 0
        self._counters = counters
        self._told_evictions = 0
        labels = {"route": route, "rule": name}
        self._cells: dict[str, int] = {}
        if counters is not None:
            self._cells = {each: counters.counter(REQUESTS, **labels, outcome=each) for each in OUTCOMES}
            self._cells[BYTES] = counters.gauge(BYTES, **labels)
            self._cells[EVICTIONS] = counters.counter(EVICTIONS, **labels)
            self._cells[REVALIDATIONS] = counters.counter(REVALIDATIONS, **labels)

    def key_of(self, exchange: Exchange) -> Key:
        return self._key_of(exchange)

    def count(self, outcome: str) -> None:
        """outcome: of OUTCOMES, or REVALIDATIONS."""
        if self._counters is not None:
            self._counters.add(self._cells[outcome])

    def pass_by(self, key: Key, now: float, *, has_credentials: bool) -> None:
        """Nobody waits for such an answer for a while: it could not be kept. One to a call with credentials says
        nothing of those without: whoever sends some would else keep all from what is kept."""
        passing = self._passing
        if len(passing) >= MOST_PASSING:
            passing.clear()
        passing[hash((key, has_credentials))] = now + PASSING_S

    def is_passing(self, key: Key, now: float, *, has_credentials: bool) -> bool:
        known = hash((key, has_credentials))
        until = self._passing.get(known)
        if until is None:
            return False
        if until > now:
            return True
        del self._passing[known]
        return False

    def refusal_to_keep(self, answer: ResponseHead, *, has_credentials: bool) -> str:
        """Why an answer may not be kept, "": it may. answer: as it came. has_credentials: who asked showed some."""
        if answer.body > self.spec.max_object:
            return "too large"
        reason = refusal_to_keep(answer.block, answer.status, self._statuses, has_credentials=has_credentials)
        return reason or ("vary" if varying(answer.block) is None else "")

    def refusal_to_keep_on(self, renewed: StoredAnswer, *, has_credentials: bool) -> str:
        """As above, with what a 304 has told of it: that may be for its caller alone."""
        block, status = renewed.origin, renewed.head.status
        reason = refusal_to_keep(block, status, self._statuses, has_credentials=has_credentials)
        return reason or ("vary" if varying(block) is None else "")

    def make(
        self, head: ResponseHead, origin: bytes, body: bytes, block: bytes, asked_wall: float, came: float
    ) -> StoredAnswer:
        """head: as callers get it, origin: the fields as they came. block: of the request. asked_wall: when the service
        was asked, since 1970; came: when the head came, monotonic."""
        wall_s = self.wall() - (self.now() - came)
        return StoredAnswer(
            head,
            origin,
            body,
            freshness_of(origin, self._lifetimes, asked=asked_wall, came=wall_s),
            came,
            wall_s,
            asked_with=asked_with(varying(origin) or (), block),
        )

    def renew(
        self, old: StoredAnswer, head: ResponseHead, origin: bytes, block: bytes, asked_wall: float
    ) -> StoredAnswer:
        """By a 304, which may name other fields in Vary. block: of the request."""
        now, wall_s = self.now(), self.wall()
        renewed = old.renewed(
            head,
            origin,
            lambda block: freshness_of(block, self._lifetimes, asked=asked_wall, came=wall_s),
            now,
            wall_s,
        )
        renewed.asked_with = asked_with(varying(renewed.origin) or (), block)
        return renewed

    def keep(self, key: Key, stored: StoredAnswer) -> None:
        for has_credentials in (False, True):
            self._passing.pop(hash((key, has_credentials)), None)
        self.store.put(key.target, key.parts, stored)
        self.told()

    def told(self) -> None:
        """What it holds, to whoever measures."""
        if self._counters is not None:
            self._counters.set(self._cells[BYTES], float(self.store.size))
            if self.store.evictions > self._told_evictions:
                self._counters.add(self._cells[EVICTIONS], self.store.evictions - self._told_evictions)
                self._told_evictions = self.store.evictions

    def forget(self, is_meant: Callable[[Target], bool]) -> int:
        """Answers how many are gone. What is on its way is not kept, either: it may be what is meant."""
        for filling in self.running:
            filling.is_outdated = True
        gone = self.store.forget_where(lambda stored: is_meant(cast("Target", stored.target)))
        self.told()
        return gone

    def shrink(self, share: float) -> None:
        self.store.shrink(share)
        self.told()

    def changed(self, exchange: Exchange, answer: ResponseHead) -> None:
        """A call that may have changed what is asked for was answered (RFC 9111 §4.4)."""
        targets = {target_of(exchange, self._of_query)}
        for name in (b"location", b"content-location"):
            for value in find_all(answer.block, name):
                beside = target_beside(exchange, value, self._of_query)
                if beside is not None:
                    targets.add(beside)
        for target in targets:
            self._forget_target(target)

    def _forget_target(self, target: Target) -> None:
        self.store.forget_target(target)
        for filling in self.running:
            if filling.key.target == target:
                filling.is_outdated = True


def has_credentials(exchange: Exchange) -> bool:
    """Those of the caller, or of his login, which the gateway sends for him."""
    return b"authorization" in exchange.head.named or find(exchange.block, b"authorization") is not None


SAFE: Final = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE"})


def compile_changed(caches: Sequence[RuleCache]) -> Callable[[Exchange, ResponseHead], None]:
    """Of rules whose Route keeps answers: by what they let through, any of its caches may be out of date."""

    def changed(exchange: Exchange, answer: ResponseHead) -> None:
        if exchange.method not in SAFE and 200 <= answer.status < 400:
            for cache in caches:
                cache.changed(exchange, answer)

    return changed
