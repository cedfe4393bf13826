"""The caller's side of HTTP/1.1: a connection of a listener, from bytes to calls and back (RFC 9112).

Requests of one connection are carried one after the other; what a caller sends ahead waits, bounded, in the buffer or
in his own socket. Everything happens inside the loop's callbacks, and an answer's head leaves with its first bytes.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, cast

from gateway.exchange import Exchange, Reply
from gateway.relay.call import Call
from gateway.relay.explained import ExplainedDownstream
from gateway.relay.forwarding import Forwarding, is_looping
from gateway.relay.trace import begin_trace
from gateway.wire.entrance import Entrance, entrance
from gateway.wire.half_close import close_half
from gateway.wire.http1.answering import AnsweringSide
from gateway.wire.interfaces import Address, Downstream, Timer
from gateway.wire.listener_context import PREFACE, VOID, Connecting, ListenerContext
from gateway.wire.places import ADDRESS, no_place
from gateway.wire.proxy_protocol import Told
from meshway.certificates import CertificateFault
from meshway.http1.framing import ChunkedReader, LengthReader
from meshway.http1.head import HeadError, RequestReader
from meshway.http1.message import CHUNKED, NO_BODY, RequestHead, bare_head

HTTP2: Final = "h2"
_log = logging.getLogger("meshway.gateway.tls")


class ServerProtocol(AnsweringSide):
    """One connection; the `Downstream` of its calls. timer: lent to the running call."""

    __slots__ = (
        "_body_count", "_body_rate", "_entrance", "_forwarding", "_is_head_begun", "_is_lingering", "_is_paused",
        "_is_rate_excused", "_is_reading_heads", "_is_write_paused", "_peer", "_reader", "_to_discard", "_told",
        "_unsent", "_wants_pause", "_watch",
    )  # fmt: skip

    def __init__(self, listener: ListenerContext, told: Told | None = None) -> None:
        """told: for whom a proxy has opened it, None: nobody said anything."""
        super().__init__(listener)
        self._told = told
        self._reader = RequestReader(listener.limits.head, lines=listener.lines)
        self._body_count = 0  # bytes since the body rate was looked at
        self._body_rate = 0  # least bytes per second of the running request's body
        self._to_discard = 0  # most bytes of an answered request's body still to be dropped
        self._is_head_begun = False
        self._is_lingering = False  # answered for the last time; what comes is dropped
        self._is_paused = False
        self._wants_pause = False  # the upstream is slow
        self._is_rate_excused = False  # reading was paused in this span
        self._is_reading_heads = False
        self._is_write_paused = False
        self._unsent = 0
        self._peer = ""
        self._entrance: Entrance | None = None
        self._watch = listener.relay.wheel.lend()  # idle, head, body rate, write stall, lingering
        self._watch.owner = self

    # The connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        listener, limits = self._listener, self._listener.limits
        self._transport = transport = cast(asyncio.Transport, transport)  # uvloop's is one, but no subclass
        peer, local = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        told = self._told
        if told is not None and told.source is not None and told.destination is not None:
            peer, local = told.source, told.destination
        self._peer = peer[0] if peer else ""
        port = local[1] if local else 0
        self._forwarding = Forwarding(self._peer, listener.scheme, port, listener.via_id, listener.trusted_proxies)
        if told is not None and told.source is not None:
            self._forwarding.ends = told.source, told.destination
        transport.set_write_buffer_limits(high=1, low=0)  # what the system holds is enough to go on with
        tls = transport.get_extra_info("ssl_object")
        try:
            self._entrance = entrance(listener, tls)
        except CertificateFault as fault:
            _log.info("%s: %s: %s", listener.name, self._peer, fault)
            self.kill()
        sock = transport.get_extra_info("socket") if listener.places.wants_descriptor() else None
        descriptor = sock.fileno() if sock is not None else -1
        lacking = listener.enter(self, self._peer, descriptor, is_limited=not self._forwarding.is_trusted)
        if lacking == ADDRESS:
            self.reset()
        elif lacking:
            self._refuse(no_place(lacking, listener.title))
        elif tls is not None and tls.selected_alpn_protocol() == HTTP2:
            self._speak_http2(b"")
        else:
            listener.relay.wheel.set(self._watch, self, listener.now() + limits.idle_s)

    def _speak_http2(self, data: bytes) -> None:
        """Another protocol has the connection from now on. data: what it has to read."""
        listener, transport = self._listener, self._transport
        make, limits = listener.multiplexing, listener.streams
        if make is None or limits is None:  # it is off since the handshake began
            self.kill()
            return
        self._give_back_timers()
        self._buffer = b""
        made = make(listener, transport, self._peer, self._forwarding, self._entrance, limits)
        listener.hand_over(self, made)
        transport.set_protocol(cast(asyncio.BaseProtocol, made))
        made.begin(data)

    def ends(self) -> tuple[Address | None, Address | None]:
        if self._forwarding.ends is not None:
            return self._forwarding.ends
        peer, local = (self._transport.get_extra_info(name) for name in ("peername", "sockname"))
        return (peer[:2] if isinstance(peer, tuple) else None, local[:2] if isinstance(local, tuple) else None)

    def connection_lost(self, exc: Exception | None) -> None:
        listener = self._listener
        listener.leave(self, self._peer, is_limited=not self._forwarding.is_trusted)
        call, self._call = self._call, None
        if call is not None:
            call.on_gone()
        self._give_back_timers()
        self._buffer = b""
        self._body = self._tunnel = None

    def _give_back_timers(self) -> None:
        """Whoever lost a connection and sets one all the same has these of its own: the others are somebody else's."""
        wheel = self._listener.relay.wheel
        wheel.take_back(self._watch)
        wheel.take_back(self.timer)
        self._watch, self.timer = Timer(), Timer()

    def eof_received(self) -> bool:
        call = self._call
        if self._tunnel is not None and call is not None:
            self._tunnel.on_end()
            if not call.is_over:
                return True
            self._call = None
            return False
        # A caller that closes his half has left, as far as HTTP can tell: what he asked for is given up.
        if call is not None:
            self._call = None
            call.on_gone()
        return False

    def _has_call(self) -> bool:
        """Asks anew, in a block that was entered while there was none: a compiler takes that for settled."""
        return self._call is not None

    @property
    def is_busy(self) -> bool:
        """A call is running, or its last bytes are still to be sent."""
        return self._call is not None or self._is_write_paused

    def start_drain(self) -> None:
        """The next answer says so (`_connection_field`)."""

    def close(self) -> None:
        """When idle. Ends when what is unsent was taken, or none of it for as long as a write may stall."""
        transport = self._transport
        transport.close()
        if transport.get_write_buffer_size():
            self.pause_writing()

    def kill(self) -> None:
        self._cut_off(*self._listener.cut_off)

    def _cut_off(self, flag: str, reason: str, detail: str) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.on_cut_off(flag, reason, detail)
        self._transport.abort()

    def say_goodbye(self) -> bool:
        return self._tunnel is not None and self._call is not None and self._tunnel.say_goodbye(*self._listener.cut_off)

    def end_void(self) -> None:
        """Others are believed from now on: a call or tunnel of somebody who is not ends in the middle. Who has none is
        told with his next."""
        if self._call is not None and self._entrance is not None and self._entrance.is_void:
            self._cut_off(*VOID)

    def calls(self) -> Sequence[Call]:
        return () if self._call is None else (self._call,)

    # What the caller sends.

    def data_received(self, data: bytes) -> None:
        if self._call is None and not self._buffer and not self._is_write_paused and self._body is None:
            if not self._is_lingering and self._read_heads(data):
                self._take_up()
        elif self._is_lingering:
            pass
        elif self._body is not None:
            self._read_body(data)
        elif self._tunnel is not None:
            self._tunnel.on_bytes(data)
        else:
            self._keep(data)
            if self._call is None and not self._is_write_paused:
                self._take_up()

    def _keep(self, data: bytes) -> None:
        buffer = self._buffer
        if isinstance(buffer, bytearray):
            buffer += data
        else:
            self._buffer = bytearray(buffer + data) if buffer else data
        if len(self._buffer) > self._listener.limits.high_water:
            self._update_reading()

    def _take_up(self) -> None:
        """Goes on with what was received meanwhile."""
        goes_on = not self._is_reading_heads
        while goes_on and self._buffer:
            data, self._buffer = self._buffer, b""
            goes_on = self._read_heads(data)
        if self._is_paused:
            self._update_reading()

    def _read_heads(self, data: bytes | bytearray) -> bool:
        """Begins calls as long as they are answered at once; leaves in the buffer what must wait. Whether what it
        leaves may be read now: by who called, since as many requests as fit into a read would else be as many frames
        of the stack."""
        self._is_reading_heads = True
        start, size = 0, len(data)
        while start < size and self._call is None and not self._is_lingering:
            try:
                head = self._reader.read(data, start)
            except HeadError as error:
                if self._begins_http2(data):
                    self._speak_http2(bytes(data))
                    return False
                self._refuse(Reply(error.status, error.code, "DPE", error.detail))
                break
            if head is None:
                self._buffer = bytearray(data[start:])
                if not self._is_head_begun:  # from its first byte: more bytes give no more time
                    self._is_head_begun = True
                    limits = self._listener.limits
                    self._listener.relay.wheel.set(self._watch, self, self._listener.now() + limits.head_s)
                self._is_reading_heads = False
                return False
            self._is_head_begun = False
            start += head.head_size
            if head.body != NO_BODY:
                self._begin_with_body(head, bytes(data[start:]) if start < size else b"")
                self._is_reading_heads = False
                return not self._has_call() and not self._is_write_paused
            self._begin(head, b"", True)
            if self._is_write_paused:
                break
        self._is_reading_heads = False
        if start < size and not self._is_lingering:
            self._buffer = bytes(data[start:]) if start else data
            return start > 0 and self._call is None and not self._is_write_paused
        return False

    def _begins_http2(self, data: bytes | bytearray) -> bool:
        """By prior knowledge (RFC 9113 §3.3): with the first bytes, and not by TLS, where the handshake says it."""
        listener = self._listener
        may = listener.streams is not None and listener.tls is None and self._reader.is_fresh
        return may and data.startswith(PREFACE)

    def _begin_with_body(self, head: RequestHead, rest: bytes) -> None:
        body = self._body = ChunkedReader() if head.body == CHUNKED else LengthReader(head.body)
        try:
            first = body.feed(rest) if rest else b""
        except HeadError as error:
            self._body = None
            self._refuse(Reply(error.status, error.code, "DPE", error.detail), head)
            return
        if body.ended:
            self._body = None
            self._buffer = body.rest
            self._begin(head, first, True, body.trailers)
            return
        self._begin(head, first, False)
        call = self._call
        if call is not None:
            plan, limits = call.exchange.plan, self._listener.limits
            self._body_rate = limits.body_rate if plan is None else max(limits.body_rate, plan.body_rate)
            if self._body_rate:
                self._body_count = 0
                self._listener.relay.wheel.set(self._watch, self, self._listener.now() + limits.body_grace_s)

    def _begin(self, head: RequestHead, first: bytes, ended: bool, trailers: bytes = b"") -> None:
        listener = self._listener
        peer, forwarded = self._forwarding.fields(head)
        exchange = Exchange(head, listener.face, peer, listener.now(), listener.scheme, forwarded, listener.name)
        refusal = self._entrance.refusal(exchange) if self._entrance is not None else None
        asks = listener.explain is not None and b"meshway-explain" in head.named
        call = self._call = Call(listener.relay, exchange, self._explained(exchange) if asks else self)
        if refusal is not None:
            call.refuse(refusal)
        elif b"via" in head.named and is_looping(head, listener.via_id):
            call.refuse(Reply(508, "loop_detected", "", "the request came through this gateway too often"))
        elif head.method == b"CONNECT":
            self._connect(call)
        else:
            call.start(first, ended, trailers)

    def _connect(self, call: Call) -> None:
        listener = self._listener
        if listener.connecting is None:
            call.refuse(Reply(405, "method_not_allowed", "NR", "CONNECT is not offered here", fields=b"Allow: GET\r\n"))
            return
        made = listener.connecting(listener, call.exchange, self._entrance, self.ends())
        asyncio.get_running_loop().call_soon(self._hand_over, made, call)  # when what came with the head is kept

    def _hand_over(self, made: Connecting, call: Call) -> None:
        if self._call is call:
            self._give_back_timers()
            self._call, early, self._buffer = None, bytes(self._buffer), b""
            made.take_over(self, self._transport, self._peer, early, is_limited=not self._forwarding.is_trusted)

    def _explained(self, exchange: Exchange) -> Downstream:
        """A downstream that explains the call's answer before this connection gets it; itself for who may not ask."""
        explain = self._listener.explain
        tell = explain(exchange) if explain is not None else None
        return self if tell is None else ExplainedDownstream(self, tell)

    def _read_body(self, data: bytes) -> None:
        body = self._body
        assert body is not None
        call = self._call
        try:
            data_of_body = body.feed(data)
        except HeadError as error:
            self._body = None
            if call is None:
                self._linger()
            else:
                self._closes = True
                face = self._listener.title
                call.on_bad_body(Reply(error.status, error.code, "DPE", error.detail, policy=face))
            return
        self._body_count += len(data)
        if body.ended:
            self._body = None
            self._keep(body.rest)
        if call is None:
            self._discard(len(data))
            return
        if data_of_body:
            call.on_body(data_of_body)
        if body.ended and self._call is call:
            call.on_end(body.trailers)

    def _discard(self, size: int) -> None:
        """An answered request's body is read to its end if it is short, to keep the connection."""
        self._to_discard -= size
        if self._body is None:
            self._take_up()
        elif self._to_discard < 0:
            self._linger()

    def _refuse(self, answer: Reply, head: RequestHead | None = None) -> None:
        """What cannot be read as a request, or must not become a call, is answered, logged, and ends the connection."""
        listener, read = self._listener, head if head is not None else bare_head()
        peer, forwarded = self._forwarding.fields(read)
        exchange = Exchange(read, listener.face, peer, listener.now(), listener.scheme, forwarded, listener.name)
        begin_trace(exchange)
        exchange.take_reply(answer)
        self._closes = True
        self.send_reply(exchange, answer)
        listener.relay.finish(exchange, listener.now())

    # The end of an answer.

    def _answered(self, now: float) -> None:
        """The answer is whole: the next request, if there is to be one."""
        self._call = None
        self._wants_pause = False
        limits = self._listener.limits
        if self._closes:
            if self._body is None and not self._buffer and not self._is_reading_heads:
                self.close()
            else:
                self._linger()
            return
        if self._body is not None:
            self._to_discard = limits.discard
            self._update_reading()
        if not self._is_write_paused:
            watch, due = self._watch, now + limits.idle_s
            watch.due = due
            if due < watch.filed:
                self._listener.relay.wheel.file(watch, due)
            if self._buffer and self._body is None:
                self._take_up()
        if self._is_paused:
            self._update_reading()

    def _linger(self) -> None:
        """Closes our half and reads on for a while: a reset would take the answer out of the caller's hands."""
        self._is_lingering = True
        self._buffer = b""
        self._body = None
        self._wants_pause = False
        if self._transport.is_closing():
            return
        self._update_reading()
        if self._transport.can_write_eof():
            close_half(self._transport)
        self._listener.relay.wheel.set(self._watch, self, self._listener.now() + self._listener.limits.linger_s)

    # Backpressure.

    def pause_writing(self) -> None:
        self._is_write_paused = True
        self._unsent = self._transport.get_write_buffer_size()
        self._listener.relay.wheel.set(self._watch, self, self._listener.now() + self._listener.limits.write_stall_s)
        if self._call is not None:
            self._call.on_write_paused()

    def resume_writing(self) -> None:
        self._is_write_paused = False
        self._listener.relay.wheel.set(self._watch, self, self._listener.now() + self._listener.limits.idle_s)
        if self._call is not None:
            self._call.on_write_resumed()
        elif not self._is_lingering:
            self._take_up()

    def pause_body(self) -> None:
        self._wants_pause = True
        self._update_reading()

    def resume_body(self) -> None:
        self._wants_pause = False
        self._update_reading()

    def _update_reading(self) -> None:
        wanted = self._wants_pause or (self.is_busy and len(self._buffer) > self._listener.limits.high_water)
        if wanted != self._is_paused and not self._transport.is_closing():
            self._is_paused = wanted
            if wanted:
                self._is_rate_excused = True
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    # Time.

    def on_timer(self, now: float) -> None:
        """Of the connection's own waits."""
        limits = self._listener.limits
        wait_s = limits.idle_s
        if self._is_lingering:
            self._transport.abort()
            return
        if self._is_write_paused:
            unsent = self._transport.get_write_buffer_size()
            if unsent >= self._unsent:
                self._listener.cut += 1
                self.reset()
                return
            self._unsent = unsent
            wait_s = limits.write_stall_s
        elif self._call is not None:
            if self._body is not None and self._body_rate:
                if self._is_body_slow():
                    self._closes = True
                    plan = self._call.exchange.plan
                    face = self._listener.title if plan is None or plan.body_rate < self._body_rate else ""
                    detail = f"the request's body came below {self._body_rate} bytes a second"
                    self._call.on_bad_body(Reply(408, "request_timeout", "DPE", detail, policy=face))
                    return
                self._body_count = 0
                self._is_rate_excused = False
                wait_s = limits.body_grace_s
        elif self._buffer:
            self._refuse(Reply(408, "request_timeout", "DPE", "the request's head was not whole in time"))
            return
        elif self._transport.get_write_buffer_size():  # answers that he did not take all the while
            self._listener.cut += 1
            self.reset()
            return
        else:
            self._transport.close()
            return
        self._listener.relay.wheel.set(self._watch, self, now + wait_s)

    def _is_body_slow(self) -> bool:
        """Whether the caller sent too little in the last span, and could have sent more."""
        call, limits = self._call, self._listener.limits
        if self._is_paused or self._is_rate_excused or call is None:
            return False
        if call.exchange.head.expect_continue and not call.exchange.bytes_in:
            return False  # he waits for our 100
        return self._body_count < self._body_rate * limits.body_grace_s
