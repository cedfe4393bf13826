"""What keeps calls of a cluster out: its breaker, its adaptive limit, its bulkhead; of each there is one, or none.

What they count lives on over new settings. Only clusters that have one are asked (`is_guarded`).
"""

import enum
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal

from gateway.exchange import Exchange, Reply
from gateway.upstream.adaptive_limit import AdaptiveLimit
from gateway.upstream.breaker import Breaker
from gateway.upstream.bulkhead import Bulkhead, Resume
from gateway.upstream.cluster_settings import AdaptiveSettings, BulkheadSettings, ClusterSettings
from gateway.upstream.connection_limit import ConnectionLimit
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.endpoint_limits import EndpointLimits
from gateway.upstream.transition import Transition, TransitionKind

if TYPE_CHECKING:
    from gateway.plan import Parts

# endpoint, outcome, status, latency_s, now: of each attempt that ended
Observe = Callable[[Endpoint, str, int, float, float], None]
# How long these took says how loaded the service is.
_TIMED: Final = frozenset({"ok", "first_byte_timeout", "attempt_timeout"})


class Admission(enum.Enum):
    PENDING = enum.auto()


PENDING: Final = Admission.PENDING


class Guarded:
    """The part of a cluster that admits calls. limit: of the service; endpoint_limits: of each of its endpoints; of an
    adaptive limit there is one of them. watched: where it puts itself when its `tick` has something to wait for."""

    __slots__ = (
        "_parts", "_watched", "breaker", "bulkhead", "eligible", "endpoint_limits", "endpoints", "is_guarded", "limit",
        "name", "settings",
    )  # fmt: skip

    def __init__(self, name: str, settings: ClusterSettings, parts: "Parts", watched: "set[Any]") -> None:
        self.name = name
        self.settings = settings
        self.endpoints: tuple[Endpoint, ...] = ()
        self.eligible: tuple[Endpoint, ...] = ()
        self.breaker: Breaker | None = None
        self.bulkhead: Bulkhead | None = None
        self.limit: AdaptiveLimit | None = None
        self.endpoint_limits: EndpointLimits | None = None
        self.is_guarded = False
        self._parts = parts
        self._watched = watched

    def _configure_guards(self, settings: ClusterSettings) -> None:
        parts, workers = self._parts, self._parts.workers
        if settings.breaker is None:
            self.breaker = None
        elif self.breaker is None:
            self.breaker = Breaker(self.name, settings.breaker, workers, self._report_breaker)
        else:
            self.breaker.configure(settings.breaker, workers)
        self._configure_limits(settings.adaptive)
        old, self.bulkhead = self.bulkhead, None
        if settings.bulkhead is not None:
            self.bulkhead = old or self._make_bulkhead(settings.bulkhead)
            if (self.bulkhead.connections is None) != (not settings.bulkhead.max_connections):
                self._bound_connections(self.bulkhead, settings.bulkhead)
            if self.bulkhead.connections is not None:
                sharing = settings.opening.sharing
                self.bulkhead.connections.max_streams = 0 if sharing is None else sharing.max_streams
            self.bulkhead.configure(settings.bulkhead, workers, parts.gateways)
        elif old is not None:
            old.dissolve()
        guards = (self.breaker, self.limit, self.endpoint_limits, self.bulkhead)
        self.is_guarded = any(guard is not None for guard in guards)

    def _configure_limits(self, settings: AdaptiveSettings | None) -> None:
        if settings is None or settings.is_per_endpoint:
            self.limit = None
        elif self.limit is None:
            self.limit = AdaptiveLimit(self.name, settings)
        else:
            self.limit.configure(settings)
        if settings is None or not settings.is_per_endpoint:
            self.endpoint_limits = None
            return
        if self.endpoint_limits is None:
            self.endpoint_limits = EndpointLimits(self.name, settings)
        self.endpoint_limits.configure(settings, self.endpoints)  # they may have one of former settings

    def _make_bulkhead(self, settings: BulkheadSettings) -> Bulkhead:
        table = self._parts.host_table
        row = table.row(self.name) if table is not None else -1
        return Bulkhead(self.name, settings, self._parts.workers, table, row)

    def _bound_connections(self, bulkhead: Bulkhead, settings: BulkheadSettings) -> None:
        """Where connections are bounded from now on, or no more."""
        if bulkhead.connections is not None:
            bulkhead.connections.dissolve()
            bulkhead.connections = None
        if settings.max_connections:
            table = self._parts.host_table
            row = table.row(f"{self.name} connections") if table is not None else -1
            bulkhead.connections = ConnectionLimit(lambda: self.endpoints, table, row)

    def share_anew(self) -> None:
        """The number of live gateways changed."""
        if self.bulkhead is not None and self.settings.bulkhead is not None:
            self.bulkhead.configure(self.settings.bulkhead, self._parts.workers, self._parts.gateways)

    @property
    def connections(self) -> ConnectionLimit | None:
        return self.bulkhead.connections if self.bulkhead is not None else None

    def _observer(self, learn: Observe | None) -> Observe | None:
        """Who wants to know how long attempts take: the algorithm, the breaker, the adaptive limit, or nobody."""
        breaker, limit, endpoint_limits = self.breaker, self.limit, self.endpoint_limits
        if breaker is not None and breaker.settings.slow_over_s == math.inf:
            breaker = None
        if breaker is None and limit is None and endpoint_limits is None:
            return learn

        def observe(endpoint: Endpoint, outcome: str, status: int, latency_s: float, now: float) -> None:
            if breaker is not None:
                breaker.observe(latency_s)
            if outcome in _TIMED and status < 500:
                if limit is not None:
                    limit.observe(latency_s, now)
                elif endpoint_limits is not None:
                    endpoint_limits.of(endpoint).observe(latency_s, now)
            if learn is not None:
                learn(endpoint, outcome, status, latency_s, now)

        return observe

    def admit(self, exchange: Exchange, resume: Resume) -> "Reply | Literal[Admission.PENDING] | None":
        """Breaker, adaptive limit, then bulkhead; only where `is_guarded`.

        None: go on; a Reply: refused; PENDING: resume is called later, exactly once. An admitted exchange
        (None, or resume(None)) must be released exactly once.
        """
        breaker, limit, bulkhead = self.breaker, self.limit, self.bulkhead
        now = self._parts.now()
        if breaker is not None:
            refusal = breaker.admit(exchange, now)
            if refusal is not None:
                return refusal
        if limit is not None:
            refusal = limit.admit(exchange)
            if refusal is not None:
                self._let_out(exchange)
                return refusal
        elif self.endpoint_limits is not None:
            refusal = self.endpoint_limits.admit(exchange, self.eligible)
            if refusal is not None:
                self._let_out(exchange)
                return refusal
        if bulkhead is None or bulkhead.enter(exchange):
            return None

        def go_on(reply: Reply | None) -> None:
            if reply is not None:
                self._let_out(exchange)
            resume(reply)

        refusal = bulkhead.wait(exchange, go_on, now)
        if refusal is None:
            self._watched.add(self)
            return PENDING
        self._let_out(exchange)
        return refusal

    def _let_out(self, exchange: Exchange) -> None:
        """Of what comes before the bulkhead."""
        if self.breaker is not None:
            self.breaker.release(exchange)
        if self.limit is not None:
            self.limit.release(exchange)

    def release(self, exchange: Exchange) -> None:
        self._let_out(exchange)
        if self.bulkhead is not None:
            self.bulkhead.release(exchange)
            if self.bulkhead.connections is not None:
                self._watched.add(self)

    def cancel_pending(self, exchange: Exchange) -> None:
        """The caller went away while PENDING: resume will not be called."""
        if self.bulkhead is not None and self.bulkhead.cancel(exchange):
            self._let_out(exchange)

    @property
    def most_at_once(self) -> float:
        """Calls that the adaptive limit lets run from this worker, 0: any number."""
        if self.endpoint_limits is not None:
            return sum(self.endpoint_limits.of(endpoint).limit for endpoint in self.eligible)
        return self.limit.limit if self.limit is not None else 0.0

    @property
    def has_spare_room(self) -> bool:
        """Whether an attempt beside those of the calls that were admitted keeps nobody out."""
        if self.bulkhead is not None and self.bulkhead.would_wait:
            return False
        return self.limit is None or len(self.limit.held) < self.limit.limit

    def apply_transition(self, transition: Transition) -> None:
        """A breaker's, found by another worker or set by hand."""
        breaker = self.breaker
        if breaker is None:
            return
        if transition.kind == "breaker_opened":
            if transition.until_s > breaker.open_until:
                breaker.open(transition.until_s, transition.count)
        elif transition.kind == "breaker_closed":
            breaker.close()

    def _report_breaker(self, kind: TransitionKind, until_s: float, count: int) -> None:
        self._parts.report(Transition(kind=kind, cluster=self.name, until_s=until_s, count=count))
