"""HTTP/3 as events of QUIC in and events of messages out, and answers in and bytes out (RFC 9114); pure.

The half that is called. Fields are compressed without the dynamic table of QPACK, both ways: no request waits for
another one's bytes, nothing is kept for a connection, and a section is at most as much longer than its bytes as the
static table makes it.
"""

from collections.abc import Iterator
from typing import Final

import pylsqpack
from aioquic.quic.events import QuicEvent, StopSendingReceived, StreamDataReceived, StreamReset

from gateway.wire.http3 import frames
from gateway.wire.http3.frames import DATA, HEADERS, FrameReader, H3Fault, frame, read_varint, varint
from gateway.wire.http3.quic import ServedQuic
from gateway.wire.http3.sections import Malformed, check_fields, check_request, is_connect, size_of
from gateway.wire.multiplexed.messages import (
    MAX_FIELD_SECTION,
    NO_ERROR,
    Body,
    Ended,
    Event,
    Fields,
    Leaving,
    Request,
    Trailers,
)

_CONTROL, _PUSH, _ENCODER, _DECODER = range(4)  # kinds of streams of one direction (§6.2, RFC 9204 §4.2)
_ONCE: Final = frozenset({_CONTROL, _ENCODER, _DECODER})
_QPACK_CAPACITY: Final = 0x01
_MAX_FIELD_SECTION_SIZE: Final = 0x06
_QPACK_BLOCKED: Final = 0x07
_ENABLE_CONNECT_PROTOCOL: Final = 0x08  # RFC 9220 §5
_OF_HTTP2: Final = frozenset({0x00, 0x02, 0x03, 0x04, 0x05})  # settings that nobody may send (§7.2.4.1)
_SETTINGS: Final = {
    _QPACK_CAPACITY: 0,
    _QPACK_BLOCKED: 0,
    _MAX_FIELD_SECTION_SIZE: MAX_FIELD_SECTION,
    _ENABLE_CONNECT_PROTOCOL: 1,
}
_ON_REQUESTS: Final = {DATA: 1 << 62, HEADERS: MAX_FIELD_SECTION}
_NEVER_ON_REQUESTS: Final = frozenset(
    {frames.CANCEL_PUSH, frames.SETTINGS, frames.PUSH_PROMISE, frames.GOAWAY, frames.MAX_PUSH_ID}
)
_NUMBER: Final = 8  # bytes, at most
_ON_CONTROL: Final = {
    frames.SETTINGS: 4096,
    frames.GOAWAY: _NUMBER,
    frames.CANCEL_PUSH: _NUMBER,
    frames.MAX_PUSH_ID: _NUMBER,
}
_NEVER_ON_CONTROL: Final = frozenset({DATA, HEADERS, frames.PUSH_PROMISE})
_BEYOND_ALL: Final = (1 << 62) - 4  # the last number of a request that there could be


class _Incoming:
    """A request. length: that its body is said to have, -1 = none is said. trailers: that wait for its end. is_whole:
    nothing more of it is wanted. connects: its body has no end that trailers could follow."""

    __slots__ = ("connects", "count", "has_head", "is_whole", "length", "reader", "trailers")

    def __init__(self) -> None:
        self.reader = FrameReader(_ON_REQUESTS, _NEVER_ON_REQUESTS)
        self.has_head = self.is_whole = self.connects = False
        self.length = -1
        self.count = 0
        self.trailers: Fields | None = None


