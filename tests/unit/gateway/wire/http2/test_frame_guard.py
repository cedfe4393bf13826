import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.http2.frame_guard import PROTOCOL_ERROR, STREAM_CLOSED, FrameGuard

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, WINDOW_UPDATE, CONTINUATION = 0x04, 0x08, 0x09
DATA, HEADERS, PRIORITY, RST_STREAM = 0x00, 0x01, 0x02, 0x03
END = 0x05  # END_HEADERS and END_STREAM


def frame(kind: int, stream: int, payload: bytes = b"", flags: int = 0x04) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


BEGUN = PREFACE + frame(SETTINGS, 0, flags=0)
DEPENDS_ON = (5).to_bytes(4, "big") + b"\x10"


@pytest.mark.parametrize(
    ("frames", "error"),
    [
        ([frame(HEADERS, 1, b"x", END), frame(HEADERS, 3, b"y"), frame(DATA, 3, b"z", 1)], 0),
        ([frame(HEADERS, 1), frame(DATA, 1, b"x", 0), frame(HEADERS, 1, b"trailers", END)], 0),
        ([frame(HEADERS, 1), frame(RST_STREAM, 1, b"\0\0\0\x08"), frame(RST_STREAM, 1, b"\0\0\0\x08")], 0),
        ([frame(HEADERS, 1, b"", END), frame(WINDOW_UPDATE, 1, b"\0\0\0\x08"), frame(PRIORITY, 1, DEPENDS_ON)], 0),
        ([frame(HEADERS, 1, b"", END), frame(DATA, 1, b"x")], STREAM_CLOSED),
        ([frame(HEADERS, 1, b"", END), frame(HEADERS, 1, b"x", END)], STREAM_CLOSED),
        ([frame(HEADERS, 1), frame(RST_STREAM, 1, b"\0\0\0\x08"), frame(DATA, 1, b"x")], STREAM_CLOSED),
        ([frame(HEADERS, 1), frame(RST_STREAM, 1, b"\0\0\0\x08"), frame(HEADERS, 1, b"x", END)], STREAM_CLOSED),
        ([frame(HEADERS, 5, b"", END), frame(HEADERS, 3, b"", END)], PROTOCOL_ERROR),
        ([frame(HEADERS, 1, b"", END), frame(HEADERS, 7, b"", END), frame(DATA, 5, b"x")], PROTOCOL_ERROR),
        ([frame(PRIORITY, 0, DEPENDS_ON)], PROTOCOL_ERROR),
        ([frame(PRIORITY, 5, DEPENDS_ON)], PROTOCOL_ERROR),
        ([frame(PRIORITY, 7, DEPENDS_ON)], 0),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_frames_on_streams_that_are_none_are_errors_however_they_come(
    frames: list[bytes], error: int, size: int
) -> None:
    guard, data = FrameGuard(), BEGUN + b"".join(frames)
    found = [guard.fault(data[at : at + size]) for at in range(0, len(data), size)]
    assert max(found) == error


@given(data=st.binary(max_size=200), size=st.integers(1, 50))
def test_it_reads_anything_and_holds_little(data: bytes, size: int) -> None:
    whole, guard = FrameGuard(), FrameGuard()
    error = whole.fault(PREFACE + data)
    pieces = PREFACE + data
    found = 0
    for at in range(0, len(pieces), size):
        found = found or guard.fault(pieces[at : at + size])
    assert found == error


def test_it_remembers_only_the_latest() -> None:
    guard = FrameGuard()
    guard.fault(BEGUN)
    for stream in range(1, 10_001, 2):
        assert guard.fault(frame(HEADERS, stream, b"", END)) == 0
    assert guard.fault(frame(DATA, 1, b"x")) == 0  # nghttp2 ignores it
    assert guard.fault(frame(DATA, 9_999, b"x")) == STREAM_CLOSED
    assert 1_000 <= len(guard._ended) < 2_000


def test_it_knows_whether_a_block_of_fields_has_come_to_its_end() -> None:
    guard = FrameGuard()
    guard.fault(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    whole = b"\0\0\2\x01\x04\0\0\0\1ab"
    assert (guard.fault(whole), guard.is_in_head) == (0, False)
    begun = b"\0\0\2\x01\0\0\0\0\3ab\0\0\1\x09\0\0\0\0\3c"
    for at in range(len(begun)):
        assert guard.fault(begun[at : at + 1]) == 0
        assert guard.is_in_head is (at >= 8)
    last = b"\0\0\2\x09\x04\0\0\0\3de"
    for at in range(len(last)):
        assert guard.fault(last[at : at + 1]) == 0
        assert guard.is_in_head is (at < len(last) - 1)


def test_it_tells_where_a_window_is_opened_far_of_streams_that_are_begun() -> None:
    guard = FrameGuard()
    guard.fault(BEGUN + frame(HEADERS, 1) + frame(HEADERS, 3))
    far = frame(WINDOW_UPDATE, 3, (0x4000_0000).to_bytes(4, "big"))
    few = frame(WINDOW_UPDATE, 3, (0x3FFF_FFFF).to_bytes(4, "big"))
    assert guard.fault(few + far + far + frame(WINDOW_UPDATE, 5, far[-4:]) + far[:12]) == 0
    assert guard.wide == [(3, 0x4000_0000, 13), (3, 0x4000_0000, 26)]
    assert guard.fault(far[12:] + far) == 0
    assert guard.wide == [(3, 0x4000_0000, 1)]  # of what came in pieces some was passed on before
    assert (guard.fault(few), guard.wide) == (0, [])
