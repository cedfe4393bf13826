"""A caller's connection that carries many calls at once: what HTTP/2 and HTTP/3 do alike, between codec and calls.

Each request is a `Stream`. Its fields become the HTTP/1.1 head that asks for the same, which the scanner of all heads
reads, so that no check has two opinions. What is answered within one turn of the loop goes out together.
"""

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, TypeAlias

from gateway.exchange import NEVER, Exchange, Reply
from gateway.relay.call import Call
from gateway.relay.explained import ExplainedDownstream
from gateway.relay.forwarding import Forwarding, is_looping
from gateway.relay.trace import begin_trace
from gateway.wire.connection_limits import StreamLimits
from gateway.wire.entrance import Entrance
from gateway.wire.interfaces import Address, Downstream, Timer
from gateway.wire.listener_context import VOID, ListenerContext
from gateway.wire.multiplexed.connect_stream import ConnectStream
from gateway.wire.multiplexed.fields import trailer_block, trailer_fields
from gateway.wire.multiplexed.grpc_reply import is_grpc
from gateway.wire.multiplexed.messages import RESETS, Body, Ended, Event, Fields, Leaving, Request, Trailers
from gateway.wire.multiplexed.request_reader import FieldsReader
from gateway.wire.multiplexed.stream import Stream
from meshway.http1.head import HeadError
from meshway.http1.message import RequestHead, bare_head

if TYPE_CHECKING:
    from gateway.wire.http2.server_codec import ServerCodec

    # As AnyDownstream and the others.
    AnyCodec: TypeAlias = "ServerCodec | Answering"

LEAVING_S: Final = 1.0  # between the word that we leave and the last request that is taken


class Answering(Protocol):
    """The codec of who is called. What is done to a stream that is over does nothing."""

    def answer(self, stream: int, fields: Fields, *, ended: bool) -> None: ...

    def inform(self, stream: int, fields: Fields) -> None:
        """An answer of 1xx."""

    def send(self, stream: int, data: bytes, *, ended: bool) -> None:
        """What the other side does not take yet waits in here: see `queued`."""

    def trail(self, stream: int, fields: Fields) -> None:
        """The message is whole with these."""

    def reset(self, stream: int) -> None:
        """Nobody goes on with it."""

    def disconnect(self, stream: int) -> None:
        """What it was connected to was cut."""

    def stop(self, stream: int) -> None:
        """The answer is whole: the rest of the request is not wanted."""

    def consumed(self, stream: int, size: int) -> None:
        """So much of a body is out of our hands: as much more may come."""

    def queued(self, stream: int) -> int:
        """Bytes of a body that wait in here."""

    def announce_leave(self) -> None:
        """The other side is asked to begin nothing new; what is on its way is still served."""

    def leave(self) -> None:
        """Nothing new is served."""

    def refuse(self) -> None:
        """The other side does too much for nothing."""


