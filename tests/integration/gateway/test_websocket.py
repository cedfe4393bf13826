"""What a rule's websocket block does to real conversations: by the `websockets` library's client and service, and by
frames that no library would send."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from meshway.snapshot import Change
from tests.integration.gateway.test_decisions import saying
from tests.parts.changes import document, edge_route, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.websocket import KEY, accepted, await_frame, frame, handshake, read_frame
from tests.parts.wire import Caller, ScriptedUpstream, read_head

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
MASK = b"\x01\x02\x03\x04"
GOING_AWAY = (1001).to_bytes(2, "big")


def websocket(**block: Any) -> Change:
    return document("Route", "r", edge_route(to("chat", websocket=block)))


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@asynccontextmanager
async def echoing(*changes: Change, **how: Any) -> AsyncIterator[CompiledGateway]:
    """A gateway before a service of the library that gives each message back."""
    async with serve(echo, "127.0.0.1", 0, **({"max_size": None} | how)) as service:
        port = service.sockets[0].getsockname()[1]
        async with compiled_gateway(running("chat", "1", port=port), *changes) as gateway:
            yield gateway


def calling(gateway: CompiledGateway, **how: Any) -> connect:
    uri = "ws://shop.example/chat"
    return connect(uri, host="127.0.0.1", port=gateway.port, **({"max_size": None, "proxy": None} | how))


@asynccontextmanager
async def raw(
    gateway: CompiledGateway, more: str = "", key: str = KEY
) -> AsyncIterator[tuple[Caller, asyncio.StreamReader]]:
    caller = Caller(*await asyncio.open_connection("127.0.0.1", gateway.port))
    caller.send(handshake(more, key=key))
    try:
        yield caller, caller.reader
    finally:
        caller.writer.close()


class Frames:
    """A service that keeps what it hears. writers: of its open conversations."""

    def __init__(self, answer: str = "") -> None:
        self.answer = answer
        self.heard: list[tuple[int, bytes]] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.head = b""
        self.upstream = ScriptedUpstream(self.serve)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.head = await read_head(reader)
        writer.write(accepted(self.head, self.answer))
        self.writers.append(writer)
        while True:
            self.heard.append(await await_frame(reader))

    @asynccontextmanager
    async def behind(self, *changes: Change) -> AsyncIterator[CompiledGateway]:
        async with self.upstream.running():
            books = running("chat", "1", port=self.upstream.port)
            async with compiled_gateway(books, *changes) as gateway:
                yield gateway


async def closed_with(connection: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed):
        await connection.recv()
    return connection.close_code or 0


@pytest.mark.parametrize("deflate", [True, False])
async def test_messages_of_every_size_pass_and_the_log_tells_how_it_ended(deflate: bool) -> None:
    sizes = [0, 1, 125, 126, 65_535, 65_536, 1 << 20]
    how: dict[str, Any] = {} if deflate else {"compression": None}
    async with (
        echoing(websocket(), **how) as gateway,
        calling(gateway, **how) as connection,
    ):
        for size in sizes:
            await connection.send(b"x" * size)
            assert await connection.recv() == b"x" * size
        await connection.send(["frag", "men", "ted"])
        assert await connection.recv() == "fragmented"
        await (await connection.ping())
        await connection.close(4000, "enough")
        await until(lambda: gateway.lines)
    line = gateway.lines[0]
    assert (line["status"], line["close_code"], line["messages_in"], line["messages_out"]) == (101, 4000, 8, 8)
    assert line["flag"] == ""


@pytest.mark.parametrize(("block", "status"), [({"allow": False}, 403), ({"allow": True}, 101)])
@pytest.mark.proves("Rule.websocket", "WebSocket.allow")
async def test_a_rule_may_let_no_websocket_pass(block: dict[str, Any], status: int) -> None:
    frames = Frames()
    async with frames.behind(websocket(**block)) as gateway, raw(gateway) as (caller, _):
        assert (await caller.head()).startswith(f"HTTP/1.1 {status} ".encode())
        if status == 403:
            await until(lambda: gateway.lines)
            line = gateway.lines[0]
            assert (line["reason"], line["policy"]) == ("websocket_denied", "Route default/r")
    async with (
        saying("chat").running() as films,
        compiled_gateway(running("chat", "1", port=films.port), websocket(**block)) as gateway,
    ):
        assert (await gateway.ask())[0] == 200  # other calls of the rule are not its business


@pytest.mark.parametrize(
    ("origins", "origin", "is_let_through"),
    [
        (None, "https://shop.example", True),
        (None, "https://shop.example:8443", True),
        (None, "https://evil.example", False),
        (None, "https://shop.example.evil.example", False),
        (None, "null", False),
        (None, "", True),
        ("same_host", "https://evil.example", False),
        (["https://pages.example"], "https://pages.example", True),
        (["https://pages.example"], "https://shop.example", False),
        ([{"suffix": ".pages.example"}], "https://a.pages.example", True),
        ([{"present": True}], "null", True),
    ],
)
@pytest.mark.proves("WebSocket.origins")
async def test_pages_of_other_hosts_may_not_call_unless_they_are_named(
    origins: Any, origin: str, is_let_through: bool
) -> None:
    block = {} if origins is None else {"origins": origins}
    frames = Frames()
    async with (
        frames.behind(websocket(**block)) as gateway,
        raw(gateway, f"Origin: {origin}\r\n" if origin else "") as (caller, _),
    ):
        head = await caller.head()
    assert head.startswith(b"HTTP/1.1 101" if is_let_through else b"HTTP/1.1 403")
    assert is_let_through or b"meshway-reason: websocket_origin" in head


@pytest.mark.parametrize(
    ("spoken", "offered", "heard", "status"),
    [
        (["mqtt"], "chat, mqtt", "mqtt", 101),
        (["mqtt"], "mqtt", "mqtt", 101),
        (["mqtt"], "chat", "", 403),
        (["mqtt"], "", "", 101),
        ([], "chat", "chat", 101),
    ],
)
@pytest.mark.proves("WebSocket.subprotocols")
async def test_a_service_hears_of_those_subprotocols_only_that_may_be_spoken(
    spoken: list[str], offered: str, heard: str, status: int
) -> None:
    frames = Frames()
    async with (
        frames.behind(websocket(subprotocols=spoken)) as gateway,
        raw(gateway, f"Sec-WebSocket-Protocol: {offered}\r\n" if offered else "") as (caller, _),
    ):
        assert (await caller.head()).startswith(f"HTTP/1.1 {status} ".encode())
    told = [line for line in frames.head.decode().split("\r\n") if line.lower().startswith("sec-websocket-protocol")]
    assert told == ([f"Sec-WebSocket-Protocol: {heard}"] if heard else [])


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 8\r\n", 426),
        (f"Sec-WebSocket-Key: {KEY}\r\n", 426),
        ("Sec-WebSocket-Version: 13\r\n", 400),
        ("Sec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n", 400),
        (f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n", 400),
    ],
)
async def test_a_handshake_that_is_none_does_not_reach_the_service(fields: str, status: int) -> None:
    frames = Frames()
    async with frames.behind(websocket()) as gateway:
        caller = Caller(*await asyncio.open_connection("127.0.0.1", gateway.port))
        start = "GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        caller.send(f"{start}{fields}\r\n".encode())
        head = await caller.head()
        assert head.startswith(f"HTTP/1.1 {status} ".encode())
        assert (b"Sec-WebSocket-Version: 13" in head) == (status == 426)
        caller.writer.close()
    assert frames.head == b""


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        ("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", "Accept"),
        ("Sec-WebSocket-Protocol: mqtt\r\n", "subprotocol"),
        ("Sec-WebSocket-Extensions: permessage-deflate\r\n", "extension"),
    ],
)
async def test_a_service_that_answers_another_handshake_is_refused(answer: str, detail: str) -> None:
    """The first one says its own key's answer and another's: a cache's, perhaps."""
    frames = Frames(answer)
    other = "AAAAAAAAAAAAAAAAAAAAAA=="
    async with frames.behind(websocket()) as gateway, raw(gateway, key=other) as (caller, _):
        status, _, body = await caller.answer()
    assert status == 502
    assert detail in body.decode()


