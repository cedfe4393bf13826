"""Beside aioquic's own HTTP/3, by whatever events of QUIC: both read the same out of the same bytes."""

from itertools import pairwise
from typing import Any

import pylsqpack
import pytest
from aioquic.h3.connection import H3Connection, encode_frame
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent, StopSendingReceived, StreamDataReceived, StreamReset
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.http3 import frames
from gateway.wire.http3.codec import H3Codec
from gateway.wire.http3.frames import DATA, HEADERS, H3Fault
from gateway.wire.multiplexed.fields import request_text
from gateway.wire.multiplexed.messages import Body, Ended, Event, Fields, Leaving, Request, Trailers
from meshway.http1.field_lines import request_lines
from meshway.http1.head import HeadError, HeadLimits, RequestReader
from tests.parts.told import told
from tests.unit.gateway.wire.http2.test_request_fuzz import NAMES, VALUES

GET = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"a"), (b":path", b"/")]
POST = [(b":method", b"POST"), *GET[1:]]
CONTROL = b"\x00" + encode_frame(frames.SETTINGS, b"")
LINES = request_lines()


class Quic:
    """What a codec does to its connection. sent: by stream, and whether it is whole. credited: bytes that were given
    back, by stream."""

    def __init__(self, *, is_client: bool = False) -> None:
        self.configuration = QuicConfiguration(is_client=is_client)
        self._quic_logger = None
        self._remote_max_datagram_frame_size = None
        self.sent: dict[int, tuple[bytes, bool]] = {}
        self.given_up: dict[int, int] = {}
        self.stopped: dict[int, int] = {}
        self.credited: dict[int, int] = {}
        self.closed: int | None = None
        self.are_sent = True
        self._one_way = 2 if is_client else 3

    def get_next_available_stream_id(self, is_unidirectional: bool = False) -> int:
        assert is_unidirectional
        return self._one_way

    def send_stream_data(self, stream_id: int, data: bytes, end_stream: bool = False) -> None:
        if stream_id == self._one_way:
            self._one_way += 4
        before, _ = self.sent.get(stream_id, (b"", False))
        self.sent[stream_id] = before + data, end_stream

    def can_send(self, stream_id: int) -> bool:
        return stream_id not in self.given_up and not self.sent.get(stream_id, (b"", False))[1]

    def is_sent(self, stream_id: int) -> bool:
        return self.are_sent

    def unsent(self, stream_id: int) -> int:
        return 0

    def credit(self, stream_id: int, size: int) -> None:
        self.credited[stream_id] = self.credited.get(stream_id, 0) + size

    def credit_lost(self, stream_id: int) -> None: ...

    def give_up(self, stream_id: int, error: int) -> None:
        self.given_up[stream_id] = error

    def stop(self, stream_id: int, error: int) -> None:
        self.stopped[stream_id] = error

    def reset_stream(self, stream_id: int, error_code: int) -> None:
        self.given_up[stream_id] = error_code

    def close(self, error_code: int, frame_type: int | None = None, reason_phrase: str = "") -> None:
        self.closed = error_code


class Bench:
    def __init__(self) -> None:
        self.quic = Quic()
        self.codec = H3Codec(self.quic)  # type: ignore[arg-type]  # as much of one as it takes

    def take(self, data: bytes, *, ended: bool = False, stream: int = 0) -> list[Event]:
        return self.codec.receive(StreamDataReceived(data=data, end_stream=ended, stream_id=stream))

    def caller_reads(self, stream: int) -> list[Any]:
        """What aioquic's caller makes of an answer."""
        caller: Any = H3Connection(Quic(is_client=True))  # type: ignore[arg-type]  # as much of one as it takes
        caller.handle_event(StreamDataReceived(data=self.quic.sent[3][0], end_stream=False, stream_id=3))
        data, ended = self.quic.sent[stream]
        found: list[Any] = caller.handle_event(StreamDataReceived(data=data, end_stream=ended, stream_id=stream))
        return found


def section(fields: Fields) -> bytes:
    made: bytes = pylsqpack.Encoder().encode(0, list(fields))[1]
    return made


def headers(fields: Fields) -> bytes:
    return encode_frame(HEADERS, section(fields))