class H3Codec:
    """Of one connection, once its handshake is done. After an H3Fault nothing of it is used any more.

    wasted: frames and streams that were for nothing; whoever counts them takes them away.
    """

    __slots__ = (
        "_control", "_critical", "_decoder", "_encoder", "_finishing", "_incoming", "_is_told", "_kinds", "_next",
        "_over", "_own", "_quic", "_unbegun", "_until", "wasted",
    )  # fmt: skip

    def __init__(self, quic: ServedQuic) -> None:
        self._quic = quic
        self._decoder = pylsqpack.Decoder(0, 0)
        self._encoder = pylsqpack.Encoder()
        self._incoming: dict[int, _Incoming] = {}
        self._unbegun: dict[int, None] = {}  # requests of whose head only some has come, the oldest first
        self._over: set[int] = set()  # nobody wants them, and their caller may still send
        self._finishing: set[int] = set()  # answers that are whole, and perhaps not sent
        self._kinds: dict[int, bytes | int] = {}  # of streams of one direction; bytes: the beginning of the number
        self._critical: set[int] = set()
        self._control: FrameReader | None = None
        self._is_told = False  # his settings
        self._next = 0  # the first number of a request that was not seen, nor one above it
        self._until = _BEYOND_ALL  # requests from here on are not taken
        self.wasted = 0
        self._own = quic.get_next_available_stream_id(is_unidirectional=True)
        settings = b"".join(varint(name) + varint(value) for name, value in _SETTINGS.items())
        quic.send_stream_data(self._own, varint(_CONTROL) + frame(frames.SETTINGS, settings))

    # What comes.

    def receive(self, event: QuicEvent) -> list[Event]:
        """Raises H3Fault."""
        if isinstance(event, StreamDataReceived):
            if event.stream_id & 3 == 0:
                return self._on_request(event.stream_id, event.data, ended=event.end_stream)
            return self._on_one_way(event.stream_id, event.data, ended=event.end_stream)
        if isinstance(event, StreamReset):
            self._quic.credit_lost(event.stream_id)
            return self._on_given_up(event.stream_id, event.error_code, has_reset=True)
        if isinstance(event, StopSendingReceived):
            return self._on_given_up(event.stream_id, event.error_code, has_reset=False)
        return []

    def _on_request(self, number: int, data: bytes, *, ended: bool) -> list[Event]:
        incoming = self._incoming.get(number)
        if incoming is None:
            if number in self._over or number >= self._until:
                self._turn_away(number, len(data), ended=ended)
                return []
            if not self._quic.can_send(number):  # he has said before that he wants no answer
                self._turn_away(number, len(data), ended=ended)
                return [Ended(number, frames.REQUEST_INCOMPLETE)]
            incoming = self._incoming[number] = _Incoming()
            self._next = max(self._next, number + 4)
        try:
            heard = self._read(number, incoming, data)
            if ended:
                incoming.is_whole = True
                self._check_end(incoming)
        except Malformed:
            self._quic.credit(number, len(data))
            self.reset(number, frames.MESSAGE_ERROR)
            return [Ended(number, frames.MESSAGE_ERROR)]
        self._quic.credit(number, len(data) - sum(len(each.data) for each in heard if isinstance(each, Body)))
        if not ended:
            if not incoming.has_head:
                self._unbegun[number] = None
            return heard
        if not incoming.has_head:
            self.reset(number, frames.REQUEST_INCOMPLETE)
            return [Ended(number, frames.REQUEST_INCOMPLETE)]
        return _ended(number, heard, incoming.trailers)

    def _turn_away(self, number: int, size: int, *, ended: bool) -> None:
        self._quic.credit(number, size)
        if number not in self._over:
            self._quic.give_up(number, frames.REQUEST_REJECTED)
            self._over.add(number)
        if ended:
            self._over.discard(number)

    def _read(self, number: int, incoming: _Incoming, data: bytes) -> list[Event]:
        heard: list[Event] = []
        for kind, payload in incoming.reader.feed(data):
            # Behind a CONNECT there is DATA alone (§4.4).
            is_late = incoming.trailers is not None or (incoming.connects and kind != DATA)
            if is_late or (kind == DATA and not incoming.has_head):
                raise H3Fault(frames.FRAME_UNEXPECTED, "a frame out of its order")
            if kind == DATA:
                incoming.count += len(payload)
                if 0 <= incoming.length < incoming.count:
                    raise Malformed("a body that is longer than it says")
                heard.append(Body(number, payload, False))
            elif incoming.has_head:
                incoming.trailers = self._fields(number, payload)
                check_fields(incoming.trailers)
            else:
                fields = self._fields(number, payload)
                incoming.length = check_request(fields)
                incoming.has_head, incoming.connects = True, is_connect(fields)
                self._unbegun.pop(number, None)
                heard.append(Request(number, fields, False))
        self._count(incoming.reader)
        return heard

    def _count(self, reader: FrameReader) -> None:
        self.wasted += reader.wasted
        reader.wasted = 0

    def _fields(self, number: int, section: bytes) -> Fields:
        try:
            _, fields = self._decoder.feed_header(number, section)
        except (pylsqpack.DecompressionFailed, pylsqpack.StreamBlocked) as error:
            raise H3Fault(frames.QPACK_DECOMPRESSION_FAILED, "a field section that cannot be read") from error
        if size_of(fields) > MAX_FIELD_SECTION:
            raise H3Fault(frames.EXCESSIVE_LOAD, "a field section that is too long")
        return tuple(fields)

    def _check_end(self, incoming: _Incoming) -> None:
        if not incoming.reader.is_between:
            raise H3Fault(frames.FRAME_ERROR, "a frame that is cut off")
        if 0 <= incoming.length != incoming.count:
            raise Malformed("a body that is shorter than it says")

    def _on_given_up(self, number: int, error: int, *, has_reset: bool) -> list[Event]:
        """The caller sends no more of a request (has_reset), or wants no answer."""
        if number in self._critical or number == self._own:
            raise H3Fault(frames.CLOSED_CRITICAL_STREAM, "a stream that may not end")
        if number & 3:
            self._forget(number)
            return []
        is_known = number in self._incoming
        if has_reset and number in self._over:
            self._over.discard(number)  # we asked for it (RFC 9000 §3.5); an answer that is on its way still goes
            return []
        if has_reset and is_known:
            self._incoming[number].is_whole = True
        elif not is_known and not has_reset:
            return []
        self.reset(number, frames.REQUEST_CANCELLED if is_known else frames.REQUEST_INCOMPLETE)
        return [Ended(number, (error or frames.REQUEST_CANCELLED) if is_known else frames.REQUEST_INCOMPLETE)]

    def _on_one_way(self, number: int, data: bytes, *, ended: bool) -> list[Event]:
        self._quic.credit(number, len(data))
        kind = self._kinds.get(number, b"")
        if isinstance(kind, bytes):
            read = read_varint(kind + data, 0)
            if read is None:
                if ended:
                    self._forget(number)
                else:
                    self._kinds[number] = kind + data
                return []
            data = (kind + data)[read[1] :]
            kind = self._begin_one_way(number, read[0])
        if ended and number in self._critical:
            raise H3Fault(frames.CLOSED_CRITICAL_STREAM, "a stream that may not end")
        if ended:
            del self._kinds[number]
        heard: list[Event] = []
        try:
            if kind == _CONTROL and self._control is not None:
                for frame_kind, payload in self._control.feed(data):
                    heard += self._on_control(frame_kind, payload)
                self._count(self._control)
            elif kind == _ENCODER and data:
                self._decoder.feed_encoder(data)
            elif kind == _DECODER and data:
                self._encoder.feed_decoder(data)
        except pylsqpack.EncoderStreamError as error:
            raise H3Fault(frames.QPACK_ENCODER_STREAM_ERROR, "a table that nobody offered") from error
        except pylsqpack.DecoderStreamError as error:
            raise H3Fault(frames.QPACK_DECODER_STREAM_ERROR, "word of a table that is not used") from error
        return heard

    def _forget(self, number: int) -> None:
        """A stream of one direction is over. One that has not said what it is is borne (§6.2), and was for nothing."""
        if isinstance(self._kinds.pop(number, b""), bytes):
            self.wasted += 1

    def _begin_one_way(self, number: int, kind: int) -> int:
        if kind == _PUSH or (kind in _ONCE and kind in self._kinds.values()):
            raise H3Fault(frames.STREAM_CREATION_ERROR, "a stream that may not be, or not twice")
        self._kinds[number] = kind
        if kind in _ONCE:
            self._critical.add(number)
            if kind == _CONTROL:
                self._control = FrameReader(_ON_CONTROL, _NEVER_ON_CONTROL, begins=True)
        else:  # §6.2.3: what it is for nobody here knows
            self.wasted += 1
            self._quic.stop(number, frames.STREAM_CREATION_ERROR)
        return kind

    def _on_control(self, kind: int, payload: bytes) -> list[Event]:
        if kind == frames.SETTINGS:
            if self._is_told:
                raise H3Fault(frames.FRAME_UNEXPECTED, "settings twice")
            self._is_told = True
            _check_settings(payload)
            return []
        number = read_varint(payload, 0)
        if number is None or number[1] != len(payload):
            raise H3Fault(frames.FRAME_ERROR, "a frame that is no number")
        return [Leaving(0, NO_ERROR)] if kind == frames.GOAWAY else []

    @property
    def unbegun(self) -> int:
        """The oldest request whose head is not whole, -1 = there is none."""
        return next(iter(self._unbegun), -1)

    # What goes.

    def answer(self, stream: int, fields: Fields, *, ended: bool) -> None:
        self._write(stream, frame(HEADERS, self._section(stream, fields)), ended=ended)

    def inform(self, stream: int, fields: Fields) -> None:
        """An answer of 1xx."""
        self._write(stream, frame(HEADERS, self._section(stream, fields)), ended=False)

    def send(self, stream: int, data: bytes, *, ended: bool) -> None:
        """What the other side does not take yet waits in QUIC's stream: see `queued`."""
        self._write(stream, frame(DATA, data) if data else b"", ended=ended)

    def trail(self, stream: int, fields: Fields) -> None:
        """The message is whole with these."""
        self._write(stream, frame(HEADERS, self._section(stream, fields)), ended=True)

    def _section(self, stream: int, fields: Fields) -> bytes:
        return self._encoder.encode(stream, list(fields))[1]

    def _write(self, stream: int, data: bytes, *, ended: bool) -> None:
        if self._quic.can_send(stream):
            self._quic.send_stream_data(stream, data, ended)
            if ended:
                self._finishing.add(stream)

    def reset(self, stream: int, error: int = frames.REQUEST_CANCELLED) -> None:
        """Nobody goes on with it."""
        self._quic.give_up(stream, error)
        self._finishing.discard(stream)
        self._unbegun.pop(stream, None)
        incoming = self._incoming.pop(stream, None)
        if incoming is not None and not incoming.is_whole:
            self._over.add(stream)

    def disconnect(self, stream: int) -> None:
        """What it was connected to was cut (§4.4)."""
        self.reset(stream, frames.CONNECT_ERROR)

    def stop(self, stream: int) -> None:
        """The answer is whole: the rest of the request is not wanted (§4.1.2)."""
        incoming = self._incoming.get(stream)
        if incoming is not None and not incoming.is_whole:
            incoming.is_whole = True
            self._quic.stop(stream, frames.NO_ERROR)
            self._over.add(stream)

    def heard(self) -> Iterator[Event]:
        """What came of sending: streams that are over."""
        if self._finishing:
            for number in [each for each in self._finishing if self._quic.is_sent(each)]:
                incoming = self._incoming.get(number)
                if incoming is None or incoming.is_whole:
                    self._finishing.discard(number)
                    self._incoming.pop(number, None)
                    yield Ended(number, NO_ERROR)

    def consumed(self, stream: int, size: int) -> None:
        """So much of a body is out of our hands: as much more may come."""
        self._quic.credit(stream, size)

    def queued(self, stream: int) -> int:
        """Bytes of an answer that are not on their way."""
        return self._quic.unsent(stream)

    @property
    def held(self) -> int:
        """Of all answers."""
        return sum(map(self._quic.unsent, self._incoming))

    def announce_leave(self) -> None:
        """The other side is asked to begin nothing new; what is on its way is still served (§5.2)."""
        self._say_leave(_BEYOND_ALL)

    def leave(self) -> None:
        """Nothing new is served."""
        self._until = min(self._until, self._next)
        self._say_leave(self._until)

    def _say_leave(self, until: int) -> None:
        if self._quic.can_send(self._own):
            self._quic.send_stream_data(self._own, frame(frames.GOAWAY, varint(until)))

    def refuse(self) -> None:
        """The other side does too much for nothing."""
        self._quic.close(frames.EXCESSIVE_LOAD, reason_phrase="calm down")


def _ended(number: int, heard: list[Event], trailers: Fields | None) -> list[Event]:
    """The same events, of which the last one says that the message is whole."""
    if trailers is not None or not heard:
        return [*heard, Trailers(number, trailers or ())]
    last = heard[-1]
    assert isinstance(last, Request | Body)
    last.ended = True
    return heard


def _check_settings(payload: bytes) -> None:
    """None of them changes what we do: our table is empty, and fields that go are few (§7.2.4)."""
    seen: set[int] = set()
    at = 0
    while at < len(payload):
        name = read_varint(payload, at)
        value = read_varint(payload, name[1]) if name is not None else None
        if name is None or value is None:
            raise H3Fault(frames.FRAME_ERROR, "settings that are cut off")
        if name[0] in seen or name[0] in _OF_HTTP2:
            raise H3Fault(frames.SETTINGS_ERROR, "a setting twice, or one of HTTP/2")
        seen.add(name[0])
        at = value[1]