@pytest.mark.parametrize(("size", "is_closed"), [(2000, False), (2001, True)])
@pytest.mark.proves("WebSocket.max_frame")
async def test_a_frame_above_its_size_ends_the_conversation(size: int, is_closed: bool) -> None:
    async with (
        echoing(websocket(max_frame="2000B")) as gateway,
        calling(gateway, compression=None) as connection,
    ):
        await connection.send(b"x" * size)
        if not is_closed:
            assert len(await connection.recv()) == size
        else:
            assert await closed_with(connection) == 1009
            await until(lambda: gateway.lines)
            line = gateway.lines[0]
            assert (line["reason"], line["flag"], line["close_code"]) == ("too_large", "DPE", 1009)
            assert line["policy"] == "Route default/r"


@pytest.mark.parametrize(("pieces", "is_closed"), [(4, False), (5, True)])
@pytest.mark.proves("WebSocket.max_message")
async def test_a_message_is_as_large_as_all_its_fragments(pieces: int, is_closed: bool) -> None:
    async with (
        echoing(websocket(max_message="4KiB")) as gateway,
        calling(gateway, compression=None) as connection,
    ):
        try:
            await connection.send([b"x" * 1024] * pieces)
        except ConnectionClosed:
            assert is_closed
        if not is_closed:
            assert len(await connection.recv()) == 1024 * pieces
        else:
            assert await closed_with(connection) == 1009


