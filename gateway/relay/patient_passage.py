"""The way in of a connection that is no call: as a session's, but that it can wait for its turn, and try elsewhere.

A connection that was made counts as a good answer of its endpoint, and as running there until it ends. Whoever owns the
passage connects, and says how that went: this layer knows no socket.
"""

from typing import Final, Protocol

from gateway.exchange import Exchange, Reply
from gateway.plan import RequestFilter
from gateway.relay.passage import Passage, unanswerable
from gateway.relay.relay import Relay
from gateway.routing.connection_table import ConnectionPlan
from gateway.upstream.cluster import Cluster
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.guards import PENDING
from gateway.verdict import Turn

MADE: Final = 200  # the status by which a connection that was made is told
CONNECT_FAILURE: Final = "connect_failure"


class PassageOwner(Protocol):
    def connect(self, cluster: Cluster, endpoint: Endpoint, now: float) -> None:
        """To this one; then `PatientPassage.connected` or `failed`, unless it ends before."""

    def refused(self, reply: Reply) -> None:
        """It will not be: it is to be closed, and ended."""


class _Nobody:
    """Has what is over: without the circle both are freed at once."""

    def connect(self, cluster: Cluster, endpoint: Endpoint, now: float) -> None:
        pass

    def refused(self, reply: Reply) -> None:
        pass


_NOBODY: Final = _Nobody()


class PatientPassage(Passage):
    """plan: of its route. relay: clock and chance."""

    __slots__ = (
        "_connect_began", "_in_line", "_is_counted", "_is_trying", "_owner", "_relay", "_retries", "is_connected",
        "is_over", "plan",
    )  # fmt: skip

    def __init__(self, relay: Relay, exchange: Exchange, plan: ConnectionPlan, owner: PassageOwner) -> None:
        super().__init__(exchange)
        exchange.plan = plan.route
        self._relay = relay
        self._owner: PassageOwner = owner
        self._in_line: Cluster | None = None
        self._is_counted = False
        self._is_trying = False  # an endpoint counts it as in flight
        self._retries = 0
        self._connect_began = 0.0
        self.plan = plan
        self.is_connected = self.is_over = False

    def start(self) -> None:
        plan, exchange = self.plan, self.exchange
        bound = plan.counts.take(exchange.peer, plan.most, plan.most_of_source)
        if bound:
            detail = f"{bound} of the route are reached"
            self._owner.refused(Reply(503, "too_many_connections", "UO", detail, policy=plan.title))
            return
        self._is_counted = True
        self._filter(plan.route.request_filters)

    def _filter(self, filters: tuple[RequestFilter, ...]) -> None:
        for at, each in enumerate(filters):
            verdict = each(self.exchange)
            if verdict is None:
                continue
            if isinstance(verdict, Turn):
                self._wait(verdict, filters[at + 1 :])
            else:
                self._owner.refused(verdict if isinstance(verdict, Reply) else unanswerable(verdict, self.plan.title))
            return
        choose = self.plan.route.choose
        assert choose is not None
        self._enter(choose(self.exchange))

    def _wait(self, turn: Turn, rest: tuple[RequestFilter, ...]) -> None:
        def called_on(reply: Reply | None) -> None:
            if self.is_over:
                return
            if reply is not None:
                self._owner.refused(reply)
            else:
                self._filter(rest)

        self._turns += (turn,)
        turn.wait(called_on)

    def _enter(self, cluster: Cluster) -> None:
        """An open breaker may have another service to ask; what that one says is final."""
        refusal = self._ask(cluster)
        if refusal is not None and refusal.reason == "breaker_open" and cluster.fallback is not None:
            self.exchange.mark(refusal.flag)
            refusal = self._ask(cluster.fallback)
        if refusal is not None:
            self._owner.refused(refusal)
        elif self._in_line is None:
            self._pick()

    def _ask(self, cluster: Cluster) -> Reply | None:
        self.exchange.cluster = cluster
        cluster.budget.count_request(self._relay.now())
        if not cluster.is_guarded:
            return None
        admission = cluster.admit(self.exchange, self._called_in)
        if admission is PENDING:
            self._in_line = cluster
            return None
        if admission is None:
            self._admitted = cluster
        return admission

    def _called_in(self, refusal: Reply | None) -> None:
        """The bulkhead, later."""
        cluster, self._in_line = self._in_line, None
        if refusal is not None:
            self._owner.refused(refusal)
            return
        self._admitted = cluster
        self._pick()

    def _pick(self) -> None:
        cluster = self.exchange.cluster
        assert cluster is not None
        pick = cluster.first_pick
        self._try(None if pick is None else pick(self.exchange))

    def _try(self, endpoint: Endpoint | None) -> None:
        cluster, now = self.exchange.cluster, self._relay.now()
        assert cluster is not None
        refusal = self.take(endpoint, now)
        if refusal is not None or endpoint is None:
            assert refusal is not None
            self._owner.refused(refusal)
            return
        endpoint.in_flight += 1
        self._is_trying = True
        self._connect_began = now
        if cluster.connections is not None:
            cluster.connections.make_room()
        self._owner.connect(cluster, endpoint, now)

    # How it went.

    def connected(self) -> None:
        exchange, now = self.exchange, self._relay.now()
        cluster, endpoint = exchange.cluster, exchange.endpoint
        assert cluster is not None
        assert endpoint is not None
        self.is_connected = True
        exchange.first_byte, exchange.status = now, MADE
        if cluster.observe is not None:
            cluster.observe(endpoint, "ok", MADE, now - self._connect_began, now)
        endpoint.in_flight += 1  # goes on to run; what is told ends the attempt
        cluster.attempt_ended(endpoint, "ok", MADE, now, exchange)

    def failed(self, detail: str) -> None:
        """No connection: on another endpoint, or none. Nothing was sent, so trying again harms nobody."""
        exchange, now = self.exchange, self._relay.now()
        cluster, endpoint, retry = exchange.cluster, exchange.endpoint, self.plan.route.retry
        assert cluster is not None
        assert endpoint is not None
        self._is_trying = False
        if cluster.observe is not None:
            cluster.observe(endpoint, CONNECT_FAILURE, 0, now - self._connect_began, now)
        cluster.attempt_ended(endpoint, CONNECT_FAILURE, 0, now, exchange)
        if (
            retry is not None
            and CONNECT_FAILURE in retry.conditions
            and self._retries < retry.max_retries
            and cluster.budget.spend(now)
        ):
            self._retries += 1
            self._try(endpoint if retry.same_endpoint else cluster.pick_another(exchange))
            return
        flag = "UF,URX" if self._retries else "UF"
        self._owner.refused(Reply(502, "connect_failed", flag, detail, policy=f"service {cluster.name}"))

    def leave(self) -> None:
        """It is over, whatever it came to; called once."""
        self.is_over, self._owner = True, _NOBODY
        exchange = self.exchange
        cluster, endpoint = exchange.cluster, exchange.endpoint
        if self._is_trying and cluster is not None and endpoint is not None:
            if self.is_connected:
                endpoint.in_flight -= 1
            else:
                cluster.attempt_ended(endpoint, "cancelled", 0, self._relay.now(), exchange)
        if self._in_line is not None:
            self._in_line.cancel_pending(exchange)
            self._in_line = None
        if self._is_counted:
            self.plan.counts.leave(exchange.peer)
        super().leave()
