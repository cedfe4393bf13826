"""The datagrams of one Listener in a worker: each goes to its session, or begins one.

All is done in the loop's callbacks, many datagrams a callback; there is no task and no future, and one buffer.
"""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any, Final

from gateway.exchange import Exchange, Reply
from gateway.limits.source_counts import SourceCounts
from gateway.relay.passage import UDP, no_request, no_session_route
from gateway.relay.shedding import DEFAULT, Shedding
from gateway.relay.trace import begin_trace
from gateway.routing.session_plan import SessionPlan
from gateway.routing.table import TablesHolder
from gateway.telemetry.counters import Counters
from gateway.wire.listener_context import ListenerContext
from gateway.wire.udp.session import AT_ONCE, Session

MOST_BYTES: Final = 65_535
# Of refusals without a session, which a flood of forged sources has: one line of the log for all of this time.
TELL_EVERY_S: Final = 1.0
REASONS: Final = ("refused", "full", "unreachable", "reply_ratio", "sessions", "source", "no_route")
DATAGRAMS: Final = "meshway_udp_datagrams_total"
DROPPED: Final = "meshway_udp_datagrams_dropped_total"
SESSIONS: Final = "meshway_udp_sessions"

Ancillary = list[tuple[int, int, bytes]]
# Python has names for those of IPv6 alone: linux/in.h.
_IP_PKTINFO: Final = 8
_IPV4_INFO: Final = struct.Struct("=I4s4s")  # interface, our address, the one that was sent to
_IPV6_INFO: Final = struct.Struct("=16sI")
_NONE: Final[Ancillary] = []
_INFO_ROOM: Final = socket.CMSG_SPACE(_IPV6_INFO.size)