async def test_a_service_that_sends_too_much_is_closed_and_the_caller_told() -> None:
    frames = Frames()
    async with frames.behind(websocket(max_frame="2000B")) as gateway, raw(gateway) as (caller, reader):
        await caller.head()
        frames.writers[0].write(frame(TEXT, b"fine") + b"\x82\x7f" + (1 << 40).to_bytes(8, "big"))
        assert await read_frame(reader) == (0x81, b"fine")
        assert await read_frame(reader) == (0x88, GOING_AWAY)
        await until(lambda: frames.heard)
        assert frames.heard == [(0x88, (1009).to_bytes(2, "big"))]
        assert await reader.read() == b""


@pytest.mark.parametrize(
    "wrong", [frame(TEXT, b"unmasked"), frame(3, b"", key=MASK), frame(PING, b"x", final=False, key=MASK)]
)
async def test_frames_that_break_the_rules_go_no_further(wrong: bytes) -> None:
    frames = Frames()
    async with frames.behind(websocket()) as gateway, raw(gateway) as (caller, reader):
        await caller.head()
        caller.send(frame(TEXT, b"good", key=MASK) + wrong + frame(TEXT, b"late", key=MASK))
        await until(lambda: len(frames.heard) == 2)
        assert frames.heard == [(0x81, b"good"), (0x88, GOING_AWAY)]
        gateway.leap(1.1)  # the service does not close
        assert await read_frame(reader) == (0x88, (1002).to_bytes(2, "big"))
        assert await reader.read() == b""
        await until(lambda: gateway.lines)
        line = gateway.lines[0]
        assert (line["reason"], line["flag"], line["close_code"]) == ("websocket_protocol", "DPE", 1002)


@pytest.mark.parametrize("has_closed", [True, False])
async def test_what_came_before_a_fault_is_answered_before_the_caller_is_told_of_it(has_closed: bool) -> None:
    frames = Frames()
    async with frames.behind(websocket()) as gateway, raw(gateway) as (caller, reader):
        await caller.head()
        caller.send(frame(TEXT, b"good", key=MASK) + frame(3, key=MASK) + frame(PING, key=MASK))
        await until(lambda: len(frames.heard) == 2)
        service = frames.writers[0]
        answer = frame(TEXT, b"answer")
        service.write(answer[:3])
        assert await reader.readexactly(3) == answer[:3]
        service.write(answer[3:] + (frame(CLOSE, GOING_AWAY) if has_closed else b""))
        if has_closed:
            service.write(frame(TEXT, b"late"))
        service.close()
        assert await reader.readexactly(len(answer) - 3) == answer[3:]
        assert await read_frame(reader) == (0x88, (1002).to_bytes(2, "big"))
        assert await reader.read() == b""
        await until(lambda: gateway.lines)
        assert gateway.lines[0]["flag"] == "DPE"
        assert frames.heard == [(0x81, b"good"), (0x88, GOING_AWAY)]


