"""The way in of what is no request: a session of datagrams passes filters, cluster and balancer at once, or not at all.

The parts are those that calls pass. What would have a call wait refuses here: nobody holds datagrams back.
"""

import sys
from collections.abc import Coroutine

from gateway.exchange import Exchange, Reply
from gateway.plan import RoutePlan
from gateway.upstream.cluster import Cluster
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.guards import PENDING
from gateway.verdict import Turn
from meshway.http1.message import RequestHead, bare_head

TCP, UDP = 4, 5  # as RequestHead.minor: told as the protocol


def no_request(protocol: int) -> RequestHead:
    """In place of a head: what asks for a field finds none. It is never kept as a call's."""
    head = bare_head()
    head.minor, head.head_size = protocol, sys.maxsize
    return head


def no_route_for(exchange: Exchange, kind: str) -> Reply:
    """kind: `TcpRoute`, `TlsRoute`: of what its listener asks for."""
    detail = f"no {kind} of listener {exchange.listener_name} takes connections of {exchange.peer}"
    if kind == "TlsRoute":
        detail += f" for {exchange.server_name}" if exchange.server_name else " that name no host (SNI)"
    return Reply(404, "no_route", "NR", detail, policy=f"listener {exchange.listener_name}")


def no_session_route(listener: str, more: str = "") -> Reply:
    return Reply(404, "no_route", "NR", f"no UdpRoute has this Listener{more}", policy=f"listener {listener}")


def not_connected(exchange: Exchange) -> Reply:
    """To a CONNECT of the mesh that leads nowhere."""
    asked = exchange.authority.decode("latin-1")
    detail = f"CONNECT is for ports that a Service of the mesh says to be tcp or tls: {asked} is none"
    return Reply(403, "egress_denied", "UAEX", detail, policy=f"listener {exchange.listener_name}")


class Passage:
    """Of one exchange. `enter` once, then `leave` once, whatever it answered."""

    __slots__ = ("_admitted", "_turns", "exchange")

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self._turns: tuple[Turn, ...] = ()
        self._admitted: Cluster | None = None

    def enter(self, plan: RoutePlan, now: float) -> Reply | None:
        """None: the exchange has its cluster and its endpoint."""
        exchange = self.exchange
        exchange.plan = plan
        for each in plan.request_filters:
            verdict = each(exchange)
            if verdict is None:
                continue
            if isinstance(verdict, Turn):
                verdict = self._stand(verdict)
            elif not isinstance(verdict, Reply):
                verdict = unanswerable(verdict, f"Route {plan.route}")
            if verdict is not None:
                return verdict
        if plan.choose is None:
            return Reply(404, "no_route", "NR", "the route has no destination")
        cluster = exchange.cluster = plan.choose(exchange)
        refusal = self._admit(cluster)
        if refusal is not None and refusal.reason == "breaker_open" and cluster.fallback is not None:
            exchange.mark(refusal.flag)
            cluster = exchange.cluster = cluster.fallback
            refusal = self._admit(cluster)
        if refusal is not None:
            return refusal
        pick = cluster.first_pick
        return self.take(pick(exchange) if pick is not None else None, now)

    def take(self, endpoint: Endpoint | None, now: float) -> Reply | None:
        """The exchange goes there from now on; None: nobody can be picked."""
        exchange = self.exchange
        cluster, plan = exchange.cluster, exchange.plan
        assert cluster is not None
        assert plan is not None
        if endpoint is None:
            return Reply(503, "no_endpoint", "UH", cluster.no_endpoint_detail, policy=f"service {cluster.name}")
        if plan.guard is not None:
            refusal = plan.guard.refusal(exchange, cluster.name, endpoint.key)
            if refusal is not None:
                return refusal
        if exchange.attempts:
            assert exchange.endpoint is not None
            exchange.tried += (exchange.endpoint,)
            exchange.retried_at += (now,)
        exchange.endpoint = endpoint
        exchange.attempts += 1
        return None

    def leave(self) -> None:
        for turn in self._turns:
            turn.leave()
        self._turns = ()
        if self._admitted is not None:
            self._admitted.release(self.exchange)
            self._admitted = None

    def _stand(self, turn: Turn) -> Reply | None:
        """None: it may go on at once, and is counted until it leaves."""
        heard: list[Reply | None] = []
        self._turns += (turn,)
        turn.wait(heard.append)
        if heard:
            return heard[0]
        return Reply(429, "rate_limited", "RL", "it would have to wait for its turn, and sessions do not wait")

    def _admit(self, cluster: Cluster) -> Reply | None:
        if not cluster.is_guarded:
            return None
        admission = cluster.admit(self.exchange, lambda _: None)
        if admission is PENDING:
            cluster.cancel_pending(self.exchange)
            detail = f"{cluster.name} has its most running calls, and sessions do not wait"
            return Reply(503, "pending_full", "UO", detail, policy=f"service {cluster.name}")
        if admission is None:
            self._admitted = cluster
        return admission


def unanswerable(verdict: object, policy: str) -> Reply:
    """What is asked of requests: whoever asks it gets no answer, so that nothing passes unasked. policy: by whose word
    nothing does."""
    if isinstance(verdict, Coroutine):
        verdict.close()
    detail = "a policy asks for what only requests have, or would have it wait"
    return Reply(503, "policy_unavailable", "UAEX", detail, policy=policy)