class UdpReceiver:
    """holder: what holds for the Listener now, by its name. sources: what each address has. received, answered:
    datagrams that went on; dropped: that did not, by why; all since the last beat. is_last: it drains, and nobody reads
    the socket after it."""

    def __init__(
        self,
        listener: ListenerContext,
        accepting: socket.socket,
        holder: TablesHolder,
        counters: Counters | None,
        sources: SourceCounts,
    ) -> None:
        self.listener, self._accepting, self._holder = listener, accepting, holder
        self.loop = asyncio.get_running_loop()
        self.wheel, self.now = listener.relay.wheel, listener.relay.now
        self.buffer = bytearray(MOST_BYTES)
        self.view = memoryview(self.buffer)
        self.sessions: dict[Any, Session] = {}
        self._sources = sources
        self.received = self.answered = 0
        self.dropped: Counter[str] = Counter()
        self._untold: dict[str, tuple[int, float]] = {}
        self._counters = counters
        self._is_reading = self.is_last = False
        if counters is not None:
            name = listener.name
            self._in = counters.counter(DATAGRAMS, listener=name, direction="in")
            self._out = counters.counter(DATAGRAMS, listener=name, direction="out")
            self._open = counters.gauge(SESSIONS, listener=name)
            self._lost = {why: counters.counter(DROPPED, listener=name, reason=why) for why in REASONS}

    # The listener's socket.

    def open(self) -> None:
        self._is_reading = True
        is_anywhere = ip_address(self._accepting.getsockname()[0].partition("%")[0]).is_unspecified
        if is_anywhere:
            _tell_of_own_address(self._accepting)
        self.loop.add_reader(self._accepting.fileno(), self._read_anywhere if is_anywhere else self._read)

    def drain(self, *, is_last: bool) -> None:
        """Nobody begins anew. is_last: no other worker reads the socket, so who is here stays heard."""
        self.is_last = self.is_last or is_last
        if not is_last:
            self._stop()

    def close(self) -> None:
        self._stop()
        self._accepting.close()
        self.beat(self.now())

    def _stop(self) -> None:
        if self._is_reading:
            self._is_reading = False
            self.loop.remove_reader(self._accepting.fileno())

    def _read(self) -> None:
        receive, buffer, view, sessions = self._accepting.recvfrom_into, self.buffer, self.view, self.sessions
        now = self.now()
        for _ in range(AT_ONCE):
            try:
                size, address = receive(buffer)
            except OSError:  # none is left, or one that nobody could send back to
                return
            session = sessions.get(address) or self._begin(address, now)
            if session is not None:
                session.forward(view[:size], now)

    def _read_anywhere(self) -> None:
        """Of a socket at all of our addresses: answers come from the one that was sent to."""
        receive, buffers, view, sessions = self._accepting.recvmsg_into, [self.buffer], self.view, self.sessions
        now = self.now()
        for _ in range(AT_ONCE):
            try:
                size, ancillary, _, address = receive(buffers, _INFO_ROOM)
            except OSError:
                return
            session = sessions.get(address) or self._begin(address, now, _from_own_address(ancillary))
            if session is not None:
                session.forward(view[:size], now)

    def answer(self, data: memoryview, session: Session) -> None:
        try:
            if session.ancillary:
                self._accepting.sendmsg((data,), session.ancillary, 0, session.address)
            else:
                self._accepting.sendto(data, session.address)
        except OSError:  # no room, or the caller cannot be reached
            self.dropped["full"] += 1
        else:
            self.answered += 1

    # Sessions.

    def _begin(self, address: Any, now: float, ancillary: Ancillary = _NONE) -> Session | None:
        """None: there is none for it, and its datagram is dropped."""
        listener, peer = self.listener, address[0]
        if listener.draining:
            self.dropped["refused"] += 1
            return None
        plan = self._holder.tables.sessions.get(listener.name)
        if plan is None:
            self._turn_away("no_route", peer, plan, now)
            return None
        if len(self.sessions) >= plan.max_sessions:
            self._turn_away("sessions", peer, plan, now)
            return None
        if not self._sources.take(peer, plan.per_source):
            self._turn_away("source", peer, plan, now)
            return None
        exchange = self._exchange(peer, now)
        session = self.sessions[address] = Session(self, address, plan, exchange, ancillary)
        self._holder.carried.add(session.judge)
        lacking = listener.enter(session, peer, 0, is_limited=False)
        shedding = listener.relay.holder
        refusal = None
        if lacking or (isinstance(shedding, Shedding) and shedding.level >= DEFAULT):
            refusal = Reply(503, "overloaded", "OM", "this gateway takes no new sessions now", policy=listener.title)
        session.begin(now, refusal)
        return session

    def ended(self, session: Session, now: float) -> None:
        peer = session.address[0]
        del self.sessions[session.address]
        self._holder.carried.discard(session.judge)
        self._sources.leave(peer)
        self.listener.leave(session, peer, is_limited=False)
        self.listener.relay.finish(session.exchange, now)

    def _exchange(self, peer: str, now: float) -> Exchange:
        exchange = Exchange(_HEAD, self.listener.face, peer, now, b"udp", listener_name=self.listener.name)
        begin_trace(exchange)
        return exchange

    def _turn_away(self, why: str, peer: str, plan: SessionPlan | None, now: float) -> None:
        self.dropped[why] += 1
        count, told_at = self._untold.get(why, (0, 0.0))
        count += 1
        if now < told_at + TELL_EVERY_S:
            self._untold[why] = count, told_at
            return
        self._untold[why] = 0, now
        exchange = self._exchange(peer, now)
        if plan is not None:
            exchange.plan = plan.route
        exchange.take_reply(_turned_away(why, count, plan, self.listener.name))
        self.listener.relay.finish(exchange, now)

    def beat(self, now: float) -> None:
        """Some times a second."""
        counters = self._counters
        if counters is None:
            return
        if self.received or self.answered:
            counters.add(self._in, self.received)
            counters.add(self._out, self.answered)
            self.received = self.answered = 0
        for why, count in self.dropped.items():
            counters.add(self._lost[why], count)
        self.dropped.clear()
        counters.set(self._open, len(self.sessions))


def _tell_of_own_address(accepting: socket.socket) -> None:
    if accepting.family == socket.AF_INET6:
        accepting.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        accepting.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)


def _from_own_address(ancillary: Sequence[tuple[int, int, bytes]]) -> Ancillary:
    """What is said with an answer, by what was said with the datagram (ip(7), IP_PKTINFO; RFC 3542 §6)."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO) and len(data) >= _IPV4_INFO.size:
            _, own, _ = _IPV4_INFO.unpack_from(data)
            return [(level, kind, _IPV4_INFO.pack(0, own, bytes(4)))]
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO) and len(data) >= _IPV6_INFO.size:
            return [(level, kind, data)]
    return _NONE


def _turned_away(why: str, count: int, plan: SessionPlan | None, listener: str) -> Reply:
    """count: of datagrams that this is said of."""
    more = "" if count == 1 else f", {count} datagrams since it was last told"
    if plan is None or why == "no_route":
        return no_session_route(listener, more)
    most = plan.max_sessions if why == "sessions" else plan.per_source
    of = "there are" if why == "sessions" else "this address has"
    return Reply(503, "too_many_sessions", "UO", f"{of} {most} sessions, the most that may be{more}", policy=plan.title)


_HEAD: Final = no_request(UDP)
