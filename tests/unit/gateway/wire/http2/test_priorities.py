"""Which of two answers is written first (RFC 9218), where both could be."""

import pytest

from gateway.wire.http2.codec import ClientCodec
from gateway.wire.http2.server_codec import ServerCodec

DATA = 0
SIZE = 30_000
URGENT = b"u=0"


@pytest.mark.parametrize(("told", "first"), [("never", 1), ("with its request", 3), ("later", 3)])
def test_the_more_urgent_answer_is_written_first(told: str, first: int) -> None:
    server, client = ServerCodec(100, 1 << 16, 1 << 20), ClientCodec()
    fields = ((b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"shop.example"), (b":path", b"/"))
    client.begin(fields, b"")
    client.begin((*fields, (b"priority", URGENT)) if told == "with its request" else fields, b"")
    server.receive(client.take())
    client.receive(server.take())  # that it takes more than one at once
    server.receive(client.take())
    if told == "later":
        server.receive(priority_update(3, URGENT))
    for stream in (1, 3):
        server.answer(stream, ((b":status", b"200"),), ended=False)
        server.send(stream, bytes(SIZE), ended=True)
    assert bodies(server)[0] == first


def priority_update(stream: int, value: bytes) -> bytes:
    payload = stream.to_bytes(4, "big") + value
    return len(payload).to_bytes(3, "big") + b"\x10\x00" + bytes(4) + payload


def bodies(codec: ServerCodec) -> list[int]:
    """The streams of the frames DATA that it writes, in that order."""
    written, streams, at = b"", [], 0
    while out := codec.take():
        written += out
    while at < len(written):
        size = int.from_bytes(written[at : at + 3], "big")
        if written[at + 3] == DATA:
            streams.append(int.from_bytes(written[at + 5 : at + 9], "big"))
        at += 9 + size
    return streams