class MultiplexedConnection:
    """listener: whose it is. codec: the protocol. pending: streams with something to write. is_holding: the caller
    takes nothing of any answer, so no service is asked for more. VERSION: as a head's `minor`, beside 0 and 1 of
    HTTP/1.

    forwarding, entrance: of the connection, as it was welcomed.
    """

    __slots__ = (
        "_entrance", "_fault_at", "_faults", "_forwarding", "_is_flushing_soon",
        "_is_leaving", "_is_over", "_is_write_paused", "_leaves_at", "_loop", "_peer", "_reader", "_requests",
        "_streams", "_trailers", "_trailing", "_watch", "codec", "is_holding", "listener", "pending", "streams_until",
        "via",
    )  # fmt: skip

    VERSION: ClassVar[int]

    def __init__(
        self,
        listener: ListenerContext,
        codec: "AnyCodec",
        peer: str,
        forwarding: Forwarding,
        entrance: Entrance | None,
        limits: StreamLimits,
    ) -> None:
        self.listener = listener
        self.codec = codec
        self.via = listener.via_line.partition(b":")[2].strip()
        self.pending: list[Stream] = []
        self.streams_until = listener.now() + limits.max_age_s
        self._requests = limits.requests  # that are still taken
        self._loop = asyncio.get_running_loop()
        self._peer = peer
        self._forwarding, self._entrance = forwarding, entrance
        self._reader = FieldsReader(self.VERSION, listener.limits.head, listener.lines)
        self._streams: dict[int, Stream] = {}
        self._faults, self._fault_at = float(RESETS[0]), listener.now()
        self._is_flushing_soon = self._is_leaving = self._is_over = self._is_write_paused = False
        self.is_holding = False
        self._leaves_at = NEVER  # once it is leaving: when it takes nothing more
        self._watch = Timer(self)
        self._trailing = b""  # the block that an answer ended with last
        self._trailers: Fields = ()  # of it

    @abstractmethod
    def ends(self) -> tuple[Address | None, Address | None]:
        """The caller's end and ours."""

    @abstractmethod
    def close(self) -> None:
        """When idle."""

    @abstractmethod
    def kill(self) -> None: ...

    @abstractmethod
    def on_timer(self, now: float) -> None:
        """Of the connection's own waits; each answer that waits has one of its own."""

    @abstractmethod
    def _flush(self) -> None:
        """Writes what there is."""

    @abstractmethod
    def _end_by_fault(self) -> None:
        """The last word goes out, if there is room for it."""

    # The connection.

    @property
    def is_busy(self) -> bool:
        return bool(self._streams) or self._is_write_paused

    def start_drain(self) -> None:
        self.announce_leave()

    def say_goodbye(self) -> bool:
        return sum(stream.say_goodbye() for stream in tuple(self._streams.values())) > 0

    def end_void(self) -> None:
        """Others are believed from now on."""
        if self._streams and self._entrance is not None and self._entrance.is_void:
            self._cut_off(*VOID)
            self.kill()

    def calls(self) -> Sequence[Call]:
        return [stream.call for stream in self._streams.values() if stream.call is not None]

    def _cut_off(self, flag: str, reason: str, detail: str) -> None:
        """What runs on it, before it is cut by us."""
        for stream in tuple(self._streams.values()):
            stream.cut_off(flag, reason, detail)

    def announce_leave(self) -> None:
        """What is on its way is still served, for a moment."""
        if not self._is_leaving and not self._is_over:
            self.codec.announce_leave()
            self.flush_soon()
            self._begin_to_leave()

    def _begin_to_leave(self) -> None:
        """Once: however often it is said, the moment is over then."""
        if not self._is_leaving:
            self._is_leaving = True
            self._leaves_at = self.listener.now() + LEAVING_S
            if not self._is_write_paused:  # else the watch is for that, and set anew behind it
                self.listener.relay.wheel.set(self._watch, self, self._leaves_at)

    def leave(self) -> None:
        """Nothing new is served; the connection ends with the last answer."""
        self._is_leaving = True
        self._leaves_at = NEVER
        if not self._is_write_paused:
            self._watch.due = NEVER
        self.codec.leave()
        self.flush_soon()

    def cut(self, number: int) -> None:
        """The caller takes nothing of an answer."""
        self.listener.cut += 1
        self.codec.reset(number)
        self.drop(number)
        self.flush_soon()

    def _give_up_streams(self) -> None:
        streams, self._streams = self._streams, {}
        self.pending = []
        for stream in streams.values():
            stream.on_gone()

    def _is_gone(self) -> None:
        """Nothing comes any more, and nobody takes anything."""
        self.listener.leave(self, self._peer, is_limited=not self._forwarding.is_trusted)
        self._is_over = True
        self._give_up_streams()
        self._watch.due = NEVER
        self._watch.owner = None

    # What the caller sends.

    def _take(self, event: Event) -> None:
        if self._is_over:
            return
        if isinstance(event, Request):
            self._on_request(event.stream, event.fields, event.first, ended=event.ended)
        elif isinstance(event, Body):
            stream = self._streams.get(event.stream)
            if stream is None:
                self.codec.consumed(event.stream, len(event.data))
                return
            stream.on_body(event.data)
            if event.ended:
                stream.on_end(b"")
        elif isinstance(event, Trailers):
            self._on_trailers(event)
        elif isinstance(event, Ended):
            self._on_ended(event)
        elif isinstance(event, Leaving):
            self._begin_to_leave()  # what he still asks of the connection itself is answered for a moment

    def _on_request(self, number: int, fields: Fields, first: bytes, *, ended: bool) -> None:
        """first: of the body, what came at once. ended: the message is whole with it."""
        stream = self._streams[number] = Stream(self, number, is_open=not ended)
        now = self.listener.now()
        self._requests -= 1
        if self._requests <= 0 or now >= self.streams_until:
            self.announce_leave()
        try:
            head = self._reader.read(fields, is_bare=ended and not first)
        except HeadError as error:
            self._refuse(stream, Reply(error.status, error.code, "DPE", error.detail))
        else:
            self._begin(stream, head, first, now, ended=ended)
        if first:
            stream.took(len(first))

    def _begin(self, stream: Stream, head: RequestHead, first: bytes, now: float, *, ended: bool) -> None:
        listener = self.listener
        peer, forwarded = self._forwarding.fields(head)
        exchange = Exchange(head, listener.face, peer, now, listener.scheme, forwarded, listener.name)
        refusal = self._entrance.refusal(exchange) if self._entrance is not None else None
        asks = listener.explain is not None and b"meshway-explain" in head.named
        call = stream.call = Call(listener.relay, exchange, self._explained(exchange, stream) if asks else stream)
        if refusal is not None:
            call.refuse(refusal)
        elif b"via" in head.named and is_looping(head, listener.via_id):
            call.refuse(Reply(508, "loop_detected", "", "the request came through this gateway too often"))
        elif head.method == b"CONNECT":
            self._connect(stream, call, first)
        elif head.upgrade:
            stream.await_upgrade(first)
            call.start(b"", True, b"")
        else:
            call.start(first, ended, b"")
            if not ended and stream.call is call:
                rate = 0 if _is_conversation(exchange) else listener.limits.body_rate
                plan = exchange.plan
                stream.watch_body(rate if plan is None else max(rate, plan.body_rate))

    def _connect(self, stream: Stream, call: Call, first: bytes) -> None:
        listener = self.listener
        if listener.connecting is None:
            call.refuse(Reply(405, "method_not_allowed", "NR", "CONNECT is not offered here", fields=b"Allow: GET\r\n"))
            return
        stream.call = None
        made = listener.connecting(listener, call.exchange, self._entrance, self.ends())
        connected = self._streams[stream.number] = ConnectStream(self, stream.number, made, is_open=stream.is_open)
        made.take_stream(connected, self._peer, first)
        if not stream.is_open:
            connected.on_end(b"")

    def _explained(self, exchange: Exchange, stream: Stream) -> Downstream:
        explain = self.listener.explain
        tell = explain(exchange) if explain is not None else None
        return stream if tell is None else ExplainedDownstream(stream, tell)

    def _refuse(self, stream: Stream, answer: Reply) -> None:
        """What cannot be read as a request is answered and logged."""
        listener, read = self.listener, bare_head()
        read.minor = self.VERSION
        peer, forwarded = self._forwarding.fields(read)
        exchange = Exchange(read, listener.face, peer, listener.now(), listener.scheme, forwarded, listener.name)
        begin_trace(exchange)
        exchange.take_reply(answer)
        stream.send_reply(exchange, answer)
        listener.relay.finish(exchange, listener.now())

    def _on_trailers(self, event: Trailers) -> None:
        stream = self._streams.get(event.stream)
        if stream is None:
            return
        try:
            trailers = trailer_block(event.fields)
        except HeadError as error:
            stream.on_bad_body(Reply(error.status, error.code, "DPE", error.detail, policy=self.listener.title))
            return
        stream.on_end(trailers)

    def _on_ended(self, event: Ended) -> None:
        stream = self._streams.get(event.stream)
        if event.error and stream is not None and not stream.is_answered and not self._may_fault():
            self.codec.refuse()
            self._end_by_fault()
            return
        self.drop(event.stream)

    def _may_fault(self) -> bool:
        """Who begins requests only to take them back is ended after a few hundred (CVE-2023-44487), and so is whoever
        sends what is for nothing."""
        now, (most, per_s) = self.listener.now(), RESETS
        self._faults = min(float(most), self._faults + (now - self._fault_at) * per_s) - 1.0
        self._fault_at = now
        return self._faults >= 0.0

    def drop(self, number: int) -> None:
        """The stream is over."""
        stream = self._streams.pop(number, None)
        if stream is None:
            return
        stream.on_gone()
        if not self._streams and not self._is_over:
            if self._is_leaving:
                self.flush_soon()
            listener = self.listener
            if not self._is_write_paused and not self._is_leaving:
                listener.relay.wheel.set(self._watch, self, listener.now() + listener.limits.idle_s)

    # What goes to the caller.

    def trailers_of(self, block: bytes) -> Fields:
        """Most calls of gRPC end alike."""
        if block != self._trailing:
            self._trailing, self._trailers = block, trailer_fields(block)
        return self._trailers

    def flush_soon(self) -> None:
        """At the end of the loop's turn: what others answer in it goes along."""
        if not self._is_flushing_soon:
            self._is_flushing_soon = True
            self._loop.call_soon(self._flush)

    def holds_much(self) -> bool:
        """More waits for the caller than one connection should hold, whatever each of its streams has."""
        return False

    def hold_back(self) -> None:
        self.is_holding = True
        for stream in tuple(self._streams.values()):
            stream.hold_back()

    def _let_go(self) -> None:
        self.is_holding = False
        for stream in tuple(self._streams.values()):
            stream.go_on()

    def _settle(self) -> bool:
        """Looks at answers of which everything was written that the caller takes. Whether there is more to write."""
        pending, self.pending = self.pending, []
        waiting = [stream for stream in pending if stream.is_pending and stream.settle()]
        has_more = len(waiting) < len(pending) or bool(self.pending)
        self.pending += waiting
        return has_more


def _is_conversation(exchange: Exchange) -> bool:
    """gRPC to a service that is called by streams: whoever listens may be silent, within his route's idle time. To
    another service each call takes a connection, so only the content type would have to be claimed to hold many."""
    cluster = exchange.cluster
    return cluster is not None and cluster.opening.sharing is not None and is_grpc(exchange)
