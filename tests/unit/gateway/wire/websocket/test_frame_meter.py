import random

import pytest

from gateway.wire.websocket.frame_meter import (
    COMPRESSED_BIT,
    NO_CODE,
    PROTOCOL_ERROR,
    RESERVED_BITS,
    TOO_BIG,
    FrameMeter,
    close_frame,
    ping_frame,
)
from tests.parts.websocket import frame

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def meter(*, masked: bool = False, bits: int = 0, max_frame: int = 1000, max_message: int = 2000) -> FrameMeter:
    return FrameMeter(masked=masked, bits=bits, max_frame=max_frame, max_message=max_message)


def fed(made: FrameMeter, data: bytes, sizes: tuple[int, ...] = ()) -> bytes:
    """What goes on, of data in pieces of these sizes."""
    out, at = b"", 0
    for size in sizes:
        out += made.feed(data[at : at + size])
        at += size
    return out + made.feed(data[at:])


GOOD = [
    frame(TEXT, b"hello"),
    frame(TEXT, b""),
    frame(BINARY, b"x" * 125),
    frame(BINARY, b"x" * 126),
    frame(BINARY, b"x" * 999),
    frame(TEXT, b"a", final=False) + frame(PING, b"p") + frame(0, b"b", final=False) + frame(0, b"c"),
    frame(PONG, b"x" * 125) + frame(PING, b""),
    frame(TEXT, b"hi") + frame(CLOSE, b"\x03\xe8bye"),
    frame(CLOSE, b""),
]
# What is wrong, its close code, and how much of it goes on.
BAD = [
    (frame(TEXT, b"a", bits=0x40), PROTOCOL_ERROR, "reserved bit"),
    (frame(TEXT, b"a", bits=0x10), PROTOCOL_ERROR, "reserved bit"),
    (frame(3, b"a"), PROTOCOL_ERROR, "opcode 3"),
    (frame(11, b""), PROTOCOL_ERROR, "opcode 11"),
    (frame(PING, b"x" * 126), PROTOCOL_ERROR, "control frame of more"),
    (frame(PING, b"x", final=False), PROTOCOL_ERROR, "in fragments"),
    (frame(CLOSE, b"x"), PROTOCOL_ERROR, "half a code"),
    (frame(0, b"x"), PROTOCOL_ERROR, "continuation"),
    (frame(TEXT, b"a", final=False) + frame(TEXT, b"b"), PROTOCOL_ERROR, "within"),
    (bytes([0x82, 126, 0, 125]) + b"x" * 125, PROTOCOL_ERROR, "more bytes than it needs"),
    (bytes([0x82, 127, 0, 0, 0, 0, 0, 0, 1, 0]) + b"x" * 256, PROTOCOL_ERROR, "length"),
    (bytes([0x82, 127, 0x80, 0, 0, 0, 0, 1, 0, 0]), PROTOCOL_ERROR, "length"),
    (frame(BINARY, b"x" * 1001), TOO_BIG, "frame of 1001"),
    (bytes([0x82, 127, 0, 0, 1, 0, 0, 0, 0, 0]), TOO_BIG, "frame of"),  # a terabyte is told by its head
    (frame(TEXT, b"x" * 1000, final=False) + frame(0, b"x" * 1000, final=False) + frame(0, b"x"), TOO_BIG, "2001"),
]


@pytest.mark.parametrize("stream", GOOD)
def test_good_frames_go_on_as_they_came_however_they_are_split(stream: bytes) -> None:
    for cut in range(len(stream) + 1):
        made = meter()
        assert fed(made, stream, (cut,)) == stream
        assert made.fault == 0
    made = meter()
    assert b"".join(made.feed(stream[at : at + 1]) for at in range(len(stream))) == stream


@pytest.mark.parametrize(("stream", "code", "detail"), BAD)
def test_a_fault_is_the_same_however_it_is_split_and_nothing_of_it_goes_on(
    stream: bytes, code: int, detail: str
) -> None:
    good = frame(TEXT, b"good")
    whole = fed(meter(), good + stream)
    assert whole.startswith(good)
    for cut in range(min(60, len(stream))):
        made = meter()
        assert fed(made, good + stream, (len(good) + cut,)) == whole
        assert (made.fault, detail in made.detail) == (code, True), made.detail
        assert made.takes_frame  # one of our own may follow
        assert made.feed(frame(TEXT, b"more")) == b""


