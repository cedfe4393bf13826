import pytest

from gateway.wire.websocket.frame_meter import COMPRESSED_BIT, RESERVED_BITS
from gateway.wire.websocket.handshake import (
    accept_of,
    answer_fault,
    bits_of,
    offered_protocols,
    request_fault,
    with_protocols,
)
from tests.parts.websocket import ACCEPT, KEY

ASKED = f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n".encode()
SAID = f"Sec-WebSocket-Accept: {ACCEPT}\r\n".encode()
OFFER = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-other\r\n"


def test_the_answer_to_a_key_is_the_rfcs() -> None:
    assert accept_of(KEY.encode()) == ACCEPT.encode()


@pytest.mark.parametrize(
    ("block", "status"),
    [
        (ASKED, None),
        (ASKED.replace(b"13", b"12"), 426),
        (ASKED + b"Sec-WebSocket-Version: 13\r\n", 426),
        (ASKED.replace(KEY.encode(), b"AAAA"), 400),
        (ASKED.replace(KEY.encode(), b"dGhlIHNhbXBsZSBub25jZQ"), 400),
        (ASKED.replace(KEY.encode(), b"dGhl IHNhbXBsZSBub25jZQ=="), 400),
        (b"Sec-WebSocket-Version: 13\r\n", 400),
    ],
)
def test_a_request_is_judged(block: bytes, status: int | None) -> None:
    fault = request_fault(block)
    assert (None if fault is None else fault.status) == status


def test_subprotocols_are_read_over_several_lines_and_written_in_one() -> None:
    block = b"Sec-WebSocket-Protocol: a, b\r\nX: 1\r\nsec-websocket-protocol: c\r\n"
    assert offered_protocols(block) == [b"a", b"b", b"c"]
    assert with_protocols(block, [b"b", b"c"]) == b"X: 1\r\nSec-WebSocket-Protocol: b, c\r\n"


@pytest.mark.parametrize(
    ("request_more", "answer", "fault"),
    [
        (b"", SAID, ""),
        (b"", b"", "Accept"),
        (b"", SAID + SAID, "Accept"),
        (b"", SAID.lower(), "Accept"),
        (b"Sec-WebSocket-Protocol: a\r\n", SAID + b"Sec-WebSocket-Protocol: a\r\n", ""),
        (b"Sec-WebSocket-Protocol: a\r\n", SAID, ""),
        (b"Sec-WebSocket-Protocol: a\r\n", SAID + b"Sec-WebSocket-Protocol: A\r\n", "subprotocol"),
        (b"", SAID + b"Sec-WebSocket-Protocol: a\r\n", "subprotocol"),
        (OFFER, SAID + b"Sec-WebSocket-Extensions: permessage-deflate\r\n", ""),
        (b"", SAID + b"Sec-WebSocket-Extensions: permessage-deflate\r\n", "extension"),
    ],
)
def test_an_answer_is_judged_by_what_was_asked(request_more: bytes, answer: bytes, fault: str) -> None:
    found = answer_fault(ASKED + request_more, answer)
    assert (fault in found) if fault else found == ""


def test_reserved_bits_mean_what_the_extensions_say() -> None:
    assert bits_of(SAID) == 0
    assert bits_of(b"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n") == COMPRESSED_BIT
    assert bits_of(b"Sec-WebSocket-Extensions: permessage-deflate, x-other\r\n") == RESERVED_BITS
