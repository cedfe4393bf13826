"""One request of a connection that carries many, and its answer: the `Downstream` of its call."""

from typing import TYPE_CHECKING

from gateway.exchange import NEVER, Exchange, Reply
from gateway.relay.call import Call
from gateway.relay.tunnel import Tunnel
from gateway.wire.heads import interim_head, reply, upgrade_head
from gateway.wire.interfaces import Address, Timer
from gateway.wire.multiplexed.fields import accepted_fields, answer_fields, passed_fields
from gateway.wire.multiplexed.grpc_reply import is_grpc, trailers_only
from meshway.http1.message import ResponseHead

if TYPE_CHECKING:
    from gateway.wire.multiplexed.connection import MultiplexedConnection

HIGH_WATER = 64 * 1024  # bytes of an answer that wait for the caller, at which no more are asked for
LOW_WATER = 16 * 1024


class Stream:
    """call: None before it begins, and after its answer. is_open: more of the request may come.

    timer: the wheel's, lent to the call. A watch of its own looks at a slow body and at a caller who takes nothing.
    is_answered: the answer is whole, as far as we are concerned. is_pending: some of it waits for the caller. number:
    the codec's.
    """

    __slots__ = (
        "_body_count", "_body_rate", "_connection", "_early", "_is_excused", "_is_write_paused", "_tunnel", "_unread",
        "_unsent", "_wants_pause", "_watch", "call", "is_answered", "is_open", "is_pending", "number", "timer",
    )  # fmt: skip

    def __init__(self, connection: "MultiplexedConnection", number: int, *, is_open: bool) -> None:
        self._connection = connection
        self.number = number
        self.call: Call | None = None
        self.is_open = is_open
        self.is_answered = False
        self.is_pending = False
        self._is_write_paused = False
        self._wants_pause = False
        self._is_excused = False  # the body was held up by us in this span
        self._unread = 0  # bytes that came while the other side was slow: no more come until they are out of our hands
        self._unsent = 0
        self._body_count = 0
        self._body_rate = 0
        self._tunnel: Tunnel | None = None
        self._early: bytearray | None = None  # what came before the upgrade that was asked for
        self.timer = connection.listener.relay.wheel.lend()
        self._watch: Timer | None = None  # most streams need none

    # What comes from the caller.

    def watch_body(self, rate: int) -> None:
        """rate: least bytes a second, 0 = any."""
        self._body_rate = rate
        if rate:
            self._set_watch(self._connection.listener.limits.body_grace_s)

    def await_upgrade(self, first: bytes) -> None:
        """What comes is for the service once it has agreed, and bounded by the stream's window until then. first: what
        came with the head."""
        self._early = bytearray(first)
        self._wants_pause = True

    def on_body(self, data: bytes) -> None:
        """Of the request; of one that is answered it is dropped."""
        call = self.call
        if call is None:
            pass
        elif self._tunnel is not None:
            self._tunnel.on_bytes(data)
        elif self._early is not None:
            self._early += data
        else:
            call.on_body(data)
        self.took(len(data))

    def took(self, size: int) -> None:
        """Bytes of the request's body."""
        self._body_count += size
        if self._wants_pause and self.call is not None:
            self._unread += size
        else:
            self._connection.codec.consumed(self.number, size)

    def on_end(self, trailers: bytes) -> None:
        self.is_open = False
        call = self.call
        if call is None:
            return
        if self._tunnel is not None:
            self._tunnel.on_end()
            if call.is_over:
                self.call = None
        elif self._early is None:  # else it is told when there is a tunnel
            call.on_end(trailers)

    def on_bad_body(self, answer: Reply) -> None:
        if self.call is not None:
            self.call.on_bad_body(answer)

    def cut_off(self, flag: str, reason: str, detail: str) -> None:
        """The gateway is about to end the connection."""
        call, self.call = self.call, None
        if call is not None:
            call.on_cut_off(flag, reason, detail)

    def on_gone(self) -> None:
        """Nobody waits for the answer any more."""
        call, self.call, self._tunnel = self.call, None, None
        self.is_pending = self.is_open = self._wants_pause = False
        if call is not None:
            call.on_gone()
        wheel = self._connection.listener.relay.wheel
        wheel.take_back(self.timer)
        if self._watch is not None:
            wheel.take_back(self._watch)
        self._read_on()  # the connection's window is of all streams

    # Downstream.

    def ends(self) -> tuple[Address | None, Address | None]:
        return self._connection.ends()

    def send_head(self, exchange: Exchange, head: ResponseHead, first: bytes, ended: bool, trailers: bytes) -> None:
        connection, number = self._connection, self.number
        fields = passed_fields(exchange, head, connection.via)
        is_bare = ended and not first and not trailers
        connection.codec.answer(number, fields, ended=is_bare)
        if first:
            connection.codec.send(number, first, ended=ended and not trailers)
        if ended and trailers:
            connection.codec.trail(number, connection.trailers_of(trailers))
        self._sent(ended=ended)

    def send_body(self, data: bytes) -> None:
        self._unsent += len(data)  # that it is more than at the last look does not say that he takes nothing
        self._connection.codec.send(self.number, data, ended=False)
        self._sent(ended=False)

    def send_end(self, trailers: bytes) -> None:
        connection = self._connection
        if trailers:
            connection.codec.trail(self.number, connection.trailers_of(trailers))
        else:
            connection.codec.send(self.number, b"", ended=True)
        is_half = self._tunnel is not None and self.call is not None and not self.call.is_over
        self._sent(ended=not is_half)

    def send_interim(self, head: ResponseHead) -> None:
        self._connection.codec.inform(self.number, answer_fields(interim_head(head)))
        self._connection.flush_soon()

    def send_reply(self, exchange: Exchange, answer: Reply) -> None:
        codec = self._connection.codec
        head, body = reply(exchange, answer, b"")
        fields = answer_fields(head)
        if is_grpc(exchange):
            fields, body = trailers_only(exchange, answer, fields), b""
        exchange.bytes_out = len(body)
        codec.answer(self.number, fields, ended=not body)
        if body:
            codec.send(self.number, body, ended=True)
        self._sent(ended=True)
        if answer.close and answer.status != 421:  # a misdirected one says nothing of the connection's others
            self._connection.leave()

    def send_upgrade(self, exchange: Exchange, head: ResponseHead) -> None:
        """RFC 8441 §5: what HTTP/1.1 calls 101 is 200 here, and the stream is the connection."""
        connection, call = self._connection, self.call
        assert call is not None
        tunnel = self._tunnel = call.tunnel
        assert tunnel is not None
        fields = accepted_fields(upgrade_head(exchange, head, connection.listener.via_line))
        connection.codec.answer(self.number, fields, ended=False)
        self._sent(ended=False)
        early, self._early = self._early, None
        if early:
            tunnel.on_bytes(bytes(early))
        if not self.is_open and not call.is_over:
            tunnel.on_end()
        self.resume_body()

    def finish_upgraded(self) -> None:
        if self.call is not None:
            self._connection.codec.send(self.number, b"", ended=True)
            self._sent(ended=True)

    def say_goodbye(self) -> bool:
        if self._tunnel is None or self.call is None:
            return False
        return self._tunnel.say_goodbye(*self._connection.listener.cut_off)

    def abort(self) -> None:
        self.call = None
        self._connection.codec.reset(self.number)
        self._connection.drop(self.number)
        self._connection.flush_soon()

    def pause_body(self) -> None:
        self._wants_pause = self._is_excused = True

    def resume_body(self) -> None:
        self._wants_pause = False
        self._read_on()

    def _read_on(self) -> None:
        unread, self._unread = self._unread, 0
        if unread:
            self._connection.codec.consumed(self.number, unread)
            self._connection.flush_soon()

    def _sent(self, *, ended: bool) -> None:
        connection = self._connection
        if ended:
            self.call = None
            self.is_answered = True
            self._wants_pause = False
            self._read_on()
        if not self.is_pending:
            self.is_pending = True
            connection.pending.append(self)
        if not ended:
            if connection.is_holding:
                self.hold_back()  # of an attempt that began meanwhile
            elif connection.holds_much():
                connection.hold_back()
            elif not self._is_write_paused and connection.codec.queued(self.number) > HIGH_WATER:
                self.hold_back()
        connection.flush_soon()

    def hold_back(self) -> None:
        """The service is asked for no more of the answer."""
        self._is_write_paused = True
        self._pause_service()

    def go_on(self) -> None:
        """Where the caller took what came."""
        if self._is_write_paused and self._connection.codec.queued(self.number) <= LOW_WATER:
            self._is_write_paused = False
            self._resume_service()

    def _pause_service(self) -> None:
        if self.call is not None:
            self.call.on_write_paused()

    def _resume_service(self) -> None:
        if self.call is not None:
            self.call.on_write_resumed()

    # After something was written.

    def settle(self) -> bool:
        """Goes on with what the caller has taken. Whether something still waits for him."""
        queued = self._connection.codec.queued(self.number)
        if self._is_write_paused and queued <= LOW_WATER and not self._connection.is_holding:
            self._is_write_paused = False
            self._resume_service()
            queued = self._connection.codec.queued(self.number)
        if queued:
            if self._watch is None or self._watch.due == NEVER:
                self._unsent = queued
                self._set_watch(self._connection.listener.limits.write_stall_s)
            return True
        self.is_pending = False
        if self.is_answered:
            if self._watch is not None:
                self._watch.due = NEVER
            if self.is_open:
                self.is_open = False
                self._connection.codec.stop(self.number)
        return False

    # Time.

    def on_timer(self, now: float) -> None:
        """Of the watch."""
        limits = self._connection.listener.limits
        if self.is_pending:
            queued = self._connection.codec.queued(self.number)
            if queued >= self._unsent:
                self._connection.cut(self.number)
                return
            self._unsent = queued
            self._set_watch(limits.write_stall_s)
        elif self.is_open and self.call is not None and self._body_rate:
            if self._is_body_slow(self.call):
                plan = self.call.exchange.plan
                face = self._connection.listener.title if plan is None or plan.body_rate < self._body_rate else ""
                detail = f"the request's body came below {self._body_rate} bytes a second"
                self.call.on_bad_body(Reply(408, "request_timeout", "DPE", detail, policy=face))
                return
            self._body_count = 0
            self._is_excused = self._wants_pause
            self._set_watch(limits.body_grace_s)

    def _is_body_slow(self, call: Call) -> bool:
        """Whether the caller sent too little in the last span, and could have sent more."""
        if self._is_excused or (call.exchange.head.expect_continue and not call.exchange.bytes_in):
            return False
        return self._body_count < self._body_rate * self._connection.listener.limits.body_grace_s

    def _set_watch(self, wait_s: float) -> None:
        listener = self._connection.listener
        wheel = listener.relay.wheel
        if self._watch is None:
            self._watch = wheel.lend()
        wheel.set(self._watch, self, listener.now() + wait_s)
