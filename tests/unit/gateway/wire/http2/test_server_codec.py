"""Against hyper-h2 as the other side; both must read the same out of the same bytes."""

import h2.config
import h2.connection
import h2.events
import pytest

from gateway.wire.http2.codec import H2Fault
from gateway.wire.http2.server_codec import ServerCodec
from gateway.wire.multiplexed.messages import Allowing, Ended, Event, Request, Trailers
from tests.parts.told import told

GET = [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"a"), (b":path", b"/")]
POST = [(b":method", b"POST"), *GET[1:]]


class Pair:
    def __init__(self, streams: int = 100, window: int = 65_536, connection_window: int = 1 << 20) -> None:
        self.codec = ServerCodec(streams, window, connection_window)
        configuration = h2.config.H2Configuration(header_encoding=None, validate_outbound_headers=False)
        self.caller = h2.connection.H2Connection(configuration)
        self.caller.initiate_connection()
        self.heard: list[h2.events.Event] = []

    def turn(self) -> list[Event]:
        """All that each side has to say, until neither has."""
        events: list[Event] = []
        while True:
            if data := self.caller.data_to_send():
                events += self.codec.receive(data)
            answer = self.codec.take()
            events += self.codec.heard()
            self.heard += self.caller.receive_data(answer)
            if not data and not answer:
                return events


def test_a_call_goes_through_whole() -> None:
    pair = Pair()
    pair.caller.send_headers(1, POST)
    pair.caller.send_data(1, b"books")
    pair.caller.send_headers(1, [(b"x-sum", b"5")], end_stream=True)
    assert told(*(event for event in pair.turn() if not isinstance(event, Allowing))) == told(
        Request(1, tuple(POST), False, b"books"),
        Trailers(1, ((b"x-sum", b"5"),)),
    )
    pair.codec.inform(1, [(b":status", b"103"), (b"link", b"</a>")])
    pair.codec.answer(1, [(b":status", b"200")], ended=False)
    pair.codec.send(1, b"hello", ended=False)
    pair.codec.trail(1, [(b"grpc-status", b"0")])
    assert told(*pair.turn()) == told(Ended(1, 0))
    kinds = [type(event).__name__ for event in pair.heard if getattr(event, "stream_id", None) == 1]
    assert kinds == [
        "InformationalResponseReceived", "ResponseReceived", "DataReceived", "TrailersReceived", "StreamEnded",
    ]  # fmt: skip


def test_no_more_of_a_body_comes_than_was_said_to_be_consumed() -> None:
    pair = Pair(window=1_000)
    pair.turn()
    pair.caller.send_headers(1, POST)
    pair.caller.send_data(1, b"x" * 1_000)
    pair.turn()
    assert pair.caller.local_flow_control_window(1) == 0
    pair.codec.consumed(1, 1_000)
    pair.turn()
    assert pair.caller.local_flow_control_window(1) == 1_000


def test_what_a_caller_does_not_take_waits_and_is_counted() -> None:
    pair = Pair()
    pair.caller.send_headers(1, GET, end_stream=True)
    pair.turn()
    pair.codec.answer(1, [(b":status", b"200")], ended=False)
    pair.codec.send(1, b"x" * 100_000, ended=True)
    pair.turn()
    assert pair.codec.queued(1) == 100_000 - 65_535
    pair.caller.increment_flow_control_window(100_000, 1)
    pair.caller.increment_flow_control_window(100_000)
    assert told(*pair.turn()) == told(Ended(1, 0))
    assert pair.codec.queued(1) == 0


def test_what_is_done_to_a_stream_that_is_over_does_nothing() -> None:
    pair = Pair()
    pair.caller.send_headers(1, GET, end_stream=True)
    pair.turn()
    pair.caller.reset_stream(1, 8)
    assert told(*pair.turn()) == told(Ended(1, 8))
    codec = pair.codec
    codec.answer(1, [(b":status", b"200")], ended=False)
    codec.inform(1, [(b":status", b"100")])
    codec.send(1, b"x", ended=True)
    codec.trail(1, [])
    codec.reset(1)
    assert codec.queued(1) == 0
    assert pair.turn() == []


def test_bytes_of_a_stream_that_is_over_still_open_the_connections_window() -> None:
    pair = Pair(connection_window=65_535)
    pair.caller.send_headers(1, POST)
    for _ in range(4):
        pair.caller.send_data(1, b"x" * 10_000)
    pair.turn()
    pair.caller.reset_stream(1, 8)
    pair.turn()
    assert pair.caller.outbound_flow_control_window == 25_535
    pair.codec.consumed(1, 40_000)
    pair.turn()
    assert pair.caller.outbound_flow_control_window == 65_535


def test_what_breaks_the_protocol_is_a_fault_with_a_last_word() -> None:
    pair = Pair()
    pair.turn()
    with pytest.raises(H2Fault):
        pair.codec.receive(b"\x00\x00\x01\x09\x04\x00\x00\x00\x01\x00")  # CONTINUATION after no HEADERS
    assert b"\x07" in pair.codec.take()  # GOAWAY