def test_a_call_goes_through_whole() -> None:
    on = Bench()
    body, trailers = encode_frame(DATA, b"books"), headers([(b"x-sum", b"5")])
    assert told(*on.take(headers(POST))) == told(Request(0, tuple(POST), False))
    assert told(*on.take(body + trailers)) == told(Body(0, b"books", False))
    assert told(*on.take(b"", ended=True)) == told(Trailers(0, ((b"x-sum", b"5"),)))
    on.codec.inform(0, [(b":status", b"103"), (b"link", b"</a>")])
    on.codec.answer(0, [(b":status", b"200")], ended=False)
    on.codec.send(0, b"hello", ended=False)
    assert list(on.codec.heard()) == []
    on.codec.trail(0, [(b"grpc-status", b"0")])
    assert told(*on.codec.heard()) == told(Ended(0, 0))
    read = on.caller_reads(0)
    assert [type(each) for each in read] == [HeadersReceived, HeadersReceived, DataReceived, HeadersReceived]
    assert read[2].data == b"hello"
    assert read[3].stream_ended


def test_what_is_no_body_is_given_back_at_once_and_a_body_when_it_is_consumed() -> None:
    on, data = Bench(), headers(POST) + encode_frame(DATA, b"books") + encode_frame(0x21, b"x" * 50)
    on.take(data)
    assert on.quic.credited == {0: len(data) - 5}
    on.codec.consumed(0, 5)
    assert on.quic.credited == {0: len(data)}


def test_an_answer_before_the_end_of_a_request_stops_it_and_what_still_comes_is_nobodys() -> None:
    on = Bench()
    on.take(headers(POST))
    on.codec.answer(0, [(b":status", b"200")], ended=True)
    assert list(on.codec.heard()) == []
    on.codec.stop(0)
    assert on.quic.stopped == {0: frames.NO_ERROR}
    assert told(*on.codec.heard()) == told(Ended(0, 0))
    credited = on.quic.credited[0]
    assert on.take(encode_frame(DATA, b"late")) == []
    assert on.quic.credited[0] == credited + 6
    assert on.codec.receive(StreamReset(error_code=1, stream_id=0)) == []
    assert on.quic.given_up == {}  # packets of the answer may have to go again


def test_an_answer_that_is_on_its_way_outlives_the_request_that_was_stopped() -> None:
    on = Bench()
    on.take(headers(POST))
    on.codec.answer(0, [(b":status", b"413")], ended=True)
    on.quic.are_sent = False
    on.codec.stop(0)
    assert on.codec.receive(StreamReset(error_code=1, stream_id=0)) == []
    assert list(on.codec.heard()) == []
    assert on.quic.given_up == {}
    on.quic.are_sent = True
    assert told(*on.codec.heard()) == told(Ended(0, 0))


def test_a_caller_who_wants_no_answer_after_his_request_was_stopped_is_rid_of_it() -> None:
    on = Bench()
    on.take(headers(POST))
    on.codec.answer(0, [(b":status", b"413")], ended=True)
    on.codec.stop(0)
    assert told(*on.codec.receive(StopSendingReceived(9, 0))) == told(Ended(0, 9))
    assert on.quic.given_up == {0: frames.REQUEST_CANCELLED}
    assert on.codec.receive(StreamReset(error_code=9, stream_id=0)) == []


@pytest.mark.parametrize("event", [StreamReset(error_code=9, stream_id=0), StopSendingReceived(9, 0)], ids=["of", "to"])
def test_a_request_that_is_given_up_is_over_both_ways(event: QuicEvent) -> None:
    on = Bench()
    on.take(headers(POST))
    assert told(*on.codec.receive(event)) == told(Ended(0, 9))
    assert on.quic.given_up == {0: frames.REQUEST_CANCELLED}
    on.codec.answer(0, [(b":status", b"200")], ended=True)
    assert 0 not in on.quic.sent


def test_the_oldest_request_whose_head_is_not_whole_is_known() -> None:
    on, whole = Bench(), headers(GET)
    assert on.take(whole[:3], stream=4) == on.take(whole[:3], stream=0) == []
    assert on.codec.unbegun == 4
    on.take(whole[3:], stream=4)
    assert on.codec.unbegun == 0
    on.codec.receive(StreamReset(error_code=9, stream_id=0))
    on.take(whole, ended=True, stream=8)
    assert on.codec.unbegun == -1


def test_a_stream_that_was_reset_before_it_began_counts_as_one() -> None:
    on = Bench()
    assert told(*on.codec.receive(StreamReset(error_code=9, stream_id=0))) == told(Ended(0, frames.REQUEST_INCOMPLETE))
    assert on.codec.receive(StopSendingReceived(9, 4)) == []  # of one that is over, perhaps


