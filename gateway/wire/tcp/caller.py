"""A caller's connection of a Listener of bytes: found a route, let in, joined with a service's, and told of at its end.

No answer can be given to whoever is refused: he is reset, and the access log says why. Until the service is connected
to nothing is read, so what he sends first waits with the kernel, and another endpoint can be tried unseen.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.exchange import NEVER, Exchange, Reply
from gateway.relay.attempt import UNTOLD_S
from gateway.relay.call import Call
from gateway.relay.forwarding import is_in
from gateway.relay.passage import TCP, no_request, no_route_for
from gateway.relay.patient_passage import PatientPassage
from gateway.relay.trace import begin_trace
from gateway.routing import standing
from gateway.routing.connection_table import ConnectionPlan
from gateway.routing.table import Tables, TablesHolder
from gateway.upstream.cluster import Cluster
from gateway.upstream.endpoint import Endpoint
from gateway.wire.entrance import Entrance, entrance
from gateway.wire.interfaces import Address, Timer
from gateway.wire.listener_context import VOID, ListenerContext
from gateway.wire.opening import Opener
from gateway.wire.places import ADDRESS
from gateway.wire.proxy_protocol import Told, proxy_head
from gateway.wire.tcp.side import Pace, Side
from meshway.certificates import CertificateFault

_NO_REQUEST: Final = no_request(TCP)
_log = logging.getLogger("meshway.gateway.tcp")


@dataclass(slots=True, frozen=True)
class Carriage:
    """What all connections of a worker share. tables: where routes are. opener: connects to services."""

    tables: TablesHolder
    opener: Opener


class TcpCaller(Side):
    """carriage: the worker's."""

    __slots__ = (
        "_abandon", "_carriage", "_ends", "_entrance", "_idle_s", "_is_ending", "_is_entered", "_is_limited",
        "_is_untold", "_judged_by", "_listener", "_passage", "_peer", "_service", "_timer", "_told", "_until",
        "exchange",
    )  # fmt: skip

    is_busy: Final = True  # until its end: nobody can tell what it waits for
    exchange: Exchange

    def __init__(self, listener: ListenerContext, told: Told | None, carriage: Carriage) -> None:
        """told: for whom a proxy has opened it, None: nobody said anything."""
        super().__init__(self)
        self._listener, self._told, self._carriage = listener, told, carriage
        self._is_ending = False  # and it is known why
        self._passage: PatientPassage | None = None
        self._judged_by: ConnectionPlan | None = None  # the newest that lets it be
        self._service: Side | None = None
        self._entrance: Entrance | None = None
        self._abandon: Callable[[], None] | None = None
        self._timer = Timer(self)
        self._until = NEVER  # its end, whatever moves
        self._peer = ""
        self._ends: tuple[Address | None, Address | None] = (None, None)
        self._idle_s = NEVER
        self._is_entered = self._is_limited = self._is_untold = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.attach(transport)
        listener, told = self._listener, self._told
        peer, local = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self._ends = (peer[:2] if peer else None), (local[:2] if local else None)
        if told is not None and told.source is not None:
            self._ends = told.source, told.destination
        self._peer = self._ends[0][0] if self._ends[0] else ""
        self._is_limited = not is_in(self._peer, listener.trusted_proxies)
        sock = transport.get_extra_info("socket")
        lacking = listener.enter(self, self._peer, 0 if sock is None else sock.fileno(), is_limited=self._is_limited)
        self._is_entered = True
        exchange = self.exchange = Exchange(
            _NO_REQUEST, listener.face, self._peer, listener.now(), b"tcp", listener_name=listener.name
        )
        begin_trace(exchange)
        if lacking:
            self._end("" if lacking == ADDRESS else "overloaded", "OM", f"there is no place: {lacking}")
            return
        tls = transport.get_extra_info("ssl_object")
        try:
            self._entrance = entrance(listener, tls)
        except CertificateFault as fault:
            _log.info("%s: %s: %s", listener.name, self._peer, fault)
            self.refused(Reply(401, "certificate_void", "UAEX", str(fault), policy=listener.title))
            return
        refusal = None if self._entrance is None else self._entrance.refusal(exchange)
        if refusal is not None:
            self.refused(refusal)
        else:
            self._begin()

    def _begin(self) -> None:
        self._route()

    def _route(self) -> None:
        plan = self._plan_of(self._carriage.tables.tables)
        if plan is None:
            self.refused(self._no_route())
        else:
            self._start(plan)

    def _plan_of(self, tables: Tables) -> ConnectionPlan | None:
        table = tables.connections.get(self._listener.name)
        return None if table is None else table.match(self.exchange)

    def _no_route(self) -> Reply:
        return no_route_for(self.exchange, "TcpRoute")

    def _start(self, plan: ConnectionPlan) -> None:
        listener, exchange = self._listener, self.exchange
        self._judged_by = plan
        self._carriage.tables.carried.add(self.judge)
        self._until = exchange.started + plan.max_duration_s
        self._passage = PatientPassage(listener.relay, exchange, plan, self)
        self._passage.start()

    # What the passage says.

    def connect(self, cluster: Cluster, endpoint: Endpoint, now: float) -> None:
        opening = cluster.opening_of(endpoint)
        preamble = proxy_head(opening.proxy_protocol, *self._ends) if opening.proxy_protocol else b""
        self._listener.relay.wheel.set(self._timer, self, now + cluster.connect_timeout_s)
        self._abandon = self._carriage.opener.open(
            endpoint, self._made, self._connected, self._connect_failed, opening, preamble
        )

    def _made(self) -> Side:
        return Side(self)

    def _connected(self, service: Side) -> None:
        self._abandon = None
        passage = self._passage
        assert passage is not None
        if passage.is_over:
            service.abort()
            return
        passage.connected()
        self._service = service
        plan, relay = passage.plan, self._listener.relay
        if self._judged_by is not plan:
            self._judged_by = None  # then it was not known yet where it is led
            if self.judge(self._carriage.tables.tables):
                return
        if plan.bytes_per_s:
            for side in (self, service):
                side.pace = Pace(side, plan.bytes_per_s, relay.wheel, relay.now)
        self._idle_s = plan.idle_s
        relay.wheel.set(self._timer, self, min(relay.now() + plan.idle_s, self._until))
        self._welcome()
        service.join(self)
        if service.is_lost:  # before anything was sent to it
            self.lost(service, None)
        else:
            self.join(service)

    def _welcome(self) -> None:
        """Before the service's first byte."""

    def _connect_failed(self, detail: str) -> None:
        self._abandon = None
        if self._passage is not None and not self._passage.is_over:
            self._passage.failed(detail)

    def refused(self, reply: Reply) -> None:
        self.exchange.take_reply(reply)
        if not reply.policy:
            self.exchange.policy = self._passage.plan.title if self._passage is not None else self._listener.title
        self._is_ending = True
        self._turn_away(reply)

    def _turn_away(self, reply: Reply) -> None:
        self.abort()

    # What both sides do.

    def moved(self) -> None:
        due = self._listener.now() + self._idle_s
        self._timer.due = due if due < self._until else self._until

    def ended(self, side: Side) -> None:
        passage, other = self._passage, side.other
        if passage is None or other is None:
            return
        is_told, half_close_s = other.end_sending(), passage.plan.half_close_s
        if other.has_ended or not half_close_s:
            self._closing()
            return
        now, relay = self._listener.now(), self._listener.relay
        self._until = min(self._until, now + half_close_s)
        if not is_told:
            self._is_untold, self._idle_s = True, UNTOLD_S
        relay.wheel.set(self._timer, self, min(now + self._idle_s, self._until))

    def _closing(self) -> None:
        """Both have said all, or must have."""
        self._say("", "", "")
        self.leave_slowly()

    def leave_slowly(self) -> None:
        """What is under way is taken, for as long as a write may stall."""
        self._wait_for_writes()
        self.close()
        if self._service is not None:
            self._service.close()

    def _wait_for_writes(self) -> None:
        relay = self._listener.relay
        self._until = NEVER
        relay.wheel.set(self._timer, self, relay.now() + self._listener.limits.write_stall_s)

    def lost(self, side: Side, exc: Exception | None) -> None:
        if side is not self and side is not self._service:
            return  # it was never joined: whoever opens it says so
        other = self._service if side is self else self
        if exc is None:
            self._say("", "", "")
        elif side is self:
            self._say("caller_reset", "DC", str(exc))
        else:
            self._say("upstream_reset", "UC", str(exc))
        if other is None or other.is_lost:
            self._over()
        else:
            self._wait_for_writes()
            if exc is None:
                other.close()
            else:
                other.abort()

    def on_timer(self, now: float) -> None:
        passage = self._passage
        if self.is_lost or self.transport.is_closing():
            self._end("write_timeout", "", "what was under way was not taken")
        elif passage is None:
            self._end("head_timeout", "DPE", "the connection did not begin in time")
        elif not passage.is_connected:
            abandon, self._abandon = self._abandon, None
            if abandon is not None:
                abandon()
                passage.failed("no connection within the connect timeout")
        elif self._is_untold:
            self._closing()
        elif now >= self._until:
            if self.has_ended or (self._service is not None and self._service.has_ended):
                self._end("half_close", "SI", "one side had ended, and the other did not in time")
            else:
                self._end("max_duration", "DT", "the connection has lasted as long as it may")
        else:
            self._end("idle_timeout", "SI", "no byte went either way")

    # As its listener has it.

    def start_drain(self) -> None:
        """It lives on for the drain time: nothing can be said to it."""

    def say_goodbye(self) -> bool:
        return False

    def kill(self) -> None:
        flag, reason, detail = self._listener.cut_off
        self._end(reason, flag, detail)

    def end_void(self) -> None:
        if self._entrance is not None and self._entrance.is_void:
            flag, reason, detail = VOID
            self._end(reason, flag, detail)

    def calls(self) -> Sequence[Call]:
        return ()

    def judge(self, tables: Tables) -> str:
        """By newer tables (`routing/standing.py`): what holds for its bytes stays as it was when it came."""
        if self._is_ending:
            return ""
        plan = self._plan_of(tables)
        if plan is self._judged_by:
            return ""
        refusal = self._no_route() if plan is None else standing.refusal(plan.route, self.exchange, plan.title)
        if refusal is None:
            self._judged_by = plan
            return ""
        self._revoke(refusal)
        return refusal.reason

    def _revoke(self, refusal: Reply) -> None:
        self._end(refusal.reason, refusal.flag, refusal.detail, refusal.policy)

    # Its end.

    def _say(self, reason: str, flag: str, detail: str, policy: str = "") -> None:
        """Why it ends, "" = both have said all: what is said first is right. policy: "": its route, or listener."""
        if self._is_ending:
            return
        self._is_ending = True
        if reason:
            self.exchange.mark(flag)
            own = self._listener.title if self._passage is None else self._passage.plan.title
            self.exchange.blame(reason, policy or own, detail)

    def _end(self, reason: str, flag: str, detail: str, policy: str = "") -> None:
        """At once, whatever is under way."""
        self._say(reason, flag, detail, policy)
        if self._service is not None:
            self._service.abort()
        self.abort()

    def _over(self) -> None:
        if not self._is_entered:
            return
        self._is_entered = False
        self._timer.due, self._timer.owner = NEVER, None
        service, listener = self._service, self._listener
        exchange = self.exchange
        exchange.bytes_in, exchange.bytes_out = self.size, 0 if service is None else service.size
        self._leave_passage()
        listener.relay.finish(exchange, listener.now())
        self._leave_listener()
        self.part()
        if service is not None:
            self._service = None
            service.part()

    def _leave_passage(self) -> None:
        """Nothing leads on any more, nor will."""
        if self._abandon is not None:
            self._abandon()
            self._abandon = None
        passage, self._passage = self._passage, None
        if passage is not None:
            self._carriage.tables.carried.discard(self.judge)
            passage.leave()

    def _leave_listener(self) -> None:
        self._listener.leave(self, self._peer, is_limited=self._is_limited)
