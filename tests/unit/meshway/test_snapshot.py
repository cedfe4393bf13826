"""Frames survive any split of the stream, and nonsense is refused."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshway.snapshot import (
    MAX_FRAME,
    AnyFrame,
    Change,
    Delta,
    FrameError,
    FrameReader,
    Hello,
    Reset,
    Snapshot,
    SnapshotEnd,
    Tick,
    decode_frame,
    encode_frame,
)

VALUE = msgspec.Raw(msgspec.msgpack.encode({"port": 9080}))
FRAMES: list[AnyFrame] = [
    Hello("e1", 7),
    Snapshot(7, [Change("put", "Instance", "shop", "cart/a", VALUE)]),
    SnapshotEnd(7, 1),
    Delta(8, [Change("delete", "Instance", "shop", "cart/a")]),
    Tick(8, 2),
    Reset("epoch changed"),
]


@given(st.lists(st.integers(min_value=1, max_value=40), max_size=60))
def test_any_split_of_the_stream_gives_the_same_frames(cuts: list[int]) -> None:
    stream = b"".join(map(encode_frame, FRAMES))
    reader, seen, at = FrameReader(), [], 0
    for cut in [*cuts, len(stream)]:
        seen += list(reader.feed(stream[at : at + cut]))
        at += cut
    assert [encode_frame(frame) for frame in seen] == [encode_frame(frame) for frame in FRAMES]


def test_a_change_keeps_its_value_as_it_was_encoded() -> None:
    frame = decode_frame(encode_frame(FRAMES[1])[4:])
    assert isinstance(frame, Snapshot)
    assert bytes(frame.entries[0].value) == bytes(VALUE)
    assert frame.entries[0].key == ("Instance", "shop", "cart/a")


def test_a_frame_of_a_later_version_is_skipped_and_a_new_field_ignored() -> None:
    later = msgspec.msgpack.encode({"t": "hologram", "x": 1})
    wider = msgspec.msgpack.encode({"t": "tick", "revision": 9, "gateways": 1, "weather": "fine"})
    assert decode_frame(later) is None
    assert decode_frame(wider) == Tick(9, 1)


@pytest.mark.parametrize(
    "body",
    [b"\xff\xff", b"\x81\xa1t\xa4tick", b"\x81\xa1t\xa1\xa4", msgspec.msgpack.encode(["tick", 1])],
    ids=["no map", "cut", "no text", "list"],
)
def test_bytes_that_are_no_frame_are_refused(body: bytes) -> None:
    with pytest.raises(FrameError):
        decode_frame(body)


def test_a_length_above_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(FrameError):
        list(FrameReader().feed((MAX_FRAME + 1).to_bytes(4, "big")))
