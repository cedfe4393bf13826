"""Frames out of the bytes of a stream, however these are cut."""

from itertools import pairwise

import pytest
from aioquic._buffer import Buffer
from aioquic.buffer import encode_uint_var
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.http3.frames import (
    DATA,
    EXCESSIVE_LOAD,
    FRAME_UNEXPECTED,
    FREE,
    GOAWAY,
    HEADERS,
    MISSING_SETTINGS,
    MOST_WASTED,
    SETTINGS,
    FrameReader,
    H3Fault,
    frame,
    read_varint,
    varint,
)

MAY = {DATA: 1 << 62, HEADERS: 100}
NEVER = frozenset({GOAWAY})
KINDS = st.sampled_from((DATA, HEADERS, 0x21, 0xF0700))


@given(st.integers(0, (1 << 62) - 1), st.binary(max_size=3))
def test_numbers_are_as_aioquic_has_them(number: int, rest: bytes) -> None:
    written = varint(number)
    assert written == encode_uint_var(number)
    assert read_varint(written + rest, 0) == (number, len(written))
    assert [read_varint(written[:cut], 0) for cut in range(len(written))] == [None] * len(written)
    assert Buffer(data=written).pull_uint_var() == number


@given(st.lists(st.tuples(KINDS, st.binary(max_size=40)), max_size=6), st.lists(st.integers(0, 400), max_size=8))
def test_any_cut_gives_the_same_frames(written: list[tuple[int, bytes]], cuts: list[int]) -> None:
    data = b"".join(frame(kind, payload) for kind, payload in written)
    reader = FrameReader(MAY, NEVER)
    bounds = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    found: list[tuple[int, bytes]] = []
    for begin, end in pairwise(bounds):
        for kind, payload in reader.feed(data[begin:end]):
            if kind == DATA and found and found[-1][0] == DATA:
                found[-1] = (DATA, found[-1][1] + payload)
            else:
                found.append((kind, payload))
    expected: list[tuple[int, bytes]] = []
    for kind, payload in written:
        if kind == DATA and expected and expected[-1][0] == DATA:
            expected[-1] = (DATA, expected[-1][1] + payload)
        elif kind == HEADERS or (kind == DATA and payload):
            expected.append((kind, payload))
    assert found == expected
    assert reader.is_between


def test_a_stream_does_not_end_within_a_frame() -> None:
    reader = FrameReader(MAY, NEVER)
    for data, is_between in ((b"\x00", False), (b"\x03", False), (b"ab", False), (b"c", True), (b"\x21\x02a", False)):
        assert all(piece for _, piece in reader.feed(data))
        assert reader.is_between == is_between


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (frame(0x02, b""), FRAME_UNEXPECTED),
        (frame(0x09, b""), FRAME_UNEXPECTED),
        (frame(GOAWAY, b"\x00"), FRAME_UNEXPECTED),
        (varint(HEADERS) + varint(101), EXCESSIVE_LOAD),
    ],
)
def test_what_may_not_be_is_told_by_its_head_alone(data: bytes, error: int) -> None:
    with pytest.raises(H3Fault) as fault:
        list(FrameReader(MAY, NEVER).feed(data))
    assert fault.value.error == error


def test_a_control_stream_begins_by_settings() -> None:
    may = {SETTINGS: 100, GOAWAY: 8}
    assert list(FrameReader(may, frozenset(), begins=True).feed(frame(SETTINGS, b"") + frame(GOAWAY, b"\x00")))
    with pytest.raises(H3Fault) as fault:
        list(FrameReader(may, frozenset(), begins=True).feed(frame(0x21, b"")))
    assert fault.value.error == MISSING_SETTINGS


@pytest.mark.parametrize("nothing", [frame(DATA, b""), frame(0x21, b""), frame(0x21, b"greased")])
def test_frames_for_nothing_are_counted_beyond_the_first_in_a_row(nothing: bytes) -> None:
    reader = FrameReader(MAY, NEVER)
    for _ in range(3):
        assert list(reader.feed(nothing * FREE + frame(DATA, b"x"))) == [(DATA, b"x")]
    assert reader.wasted == 0
    assert list(reader.feed(nothing * (FREE + 5))) == []
    assert reader.wasted == 5
    with pytest.raises(H3Fault) as fault:
        list(reader.feed(nothing * MOST_WASTED))
    assert fault.value.error == EXCESSIVE_LOAD
