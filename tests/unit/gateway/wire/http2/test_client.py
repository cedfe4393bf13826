"""The service's side of HTTP/2: what becomes of a connection whose other side takes nothing."""

import asyncio
import struct
from typing import cast

from gateway.wire.http2.client import MOST_UNSENT, H2ClientProtocol
from gateway.wire.http2.codec import ClientCodec, Fields

REQUEST = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/a"), (b":authority", b"a.example")]
SETTINGS = struct.pack("!I", 0)[1:] + b"\x04\0" + struct.pack("!I", 0)
PING = struct.pack("!I", 8)[1:] + b"\x06\0" + struct.pack("!I", 0) + bytes(8)


class Full(asyncio.Transport):
    """One whose other side reads nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.unsent = self.most = 0
        self.is_cut = False

    def write(self, data: object) -> None:
        self.unsent += len(cast(bytes, data))
        self.most = max(self.most, self.unsent)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.is_cut

    def abort(self) -> None:
        self.unsent, self.is_cut = 0, True


class Waiting:
    """An `AnswerEvents`."""

    def __init__(self) -> None:
        self.lost: list[tuple[str, str]] = []

    def on_fields(self, fields: Fields, ended: bool) -> None:
        raise AssertionError

    def on_data(self, data: bytes, ended: bool) -> None:
        raise AssertionError

    def on_trailers(self, fields: Fields) -> None:
        raise AssertionError

    def on_lost(self, kind: str, detail: str) -> None:
        self.lost.append((kind, detail))


async def test_one_who_asks_for_answers_and_takes_none_is_cut_off() -> None:
    loop = asyncio.get_running_loop()
    protocol, transport, waiting = H2ClientProtocol(loop, ClientCodec()), Full(), Waiting()
    protocol.connection_made(transport)
    protocol.begin(REQUEST, b"", waiting)
    protocol.data_received(SETTINGS)
    flood = PING * 500
    for _ in range(2 * MOST_UNSENT // len(flood)):
        protocol.data_received(flood)
        await asyncio.sleep(0)
        if transport.is_cut:
            break
    assert transport.is_cut
    assert transport.most < MOST_UNSENT + 2 * len(flood)
    assert waiting.lost == [("reset", "the upstream takes nothing of what it is sent")]
    assert (protocol.can_begin(), protocol.running) == (False, 0)


async def test_one_who_takes_what_he_gets_may_ask_on() -> None:
    loop = asyncio.get_running_loop()
    protocol, transport, waiting = H2ClientProtocol(loop, ClientCodec()), Full(), Waiting()
    protocol.connection_made(transport)
    protocol.begin(REQUEST, b"", waiting)
    for _ in range(200):
        protocol.data_received(PING * 500 if protocol.heard else SETTINGS)
        await asyncio.sleep(0)
        transport.unsent = 0
    assert (transport.is_cut, waiting.lost, protocol.running) == (False, [], 1)
    assert transport.most > 0
