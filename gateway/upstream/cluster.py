"""A service, or a subset of it, as a worker calls it: who may be picked, who is admitted, what the answers taught.

A cluster lives on over table swaps; the compiler gives it endpoints and settings as whole values. What it learns is
this worker's own, but for `max_requests`, which a host's workers share, and for transitions, which are told to all.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from gateway.exchange import Exchange
from gateway.grpc.status import CODES
from gateway.upstream.cluster_settings import ClusterSettings, OpeningSettings
from gateway.upstream.eligible import NOBODY, Eligible, eligible_endpoints
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.guards import Guarded, Observe
from gateway.upstream.outlier import Outlier
from gateway.upstream.retry_budget import RetryBudget
from gateway.upstream.transition import Transition, apply_to_endpoint, begin_slowly

if TYPE_CHECKING:
    from gateway.plan import Parts

EndpointPick = Callable[[Exchange], Endpoint]
Balancer = Callable[[Eligible], EndpointPick]  # keeps its place from one set of endpoints to the next
Moved = Callable[[Exchange, Endpoint, Endpoint], None]
GATEWAY_STATUSES: Final = frozenset({502, 503, 504})
FAILING_TOLD_S: Final = 20.0  # how long one that fails and is called on is told as such
LET_GO_S: Final = 30.0  # of an endpoint that was only kept: as long as the mass removal guard keeps any
# Says nothing about the endpoint: the caller left, or a kept connection was closed between two requests.
_NO_VERDICT: Final = frozenset({"cancelled", "stale_connection"})
_BREAKER_OUTCOME: Final = {
    "ok": "ok",
    "connect_failure": "connect",
    "reset": "reset",
    "upstream_protocol": "reset",
    "first_byte_timeout": "timeout",
    "attempt_timeout": "timeout",
}


class Cluster(Guarded):
    """name: `ns/service`, with `#subset` or `:port` where asked for.

    endpoints: in order of id. eligible: those a balancer may pick now. first_pick: gives the endpoint of a call's first
    attempt; None where nobody is eligible, 503 `no_endpoint`. failover: clusters whose endpoints serve where its own
    are too few; followers: those it serves so. fallback: who is called while the breaker keeps calls away. observe:
    told how long each attempt took; None where nobody asks; learn: the algorithm's part of it, for copies of calls.
    is_guarded: calls must be admitted first (`guards.py`). watched: clusters whose `tick` has something to wait for,
    shared by all clusters of a worker.
    """

    __slots__ = (
        "_balancer", "_codes", "_eligible", "_moved", "_outlier", "budget", "connect_timeout_s", "failover", "fallback",
        "first_pick", "followers", "idle_timeout_s", "is_panicking", "learn", "max_requests", "next_change", "observe",
        "opening",
    )  # fmt: skip

    def __init__(
        self, name: str, settings: ClusterSettings, balancer: Balancer, parts: "Parts", watched: "set[Cluster]"
    ) -> None:
        super().__init__(name, settings, parts, watched)
        self.is_panicking = False
        self.next_change = math.inf
        self.failover: tuple[Cluster, ...] = ()
        self.followers: tuple[Cluster, ...] = ()
        self.fallback: Cluster | None = None
        self.observe: Observe | None = None
        self.learn: Observe | None = None
        self._codes: dict[int, int] = {}  # the cell of each
        self._moved: Moved | None = None  # told where a retry goes
        self.budget = RetryBudget(settings.budget, parts.workers)
        self._balancer = balancer
        self._outlier: Outlier | None = None
        self.first_pick: EndpointPick | None = None
        self._eligible = NOBODY
        self.configure(settings, balancer)

    # What the compiler says.

    def configure(self, settings: ClusterSettings, balancer: Balancer | None = None) -> None:
        """New settings; counts, windows and states live on. balancer: only when the algorithm changed."""
        parts = self._parts
        before, self.settings = self.settings, settings
        self.connect_timeout_s = settings.connect_timeout_s
        self.idle_timeout_s = settings.idle_timeout_s
        self.max_requests = settings.max_requests
        self.opening = settings.opening
        opening, was = settings.opening, before.opening
        if (opening.proxy_protocol, opening.tls, opening.sharing is None) != (
            was.proxy_protocol,
            was.tls,
            was.sharing is None,
        ):
            for endpoint in self.endpoints:
                parts.retire(endpoint)  # what was said, or not, on its idle connections is wrong now
        self.budget.configure(settings.budget, parts.workers)
        was_per_endpoint = self.endpoint_limits is not None
        self._configure_guards(settings)
        if was_per_endpoint != (self.endpoint_limits is not None):
            self._eligible = NOBODY  # picks are made anew
        self.learn = getattr(balancer or self._balancer, "observe", None)
        self.observe = self._observer(self.learn)
        self._configure_outlier(settings)
        if balancer is not None:
            self._balancer = balancer
            self._eligible = NOBODY
            self._moved = getattr(balancer, "moved", None)
        if self._eligible is NOBODY or settings.eligible != before.eligible:
            self.refresh(parts.now())

    def opening_of(self, endpoint: Endpoint) -> OpeningSettings:
        """How a new connection to it is opened: who only stands in here is called as its own service wants it."""
        own = endpoint.clusters
        return self.opening if not own or self in own else own[0].opening

    def _configure_outlier(self, settings: ClusterSettings) -> None:
        if settings.outlier is None:
            self._outlier = None
        elif self._outlier is None or self._outlier.settings != settings.outlier:
            self._outlier = Outlier(settings.outlier)

    def set_endpoints(self, endpoints: tuple[Endpoint, ...]) -> None:
        """endpoints: in order of id; also to be called when a weight or a status changed inside them."""
        self.endpoints = endpoints
        self.refresh(self._parts.now())

    def set_failover(self, failover: "tuple[Cluster, ...]", followers: "tuple[Cluster, ...]") -> None:
        self.failover, self.followers = failover, followers
        self.refresh(self._parts.now())

    def refresh(self, now: float) -> None:
        """Computes who is eligible, here and in clusters that fail over to this one."""
        for endpoint in self.endpoints:
            if endpoint.ejected_until and endpoint.ejected_until <= now:
                self._take_back(endpoint, now)
        self._rebalance(now)
        for follower in self.followers:
            follower._rebalance(now)

    def _rebalance(self, now: float) -> None:
        """The balancer is rebuilt only when the eligible ones or their weights changed."""
        others = [cluster.endpoints for cluster in self.failover]
        eligible = eligible_endpoints(self.endpoints, others, self.settings.eligible, self._parts.zone, now)
        next_change = eligible.due
        for endpoint in self.endpoints:
            if endpoint.ejected_until > now:
                next_change = min(next_change, endpoint.ejected_until)
        self.next_change = next_change
        if next_change < math.inf:
            self._watched.add(self)
        before, self._eligible = self._eligible, eligible
        self.is_panicking = eligible.is_panicking
        if eligible[:3] != before[:3]:
            pick = self._balancer(eligible) if eligible.endpoints else None
            if pick is not None and self.endpoint_limits is not None:
                pick = self.endpoint_limits.keeping(pick, eligible.endpoints)
            self.first_pick, self.eligible = pick, eligible.endpoints

    # What the relay asks; `admit` and `release`: guards.py.

    def pick_another(self, exchange: Exchange) -> Endpoint | None:
        """The endpoint of a retry: one that was not tried if there is any. None: 503 `no_endpoint`."""
        pick = self.first_pick
        if pick is None:
            return None
        another = self.pick_untried(exchange)
        if another is None:
            return pick(exchange)
        if self._moved is not None and exchange.endpoint is not None:
            self._moved(exchange, exchange.endpoint, another)
        return another

    def pick_untried(self, exchange: Exchange) -> Endpoint | None:
        """The least busy one of those that the exchange has not tried; None: it has tried all."""
        # The balancer is not asked: its turn for a retry would let every next call begin on the same failing endpoint.
        tried = (*exchange.tried, exchange.endpoint)
        untried = [other for other in self.eligible if other not in tried]
        if self.endpoint_limits is not None:
            untried = self.endpoint_limits.with_room(exchange, untried)
        if not untried:
            return None
        # From a random place, so that the retries of many callers do not all meet at the first endpoint.
        start = int(self._parts.random() * len(untried))
        return min(untried[start:] + untried[:start], key=_load)

    def forecast_pick(self, exchange: Exchange) -> Endpoint | None:
        """Who would be picked for this call now. Nobody's turn is taken: where the algorithm has turns, the next call
        goes where this one would have gone."""
        pick = self.first_pick
        if pick is None or not getattr(self._balancer, "takes_turns", False):
            return pick(exchange) if pick is not None else None
        endpoint = pick(exchange)
        afterwards = self.first_pick

        def pick_seen(_: Exchange) -> Endpoint:
            if self.first_pick is pick_seen:
                self.first_pick = afterwards
            return endpoint

        self.first_pick = pick_seen
        return endpoint

    @property
    def weights(self) -> tuple[int, ...]:
        """Of the eligible endpoints, as the balancer has them."""
        return self._eligible.weights

    def attempt_ended(
        self, endpoint: Endpoint, outcome: str, status: int, now: float, exchange: Exchange | None = None
    ) -> None:
        """Once for each attempt, which has counted itself in `endpoint.in_flight`.

        outcome: `ok connect_failure reset stale_connection first_byte_timeout attempt_timeout upstream_protocol
        cancelled`. status: of the answer, 0 when there was none. exchange: whose attempt it was.
        """
        endpoint.in_flight -= 1
        if outcome != "ok" and outcome in _NO_VERDICT:
            return
        outlier = self._outlier
        if outlier is not None:
            record = endpoint.outlier
            if record is None:
                record = endpoint.outlier = outlier.record()
            if status < 500 and outcome == "ok":
                outlier.succeeded(record, now)
            else:
                is_gateway_failure = outcome != "ok" or status in GATEWAY_STATUSES
                if outlier.failed(record, is_gateway_failure, now):
                    self._eject(endpoint, outlier, outcome, now)
                if outcome != "ok":
                    self._missed(endpoint, outcome, now)
        elif outcome == "ok":
            endpoint.answers += status < 500
        else:
            self._missed(endpoint, outcome, now)
        if self.breaker is not None:
            self.breaker.record(_BREAKER_OUTCOME[outcome], status, now, exchange)
        if now >= self.next_change:
            self.refresh(now)

    @property
    def no_endpoint_detail(self) -> str:
        """Why nobody can be picked, for the 503."""
        if not self.endpoints:
            return f"{self.name} has no instance"
        return f"none of the {len(self.endpoints)} instances of {self.name} may be called now"

    def count_code(self, code: int) -> None:
        """Of an answer of gRPC."""
        counters = self._parts.counters
        if counters is None:
            return
        cell = self._codes.get(code)
        if cell is None:
            name = CODES[code] if code < len(CODES) else str(code)
            cell = self._codes[code] = counters.counter("meshway_grpc_answers_total", service=self.name, code=name)
        counters.cells[cell] += 1.0  # as `add`, of which machine code has none

    # What time and other processes bring.

    def tick(self, now: float) -> bool:
        """Ends what is due. False: there is nothing to wait for any more."""
        if now >= self.next_change:
            self.refresh(now)
        bulkhead = self.bulkhead
        if bulkhead is not None and bulkhead.waiting:
            bulkhead.expire(now)
            bulkhead.hand_on()
            if bulkhead.waiting:
                return True
        if bulkhead is not None and bulkhead.connections is not None and bulkhead.connections.tell():
            return True  # they close by themselves, and the other workers must hear of it
        return self.next_change < math.inf

    def _eject(self, endpoint: Endpoint, outlier: Outlier, outcome: str, now: float) -> None:
        """Unless the limits forbid it: the last eligible endpoint stays, and so do all beyond the highest share."""
        if endpoint.ejected_until > now or self.is_panicking or endpoint not in self.eligible:
            return
        ejected = sum(1 for other in self.endpoints if other.ejected_until > now)
        if len(self.eligible) < 2 or ejected + 1 > outlier.most_ejected(len(self.endpoints)):
            self._tell_failing(endpoint, outcome, now)
            return
        record = endpoint.outlier
        until_s = now + outlier.ejection_s(record, now)
        record.is_own = True
        reason = outcome if outcome != "ok" else "status"
        transition = Transition(
            kind="ejected", cluster=self.name, endpoint=endpoint.key, until_s=until_s, count=record.ejections,
            reason=reason,
        )  # fmt: skip
        apply_to_endpoint(endpoint, transition, now)
        self._parts.report(transition)

    def _tell_failing(self, endpoint: Endpoint, outcome: str, now: float) -> None:
        """Now and then, not at each failure: people are told, nothing else comes of it."""
        record = endpoint.outlier
        if now < record.told_at + FAILING_TOLD_S / 2.0:
            return
        record.told_at = now
        until_s, reason = now + FAILING_TOLD_S, outcome if outcome != "ok" else "status"
        self._parts.report(
            Transition(kind="failing", cluster=self.name, endpoint=endpoint.key, until_s=until_s, reason=reason)
        )

    def _missed(self, endpoint: Endpoint, outcome: str, now: float) -> None:
        """No answer came."""
        counters = self._parts.counters
        if outcome == "connect_failure" and counters is not None:
            name, labels = "meshway_upstream_connect_failures_total", {"service": self.name, "instance": endpoint.id}
            counters.add(counters.counter(name, **labels))
        if endpoint.is_kept:
            self._let_go(endpoint, outcome, now)

    def _let_go(self, endpoint: Endpoint, outcome: str, now: float) -> None:
        """The registry says it is gone, and so does its failure: one is enough, and no limit of ejections holds."""
        if endpoint.ejected_until > now:
            return
        transition = Transition(
            kind="ejected", cluster=self.name, endpoint=endpoint.key, until_s=now + LET_GO_S, reason=outcome
        )
        apply_to_endpoint(endpoint, transition, now)
        self._parts.report(transition)

    def _take_back(self, endpoint: Endpoint, now: float) -> None:
        """Its time is up. Only the worker that ejected it reports, or a host would tell it once for each worker."""
        endpoint.ejected_until = 0.0
        begin_slowly(endpoint, now)
        endpoint.is_connect_refused = endpoint.is_connect_refused and endpoint.is_check_failing
        record = endpoint.outlier
        if record is not None:
            record.clear(now)
            if record.is_own:
                record.is_own = False
                self._parts.report(Transition(kind="returned", cluster=self.name, endpoint=endpoint.key))
        for cluster in endpoint.clusters:
            if cluster is not self:
                cluster.refresh(now)


def _load(endpoint: Endpoint) -> float:
    return (endpoint.in_flight + 1) / endpoint.weight
