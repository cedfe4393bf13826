"""The service's side of HTTP/2: what becomes of a connection whose other side takes nothing."""

import asyncio
import struct
from typing import cast

import ngh2
import pytest

from gateway.wire.http2 import client
from gateway.wire.http2.client import AT_ONCE, H2ClientProtocol
from gateway.wire.http2.codec import ClientCodec
from gateway.wire.multiplexed.messages import Fields
from tests.parts.conditions import until

REQUEST = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/a"), (b":authority", b"a.example")]
SETTINGS = struct.pack("!I", 0)[1:] + b"\x04\0" + struct.pack("!I", 0)
PING = struct.pack("!I", 8)[1:] + b"\x06\0" + struct.pack("!I", 0) + bytes(8)


class Full(asyncio.Transport):
    """One whose other side reads nothing."""

    def __init__(self, protocol: H2ClientProtocol) -> None:
        super().__init__()
        self.unsent = self.most = 0
        self.is_cut = False
        self._protocol = protocol

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high == AT_ONCE

    def write(self, data: object) -> None:
        self.unsent += len(cast(bytes, data))
        self.most = max(self.most, self.unsent)
        if self.unsent > AT_ONCE:
            self._protocol.pause_writing()

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.is_cut

    def close(self) -> None:
        self.unsent, self.is_cut = 0, True


class Failing(Full):
    """Its first write fails, which closes it; then, as uvloop's, it takes no other."""

    def write(self, data: object) -> None:
        assert not self.is_cut
        self.is_cut = True


class Waiting:
    """An `AnswerEvents`."""

    takes = True
    is_tunnel = False

    def on_interim(self, fields: Fields) -> None:
        raise AssertionError

    def on_written(self, unsent: int) -> None:
        raise AssertionError

    def __init__(self) -> None:
        self.lost: list[tuple[str, str]] = []

    def on_fields(self, fields: Fields, ended: bool, first: bytes = b"", trailers: Fields = ()) -> None:
        raise AssertionError

    def on_data(self, data: bytes, ended: bool) -> None:
        raise AssertionError

    def on_trailers(self, fields: Fields) -> None:
        raise AssertionError

    def on_lost(self, kind: str, detail: str) -> None:
        self.lost.append((kind, detail))


class Sending(Waiting):
    """One whose request is on its way."""

    def on_written(self, unsent: int) -> None:
        """What is left of it."""


async def test_one_who_asks_for_answers_and_takes_none_is_cut_off() -> None:
    loop = asyncio.get_running_loop()
    protocol, waiting = H2ClientProtocol(loop, ClientCodec()), Waiting()
    transport = Full(protocol)
    protocol.connection_made(transport)
    protocol.begin(REQUEST, b"", waiting)
    protocol.data_received(SETTINGS)
    flood = PING * 500
    for _ in range(1_000):
        protocol.data_received(flood)
        await asyncio.sleep(0)
        if transport.is_cut:
            break
    assert transport.is_cut
    assert transport.most < 4 * AT_ONCE
    assert [kind for kind, _ in waiting.lost] == ["upstream_protocol"]
    assert (protocol.can_begin(), protocol.running) == (False, 0)


async def test_one_who_takes_what_he_gets_may_ask_on() -> None:
    loop = asyncio.get_running_loop()
    protocol, waiting = H2ClientProtocol(loop, ClientCodec()), Waiting()
    transport = Full(protocol)
    protocol.connection_made(transport)
    protocol.begin(REQUEST, b"", waiting)
    for _ in range(200):
        protocol.data_received(PING * 500 if protocol.heard else SETTINGS)
        await asyncio.sleep(0)
        transport.unsent = 0
        protocol.resume_writing()
    assert (transport.is_cut, waiting.lost, protocol.running) == (False, [], 1)
    assert transport.most > 0


async def test_nothing_is_written_after_a_write_that_failed() -> None:
    loop = asyncio.get_running_loop()
    faults: list[object] = []
    loop.set_exception_handler(lambda _, context: faults.append(context))
    protocol, waiting = H2ClientProtocol(loop, ClientCodec()), Sending()
    transport = Failing(protocol)
    protocol.connection_made(transport)
    protocol.begin(REQUEST, b"x" * 60_000, waiting, ended=False)
    protocol.begin(REQUEST, b"x" * 60_000, waiting, ended=False)
    await asyncio.sleep(0)
    assert transport.is_cut
    protocol.begin(REQUEST, b"", waiting)
    await asyncio.sleep(0)
    assert faults == []
    protocol.connection_lost(None)
    assert len(waiting.lost) == 3