def test_a_service_masks_nothing_and_a_caller_everything() -> None:
    masked, plain = frame(TEXT, b"hello", key=b"abcd"), frame(TEXT, b"hello")
    assert (meter(masked=True).feed(masked), meter().feed(plain)) == (masked, plain)
    for made, stream in ((meter(masked=True), plain), (meter(), masked)):
        assert made.feed(stream) == b""
        assert made.fault == PROTOCOL_ERROR


def test_a_bit_has_the_meaning_that_an_extension_gives_it() -> None:
    first, rest = frame(TEXT, b"a", bits=0x40, final=False), frame(0, b"b")
    made = meter(bits=COMPRESSED_BIT)
    assert made.feed(first + rest) == first + rest
    assert made.feed(frame(TEXT, b"a", bits=0x40)) == frame(TEXT, b"a", bits=0x40)
    made.feed(frame(PING, b"", bits=0x40))
    assert made.fault == PROTOCOL_ERROR
    unknown = meter(bits=RESERVED_BITS)
    assert unknown.feed(frame(11, b"x", bits=0x30)) == frame(11, b"x", bits=0x30)
    unknown.feed(frame(PING, b"x" * 126))  # what no extension may change
    assert unknown.fault == PROTOCOL_ERROR


@pytest.mark.parametrize("masked", [False, True])
def test_the_close_code_is_read_and_nothing_behind_it_goes_on(masked: bool) -> None:
    key = b"\x11\x22\x33\x44" if masked else b""
    close = frame(CLOSE, b"\x0f\xa1because", key=key)
    for cut in range(len(close)):
        made = meter(masked=masked)
        assert fed(made, close + frame(TEXT, b"late", key=key), (cut,)) == close
        assert (made.close_code, made.takes_frame) == (4001, False)
    made = meter(masked=masked)
    made.feed(frame(CLOSE, b"", key=key))
    assert made.close_code == NO_CODE


def test_a_close_frame_may_be_withheld_for_another_in_its_place() -> None:
    before, close = frame(TEXT, b"last"), frame(CLOSE, b"\x0f\xa1because")
    for cut in range(len(before + close)):
        made = meter()
        made.withholds_close = True
        assert fed(made, before + close + frame(TEXT, b"late"), (cut,)) == before
        assert (made.close_code, made.is_over, made.takes_frame) == (4001, True, True)


def test_our_own_frames_are_good_ones() -> None:
    for made, key in ((meter(), b""), (meter(masked=True), b"\x01\x02\x03\x04")):
        own = ping_frame(key) + close_frame(1001, key)
        assert made.feed(own) == own
        assert made.close_code == 1001


def test_messages_are_counted_when_they_are_whole() -> None:
    made = meter()
    made.feed(frame(TEXT, b"a") + frame(TEXT, b"b", final=False) + frame(PING, b""))
    made.feed(frame(BINARY, b"c") if made.messages != 1 else frame(0, b"c"))
    assert (made.messages, made.fault) == (2, 0)


def test_a_short_frame_above_the_limit_is_too_big() -> None:
    made = meter(max_frame=100, max_message=100)
    assert made.feed(frame(TEXT, b"x" * 100)) != b""
    assert made.feed(frame(TEXT, b"x" * 101)) == b""
    assert made.fault == TOO_BIG


def test_random_streams_in_random_pieces() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    for _ in range(300):
        masked = chance.random() < 0.5
        stream = b""
        for _ in range(chance.randrange(1, 8)):
            opcode = chance.choice([TEXT, BINARY, PING, PONG])
            size = chance.choice([0, 1, 5, 125]) if opcode >= CLOSE else chance.choice([0, 7, 125, 126, 900])
            key = chance.randbytes(4) if masked else b""
            stream += frame(opcode, chance.randbytes(size), key=key)
        pieces = tuple(chance.randrange(0, 30) for _ in range(40))
        made = meter(masked=masked)
        assert fed(made, stream, pieces) == stream
        assert made.fault == 0
        assert made.takes_frame
