"""A session: what one source address and port sends to a Listener, and what is sent back, by one endpoint.

It has a socket of its own, connected to the endpoint, so the kernel sorts the answers and tells when nobody is there
(ICMP, as ECONNREFUSED). No datagram waits, none is copied: what cannot go on at once is dropped and counted.
"""

import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from gateway.exchange import NEVER, Exchange, Reply
from gateway.relay.call import Call
from gateway.relay.passage import Passage, no_session_route
from gateway.routing import standing
from gateway.routing.session_plan import SessionPlan
from gateway.upstream.cluster import Cluster
from gateway.upstream.eligible import state_of
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.outside import is_name
from gateway.wire.interfaces import Timer
from gateway.wire.places import DESCRIPTORS, no_place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.routing.table import Tables
    from gateway.wire.udp.receiver import UdpReceiver

# Datagrams of one side before others have their turn.
AT_ONCE: Final = 64
# A refused source is not judged anew for each of its datagrams, and has one line of the log for all of that time.
REFUSED_S: Final = 1.0
# While it drains, without an answer: the next worker has whatever comes.
LINGER_S: Final = 1.0
# Endpoints that refused in one session; whoever finds nobody begins anew.
MOST_MOVES: Final = 8
OVER_RATIO: Final = "reply_ratio"
_LOST: Final = frozenset({"critical", "ejected", "check_failing"})


