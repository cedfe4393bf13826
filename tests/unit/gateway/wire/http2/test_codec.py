"""The codec of HTTP/2, held against the h2 library on the other side, in any pieces."""

from typing import Final

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.http2.codec import ClientCodec, H2Fault
from gateway.wire.multiplexed.messages import Allowing, Body, Ended, Event, Head, Leaving, Trailers
from tests.parts.told import told

FIELDS: Final = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/a"), (b":authority", b"a.example")]


class Server:
    """The h2 library's, and what the client wrote to it."""

    def __init__(self) -> None:
        self.connection = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self.connection.initiate_connection()
        self.heard: list[object] = []

    def exchange(self, codec: ClientCodec, pieces: int = 1 << 20) -> list[Event]:
        events: list[Event] = []
        while True:
            sent = codec.take()
            self.heard += self.connection.receive_data(sent) if sent else []
            answer = self.connection.data_to_send()
            if not sent and not answer:
                return events
            for at in range(0, len(answer), pieces):
                events += codec.receive(answer[at : at + pieces])


@given(st.integers(1, 40), st.binary(min_size=1, max_size=3000))
def test_an_answer_comes_whole_in_any_pieces(pieces: int, body: bytes) -> None:
    server, codec = Server(), ClientCodec()
    stream = codec.begin(FIELDS, body)
    server.exchange(codec)
    assert b"".join(event.data for event in server.heard if isinstance(event, DataReceived)) == body
    (asked,) = [event for event in server.heard if isinstance(event, RequestReceived)]
    assert asked.headers == FIELDS
    assert any(isinstance(event, StreamEnded) for event in server.heard)
    server.connection.send_headers(stream, [(b":status", b"200"), (b"x-a", b"b")])
    server.connection.send_data(stream, body)
    server.connection.send_headers(stream, [(b"grpc-status", b"0")], end_stream=True)
    events = server.exchange(codec, pieces)
    head, *rest = events
    assert isinstance(head, Head)
    assert head.fields == ((b":status", b"200"), (b"x-a", b"b"))
    assert head.first + b"".join(event.data for event in rest if isinstance(event, Body)) == body
    trailers = [head.trailers] if head.ended else [event.fields for event in rest if isinstance(event, Trailers)]
    assert trailers == [((b"grpc-status", b"0"),)]
    assert told(rest[-1]) == told(Ended(stream, 0))


def test_small_answers_are_one_event_each_whatever_order_their_frames_come_in() -> None:
    server, codec = Server(), ClientCodec()
    one, other, long, none = (codec.begin(FIELDS, b"") for _ in range(4))
    server.exchange(codec)
    for stream in (one, other, long, none):
        server.connection.send_headers(stream, [(b":status", b"200")])
    for stream in (long, other, one, long):
        server.connection.send_data(stream, b"%d" % stream)
    for stream in (one, other, long, none):
        server.connection.send_headers(stream, [(b"grpc-status", b"0")], end_stream=True)
    status, trailers = ((b":status", b"200"),), ((b"grpc-status", b"0"),)
    calls = [event for event in server.exchange(codec, 4_096) if not isinstance(event, Ended | Allowing)]
    assert told(*calls) == told(
        Head(one, status, True, b"%d" % one, trailers),
        Head(other, status, True, b"%d" % other, trailers),
        Head(long, status, False, b"%d" % long),
        Head(none, status, False),  # without a message: such trailers do not make it one without a body
        Body(long, b"%d" % long, False),
        Trailers(long, trailers),
        Trailers(none, trailers),
    )


def test_a_long_body_goes_as_the_windows_open() -> None:
    server, codec = Server(), ClientCodec()
    stream = codec.begin(FIELDS, b"x" * 500_000)
    taken = 0
    while taken < 500_000:
        before = len(server.heard)
        server.exchange(codec)
        pieces = [event for event in server.heard[before:] if isinstance(event, DataReceived)]
        assert pieces, "no window was left, and none was opened"
        for piece in pieces:
            taken += len(piece.data)
            server.connection.acknowledge_received_data(piece.flow_controlled_length, stream)
    assert taken == 500_000


def test_what_is_refused_or_reset_is_told_and_what_we_reset_is_told_the_other_side() -> None:
    server, codec = Server(), ClientCodec()
    first, second, third = (codec.begin(FIELDS, b"") for _ in range(3))
    server.exchange(codec)
    server.connection.reset_stream(first, ErrorCodes.REFUSED_STREAM)
    server.connection.reset_stream(second, ErrorCodes.INTERNAL_ERROR)
    assert told(*server.exchange(codec)) == told(Ended(first, 7), Ended(second, 2))
    codec.reset(third)
    codec.reset(third)
    codec.reset(99)
    server.exchange(codec)
    (reset,) = [event for event in server.heard if isinstance(event, StreamReset)]
    assert (reset.stream_id, reset.error_code) == (third, 8)


def test_after_a_goaway_nothing_begins_and_what_was_not_looked_at_is_refused() -> None:
    server, codec = Server(), ClientCodec()
    first, second = codec.begin(FIELDS, b""), codec.begin(FIELDS, b"")
    server.exchange(codec)
    server.connection.close_connection(last_stream_id=first)
    events = codec.receive(server.connection.data_to_send())
    assert told(Leaving(first, 0))[0] in told(*events)
    assert told(Ended(second, 7))[0] in told(*events)
    assert not codec.can_begin
    with pytest.raises(H2Fault):
        codec.begin(FIELDS, b"")


@pytest.mark.parametrize("data", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\x05\x04\0\0\0\0\0hello", b"x" * 100])
def test_what_is_no_http2_is_a_fault(data: bytes) -> None:
    codec = ClientCodec()
    with pytest.raises(H2Fault):
        codec.receive(data)
    assert codec.take().find(b"PRI * HTTP/2.0") == 0, "the last word is still to be written"


def test_whoever_leaves_says_so() -> None:
    server, codec = Server(), ClientCodec()
    codec.begin(FIELDS, b"")
    server.exchange(codec)
    codec.leave()
    assert codec.take()[3] == 7  # a GOAWAY frame
    assert not codec.can_begin