async def test_one_that_is_retired_ends_with_its_last_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LINGER_S", 0.0)
    protocol, waiting = H2ClientProtocol(asyncio.get_running_loop(), ClientCodec()), Waiting()
    transport = Full(protocol)
    protocol.connection_made(transport)
    number = protocol.begin(REQUEST, b"", waiting, ended=False)
    protocol.retire()
    protocol.finish(number)
    assert not transport.is_cut  # what was said last is to be taken
    await until(lambda: transport.is_cut)


class Pipe(Full):
    """To a service in this process, which takes at once what it gets."""

    def __init__(self, protocol: H2ClientProtocol) -> None:
        super().__init__(protocol)
        self.service = ngh2.Connection(ngh2.Role.SERVER, ngh2.Configuration(auto_window_update=False))
        self.service.initiate_connection({})
        self.heard: list[ngh2.Event] = []
        self._waiting = b""

    def write(self, data: object) -> None:
        self._waiting += cast(bytes, data)

    async def pass_on(self) -> None:
        """All that is on the way, to and fro."""
        for _ in range(50):
            await asyncio.sleep(0)
            data, self._waiting = self._waiting, b""
            if data:
                self.service.receive_data(data)
            for event in self.service.events():
                self.heard.append(event)
                if isinstance(event, ngh2.DataReceived) and event.data:
                    self.service.acknowledge_received_data(len(event.data), event.stream_id)
            answer = self.service.data_to_send(1 << 20)
            if answer and not self.is_cut:
                self._protocol.data_received(answer)


async def test_what_a_tunnel_said_last_arrives_though_its_connection_is_retired() -> None:
    protocol = H2ClientProtocol(asyncio.get_running_loop(), ClientCodec())
    pipe = Pipe(protocol)
    protocol.connection_made(pipe)
    number = protocol.begin(REQUEST, b"", Sending(), ended=False)
    await pipe.pass_on()
    protocol.retire()
    protocol.send(number, b"x" * 200_000, ended=False)  # more than a window
    protocol.finish(number)
    await pipe.pass_on()
    bodies = [event for event in pipe.heard if isinstance(event, ngh2.DataReceived)]
    assert sum(len(event.data) for event in bodies) == 200_000
    assert bodies[-1].end_stream
    assert not pipe.is_cut
    pipe.service.send_response(number, [(b":status", b"200")], end_stream=True)
    await pipe.pass_on()
    assert pipe.is_cut


class Tunnel(Sending):
    is_tunnel = True

    def __init__(self) -> None:
        super().__init__()
        self.heard = b""

    def on_fields(self, fields: Fields, ended: bool, first: bytes = b"", trailers: Fields = ()) -> None:
        self.heard += first

    def on_data(self, data: bytes, ended: bool) -> None:
        self.heard += data + (b"." if ended else b"")


async def test_a_tunnel_whose_service_has_said_all_still_takes_what_its_caller_says() -> None:
    protocol, tunnel = H2ClientProtocol(asyncio.get_running_loop(), ClientCodec()), Tunnel()
    pipe = Pipe(protocol)
    protocol.connection_made(pipe)
    number = protocol.begin(REQUEST, b"", tunnel, ended=False)
    await pipe.pass_on()
    pipe.service.send_response(number, [(b":status", b"200")], end_stream=False)
    await pipe.pass_on()
    pipe.service.send_data(number, b"bye", end_stream=True)
    await pipe.pass_on()
    protocol.retire()
    assert (tunnel.heard, protocol.running, pipe.is_cut) == (b"bye.", 1, False)
    protocol.send(number, b"bye, too", ended=False)
    protocol.finish(number)
    await pipe.pass_on()
    said = [(event.data, event.end_stream) for event in pipe.heard if isinstance(event, ngh2.DataReceived)]
    assert (b"".join(data for data, _ in said), said[-1][1]) == (b"bye, too", True)
    assert tunnel.lost == []