def test_a_request_whose_answer_was_not_wanted_before_it_began_is_none() -> None:
    on = Bench()
    on.quic.given_up[0] = frames.REQUEST_CANCELLED  # as QUIC itself answers the word to stop
    assert on.codec.receive(StopSendingReceived(error_code=frames.REQUEST_CANCELLED, stream_id=0)) == []
    assert told(*on.take(headers(GET))) == told(Ended(0, frames.REQUEST_INCOMPLETE))
    assert on.take(b"x") == []
    assert on.take(b"", ended=True) == []
    assert on.quic.credited[0] == len(headers(GET)) + 1


def test_after_the_last_word_nothing_new_is_taken_and_what_was_is() -> None:
    on = Bench()
    on.take(headers(POST))
    on.codec.announce_leave()
    assert told(*on.take(headers(GET), ended=True, stream=4)) == told(Request(4, tuple(GET), True))
    on.codec.leave()
    assert on.take(headers(GET), ended=True, stream=8) == []
    assert on.quic.given_up == {8: frames.REQUEST_REJECTED}
    assert told(*on.take(encode_frame(DATA, b"x"), ended=True)) == told(Body(0, b"x", True))
    assert on.quic.sent[3][0].endswith(encode_frame(frames.GOAWAY, b"\x08"))


def test_who_says_goodbye_leaves() -> None:
    on = Bench()
    assert on.take(CONTROL, stream=2) == []
    assert told(*on.take(encode_frame(frames.GOAWAY, b"\x00"), stream=2)) == told(Leaving(0, 0))


def test_streams_that_end_before_they_say_what_they_are_leave_nothing_behind() -> None:
    on = Bench()
    for stream, begun in ((2, b""), (6, b"\x40")):
        on.take(begun, stream=stream)
        assert on.take(b"", ended=True, stream=stream) == []
    assert on.codec.receive(StreamReset(error_code=9, stream_id=10)) == []
    assert on.codec._kinds == {}
    assert on.codec.wasted == 3, "who opens them on and on is ended"


def test_streams_that_nobody_knows_are_passed_over() -> None:
    on = Bench()
    for cut in (b"\x40", b"\x54", b"anything"):
        assert on.take(cut, stream=6) == []
    assert on.quic.stopped == {6: frames.STREAM_CREATION_ERROR}
    assert on.take(b"", ended=True, stream=6) == []


fields = st.tuples(st.sampled_from(NAMES) | st.binary(max_size=4), st.sampled_from(VALUES) | st.binary(max_size=6))


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A stream that is mostly good: some of its fields are others, and a few of its bytes."""
    found = list(POST)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(found)))
        found[at : at + draw(st.integers(0, 1))] = [draw(fields)]
    found = [field for field in found if field[0]]  # its encoder writes no other
    data = bytearray(headers(found))
    for _ in range(draw(st.integers(0, 2))):
        data += encode_frame(draw(st.sampled_from((DATA, DATA, 0x21))), b"x" * draw(st.sampled_from((0, 4, 5))))
    if draw(st.booleans()):
        data += headers([draw(fields.filter(lambda field: bool(field[0])))])
    for _ in range(draw(st.integers(0, 2))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)


@pytest.mark.fuzz
@given(requests(), st.lists(st.integers(0, 400), max_size=4))
def test_what_we_take_aioquic_takes_alike(data: bytes, cuts: list[int]) -> None:
    """One-sided: we may refuse more. It ends the connection for what is wrong with one."""
    on, theirs = Bench(), Quic()
    oracle: Any = H3Connection(theirs)  # type: ignore[arg-type]  # as much of one as it takes
    bounds = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    ours: list[Event] = []
    read: list[Any] = []
    try:
        for begin, end in pairwise(bounds):
            ended = end == len(data)
            ours += on.take(data[begin:end], ended=ended)
            read += oracle.handle_event(StreamDataReceived(data=data[begin:end], end_stream=ended, stream_id=0))
    except H3Fault:
        return
    if any(isinstance(each, Ended) for each in ours):
        return
    asked, *rest = ours
    assert isinstance(asked, Request)
    if (b":authority", b"") in asked.fields or not any(name == b":authority" for name, _ in asked.fields):
        return  # it wants one, where we take Host
    try:
        head = RequestReader(HeadLimits(), lines=LINES).read(request_text(asked.fields, ended=asked.ended))
    except HeadError:
        return
    assert head is not None
    assert theirs.closed is None
    assert tuple(read[0].headers) == asked.fields
    body = b"".join(each.data for each in rest if isinstance(each, Body))
    assert body == b"".join(each.data for each in read if isinstance(each, DataReceived))
    assert read[-1].stream_ended