@pytest.mark.parametrize(("ping_every", "pings"), [("10s", True), ("0s", False)])
@pytest.mark.proves("WebSocket.ping_every")
async def test_both_sides_are_asked_whether_they_live_and_who_is_silent_is_left(ping_every: str, pings: bool) -> None:
    frames = Frames()
    async with frames.behind(websocket(ping_every=ping_every)) as gateway, raw(gateway) as (caller, reader):
        await caller.head()
        gateway.leap(11.0)
        if not pings:
            frames.writers[0].write(frame(TEXT, b"only this"))
            assert await read_frame(reader) == (0x81, b"only this")
            assert frames.heard == []
            return
        assert await read_frame(reader) == (0x89, b"")
        await until(lambda: frames.heard)
        assert frames.heard == [(0x89, b"")]
        frames.writers[0].write(frame(PONG))
        assert await read_frame(reader) == (0x8A, b"")
        gateway.leap(11.0)  # the caller has said nothing all the while
        assert await read_frame(reader) == (0x88, GOING_AWAY)
        await until(lambda: gateway.lines)
        assert (gateway.lines[0]["reason"], gateway.lines[0]["flag"]) == ("ping_timeout", "SI")


async def test_one_who_is_idle_is_told_why_he_is_left() -> None:
    frames = Frames()
    route = document("Route", "r", edge_route(to("chat", websocket={}, timeouts={"upgraded_idle": "10s"})))
    async with frames.behind(route) as gateway, raw(gateway) as (caller, reader):
        await caller.head()
        gateway.leap(11.0)
        assert await read_frame(reader) == (0x88, GOING_AWAY)
        await until(lambda: frames.heard)
        assert frames.heard == [(0x88, GOING_AWAY)]


async def test_a_caller_is_told_that_the_service_broke_off() -> None:
    frames = Frames()
    async with frames.behind(websocket()) as gateway, raw(gateway) as (caller, reader):
        await caller.head()
        sock = frames.writers[0].get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        frames.writers[0].transport.abort()
        assert await read_frame(reader) == (0x88, (1014).to_bytes(2, "big"))
        await until(lambda: gateway.lines)
        assert gateway.lines[0]["flag"] == "UC"


async def test_at_the_end_of_the_drain_both_sides_get_a_close_frame_in_between_frames() -> None:
    frames = Frames()
    async with (
        frames.behind(websocket()) as gateway,
        raw(gateway) as (caller, reader),
        raw(gateway) as (second, torn),
    ):
        await caller.head()
        await second.head()
        frames.writers[1].write(frame(TEXT, b"half of it")[:5])
        assert await torn.readexactly(5)
        assert gateway.listener is not None
        gateway.listener.start_drain()
        caller.send(frame(TEXT, b"goes on", key=MASK))
        await until(lambda: frames.heard)
        assert gateway.listener.say_goodbye()
        assert await read_frame(reader) == (0x88, GOING_AWAY)
        assert await torn.read() == b""  # in the middle of a frame nothing can be said
        await until(lambda: len(frames.heard) == 3)
        assert frames.heard[1:] == [(0x88, GOING_AWAY)] * 2
        assert await reader.read() == b""
        assert not gateway.listener.say_goodbye()


async def test_without_the_block_bytes_pass_as_they_are() -> None:
    frames = Frames()
    route = document("Route", "r", edge_route(to("chat")))
    async with frames.behind(route) as gateway, raw(gateway, "Origin: https://evil.example\r\n") as (caller, reader):
        assert (await caller.head()).startswith(b"HTTP/1.1 101")
        caller.send(frame(3, b"whatever"))
        await until(lambda: frames.heard)
        assert frames.heard == [(0x83, b"whatever")]
        frames.writers[0].write(b"\xff\xff")
        assert await reader.readexactly(2) == b"\xff\xff"


async def test_what_the_service_says_with_its_handshake_is_looked_at_too() -> None:
    async def serve_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(accepted(await read_head(reader)) + frame(TEXT, b"hello") + frame(TEXT, b"x" * 126)[:2])
        await reader.read()

    upstream = ScriptedUpstream(serve_at_once)
    async with (
        upstream.running(),
        compiled_gateway(running("chat", "1", port=upstream.port), websocket()) as gateway,
        raw(gateway) as (caller, reader),
    ):
        await caller.head()
        assert await read_frame(reader) == (0x81, b"hello")


async def test_a_refusal_of_the_service_is_the_callers_answer() -> None:
    async with (
        saying("books").running() as service,
        compiled_gateway(running("chat", "1", port=service.port), websocket()) as gateway,
    ):
        with pytest.raises(InvalidStatus) as refused:
            async with calling(gateway, extensions=[ClientPerMessageDeflateFactory()]):
                pass
        assert refused.value.response.status_code == 200