class Session:
    """address: the source's, as the socket has it. heard: when either side was last heard.

    refusal: why nothing passes, None: it does. A refused one stays REFUSED_S.
    """

    __slots__ = (
        "_answers_too_large", "_eligible", "_is_draining", "_passage", "_plan", "_receiver", "_timer", "_upstream",
        "address", "ancillary", "exchange", "heard", "refusal",
    )  # fmt: skip

    def __init__(
        self,
        receiver: "UdpReceiver",
        address: Any,
        plan: SessionPlan,
        exchange: Exchange,
        ancillary: "Sequence[tuple[int, int, bytes]]",
    ) -> None:
        """ancillary: what of a datagram says at which of our addresses it came, for the answers."""
        self._receiver, self._plan = receiver, plan
        self.address, self.exchange, self.ancillary = address, exchange, ancillary
        self._passage = Passage(exchange)
        self._upstream: socket.socket | None = None
        self._eligible: tuple[Endpoint, ...] = ()
        self._answers_too_large = 0
        self._is_draining = False
        self._timer = Timer(self)
        self.heard = exchange.started
        self.refusal: Reply | None = None

    # From the first datagram to the last.

    def begin(self, now: float, refusal: Reply | None = None) -> None:
        """refusal: there is too little of something."""
        if refusal is None:
            refusal = self._passage.enter(self._plan.route, now) or self._connect(now)
        if refusal is not None:
            self._refuse(refusal, now)
        self._receiver.wheel.set(self._timer, self, self._due(now))

    def forward(self, data: memoryview, now: float) -> None:
        """To the service."""
        exchange, upstream = self.exchange, self._upstream
        if upstream is None:
            self._receiver.dropped["refused"] += 1
            return
        cluster = exchange.cluster
        assert cluster is not None
        if self._eligible is not cluster.eligible and not self._stays(cluster, now):
            return
        self.heard = now
        exchange.bytes_in += len(data)
        try:
            assert self._upstream is not None
            self._upstream.send(data)
        except BlockingIOError:
            self._receiver.dropped["full"] += 1
        except OSError as error:
            # The one before found nobody: this one goes where the session goes on.
            if self._fail(error, now) and self._upstream is not None:
                self._send_again(data)
        else:
            self._receiver.received += 1

    def _send_again(self, data: memoryview) -> None:
        assert self._upstream is not None
        try:
            self._upstream.send(data)
        except OSError:
            self._receiver.dropped["unreachable"] += 1
        else:
            self._receiver.received += 1

    def answer(self) -> None:
        """The service's datagrams, to the caller."""
        receiver, exchange, upstream = self._receiver, self.exchange, self._upstream
        buffer, view, ratio = receiver.buffer, receiver.view, self._plan.max_reply_ratio
        now = receiver.now()
        for _ in range(AT_ONCE):
            if upstream is None or upstream is not self._upstream:
                return
            try:
                size = upstream.recv_into(buffer)
            except BlockingIOError:
                return
            except OSError as error:
                self._fail(error, now)
                return
            self.heard = now
            if not exchange.first_byte:
                exchange.first_byte = now
            if ratio and exchange.bytes_out + size > ratio * exchange.bytes_in:
                self._answers_too_large += 1
                receiver.dropped[OVER_RATIO] += 1
                continue
            exchange.bytes_out += size
            receiver.answer(view[:size], self)

    # Where it goes.

    def _connect(self, now: float) -> Reply | None:
        """To the endpoint that was picked."""
        exchange, receiver = self.exchange, self._receiver
        endpoint, cluster = exchange.endpoint, exchange.cluster
        assert endpoint is not None
        assert cluster is not None
        self._eligible = cluster.eligible
        endpoint.in_flight += 1
        fault = _uncallable(cluster, endpoint)
        if fault:
            cluster.attempt_ended(endpoint, "cancelled", 0, now, exchange)
            return Reply(503, "upstream_unreachable", "UF", fault, policy=f"service {cluster.name}")
        family = socket.AF_INET6 if ":" in endpoint.address else socket.AF_INET
        upstream = None
        try:
            upstream = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            places = receiver.listener.places
            if upstream.fileno() >= places.most_descriptors:  # sessions must not keep out connections
                upstream.close()
                cluster.attempt_ended(endpoint, "cancelled", 0, now, exchange)
                places.refused[DESCRIPTORS] += 1
                return no_place(DESCRIPTORS, receiver.listener.title)
            upstream.connect((endpoint.address, endpoint.port))
        except OSError as error:
            if upstream is not None:
                upstream.close()
            is_ours = upstream is None  # no descriptor
            cluster.attempt_ended(endpoint, "cancelled" if is_ours else "connect_failure", 0, now, exchange)
            detail = f"{endpoint.id}: {error.strerror or error}"
            return Reply(503, "upstream_unreachable", "UF", detail, policy=f"service {cluster.name}")
        self._upstream = upstream
        receiver.loop.add_reader(upstream.fileno(), self.answer)
        return None

    def _stays(self, cluster: Cluster, now: float) -> bool:
        """Other endpoints may be called than when this one was picked. True: its datagram can go on."""
        endpoint = self.exchange.endpoint
        assert endpoint is not None
        if endpoint in cluster.eligible or not _is_lost(endpoint, now):
            self._eligible = cluster.eligible
            return True
        if not cluster.eligible:
            return True
        self._disconnect("cancelled", now)
        return self._move(now)

    def _fail(self, error: OSError, now: float) -> bool:
        """The endpoint is not there. True: the session goes on at another one."""
        if not isinstance(error, ConnectionRefusedError):
            self._receiver.dropped["unreachable"] += 1
            return False
        self._receiver.dropped["unreachable"] += 1
        self._disconnect("connect_failure", now)
        return self._move(now)

    def _move(self, now: float) -> bool:
        exchange = self.exchange
        cluster = exchange.cluster
        assert cluster is not None
        refusal: Reply | None
        if exchange.attempts > MOST_MOVES:
            detail = f"{exchange.attempts} instances of {cluster.name} were not there"
            refusal = Reply(503, "upstream_unreachable", "UF", detail, policy=f"service {cluster.name}")
        else:
            refusal = self._passage.take(cluster.pick_another(exchange), now) or self._connect(now)
        if refusal is None:
            return True
        self._refuse(refusal, now)
        return False

    def _refuse(self, refusal: Reply, now: float) -> None:
        self.refusal, self.heard = refusal, now
        self._passage.leave()
        self._receiver.wheel.set(self._timer, self, self._due(now))

    def _disconnect(self, outcome: str, now: float) -> None:
        exchange, upstream = self.exchange, self._upstream
        if upstream is None:
            return
        self._upstream = None
        self._receiver.loop.remove_reader(upstream.fileno())
        upstream.close()
        assert exchange.cluster is not None
        assert exchange.endpoint is not None
        exchange.cluster.attempt_ended(exchange.endpoint, outcome, 200 if outcome == "ok" else 0, now, exchange)

    # How it ends.

    def on_timer(self, now: float) -> None:
        due = self._due(self.heard)
        if due > now:
            self._receiver.wheel.set(self._timer, self, due)
        elif self._is_draining:
            self.kill()
        else:
            self.end(now)

    def _due(self, heard: float) -> float:
        if self.refusal is not None:
            return heard + REFUSED_S
        return heard + (LINGER_S if self._is_draining else self._plan.idle_s)

    def end(self, now: float) -> None:
        exchange = self.exchange
        self._timer.due, self._timer.owner = NEVER, None
        self._disconnect("ok" if exchange.first_byte else "cancelled", now)
        self._passage.leave()
        if self.refusal is not None:
            exchange.take_reply(self.refusal)
        else:
            exchange.status = 200
            if self._answers_too_large:
                detail = f"{self._answers_too_large} answers were above {self._plan.max_reply_ratio:g} times what came"
                exchange.blame(OVER_RATIO, self._plan.title, detail)
        self._receiver.ended(self, now)

    def judge(self, tables: "Tables") -> str:
        """By newer tables. Whoever is ended begins anew with his next datagram, and is refused as others are."""
        listener = self._receiver.listener
        plan = tables.sessions.get(listener.name)
        if plan is self._plan or self.refusal is not None:
            return ""
        if plan is None:
            refusal: Reply | None = no_session_route(listener.name)
        else:
            refusal = standing.refusal(plan.route, self.exchange, plan.title)
            self._plan = plan
            self.exchange.plan = plan.route  # whose word holds for the next instance it is moved to
        if refusal is None:
            return ""
        self.exchange.mark(refusal.flag)
        self.exchange.blame(refusal.reason, refusal.policy, refusal.detail)
        self.end(self._receiver.now())
        return refusal.reason

    # What its listener says (wire/listener_context.Connection).

    @property
    def is_busy(self) -> bool:
        """It may be ended whenever patience with it ends."""
        return False

    def start_drain(self) -> None:
        """Its socket is another worker's; what the service has yet to answer is passed on. Where there is no other
        worker, it goes on while there is patience."""
        self._is_draining = not self._receiver.is_last
        self._receiver.wheel.set(self._timer, self, self._due(self.heard))

    def close(self) -> None:
        self.kill()

    def say_goodbye(self) -> bool:
        return False

    def kill(self) -> None:
        if not self.exchange.reason:
            flag, reason, detail = self._receiver.listener.cut_off
            self.exchange.mark(flag)
            self.exchange.blame(reason, self._plan.title, detail)
        self.end(self._receiver.now())

    def end_void(self) -> None:
        """Datagrams show no certificates."""

    def calls(self) -> Sequence[Call]:
        return ()


def _uncallable(cluster: Cluster, endpoint: Endpoint) -> str:
    """Why datagrams cannot be sent there as its policies want it, or ""."""
    opening = cluster.opening_of(endpoint)
    if opening.tls is not None:
        return f"{endpoint.id} is to be called by TLS, which datagrams are not"
    if opening.proxy_protocol:
        return f"{endpoint.id} is to be told of callers by the PROXY protocol, which datagrams do not carry"
    if endpoint.outside is not None or is_name(endpoint.address):
        return f"{endpoint.id} has no address but a name, and datagrams are sent to addresses"
    return ""


def _is_lost(endpoint: Endpoint, now: float) -> bool:
    """One that drains keeps its sessions; one that failed, or is gone, does not."""
    if state_of(endpoint, now) in _LOST:
        return True
    return not any(endpoint in cluster.endpoints for cluster in endpoint.clusters)
