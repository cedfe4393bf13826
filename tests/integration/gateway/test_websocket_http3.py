"""WebSocket over HTTP/3 (RFC 9220): a caller by aioquic's own client asks for it, the service sees an upgrade."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from socket import SO_LINGER, SOL_SOCKET

import pytest

from tests.integration.gateway.test_websocket import CLOSE, MASK, TEXT, Frames, echoing, websocket
from tests.integration.gateway.test_websocket_http2 import CONNECT, asking
from tests.parts.changes import document, edge_route, to
from tests.parts.compiled import CompiledGateway
from tests.parts.conditions import until
from tests.parts.http2_caller import Answer, Fields
from tests.parts.http3_caller import Http3Caller, calling
from tests.parts.http3_wire import Http3Wire, http3_beside
from tests.parts.websocket import frame

REQUEST_CANCELLED = 0x10C


@asynccontextmanager
async def by_http3(gateway: CompiledGateway) -> AsyncIterator[tuple[Http3Caller, Http3Wire]]:
    assert gateway.listener is not None
    async with http3_beside(gateway.listener) as beside, calling(beside.port) as caller:
        yield caller, beside


def connecting(more: Fields | None = None, protocol: bytes = b"websocket") -> Fields:
    return [(name, b"https" if name == b":scheme" else value) for name, value in asking(more, protocol)]


async def opened(caller: Http3Caller, more: Fields | None = None) -> tuple[int, Answer]:
    assert caller.h3 is not None
    h3 = caller.h3
    await caller.until(lambda: h3.received_settings is not None)
    assert h3.received_settings is not None
    assert h3.received_settings[CONNECT] == 1
    stream = caller.begin(connecting(more), ended=False)
    answer = caller.answers[stream]
    await caller.until(lambda: answer.status)
    return stream, answer


async def test_messages_pass_both_ways_beside_other_calls_and_the_close_ends_the_stream() -> None:
    async with echoing(websocket()) as gateway, by_http3(gateway) as (caller, _):
        stream, answer = await opened(caller)
        assert answer.status == 200
        assert not {b"sec-websocket-accept", b"upgrade", b"connection"} & answer.fields.keys()
        for number in range(300):
            caller.send(stream, frame(TEXT, b"%07d" % number, key=MASK))
        want = b"".join(frame(TEXT, b"%07d" % number) for number in range(300))
        big = b"x" * 300_000  # more than a window
        caller.send(stream, frame(2, big, key=MASK))
        want += frame(2, big)
        await caller.until(lambda: len(answer.body) >= len(want))
        assert bytes(answer.body) == want
        other = await caller.answer(caller.get(b"/"))
        assert other.status == 426  # the service's own word: this is no handshake
        caller.send(stream, frame(CLOSE, b"\x03\xe8", key=MASK))
        await caller.until(lambda: bytes(answer.body).endswith(frame(CLOSE, b"\x03\xe8")))
        await caller.until(lambda: answer.is_whole)
        caller.send(stream, b"", ended=True)
        await until(lambda: len(gateway.lines) == 2)
        line = next(line for line in gateway.lines if line["status"] == 101)
        assert (line["close_code"], line["messages_in"], line["protocol"]) == (1000, 301, "HTTP/3")
        assert line["method"] == "GET"


@pytest.mark.parametrize(
    ("more", "protocol", "status", "reason"),
    [
        ([(b"origin", b"https://evil.example")], b"websocket", 403, b"websocket_origin"),
        ([(b"origin", b"https://shop.example")], b"websocket", 200, b""),
        ([], b"connect-udp", 501, b"not_implemented"),
    ],
)
async def test_a_handshake_by_http3_is_judged_as_any_other(
    more: Fields, protocol: bytes, status: int, reason: bytes
) -> None:
    async with Frames().behind(websocket()) as gateway, by_http3(gateway) as (caller, _):
        answer = caller.answers[caller.begin(connecting(more, protocol), ended=False)]
        await caller.until(lambda: answer.status)
        assert (answer.status, answer.fields.get(b"meshway-reason", b"")) == (status, reason)


async def test_a_reset_of_either_side_is_one_of_the_other() -> None:
    frames = Frames()
    async with (
        frames.behind(document("Route", "r", edge_route(to("chat")))) as gateway,
        by_http3(gateway) as (caller, _),
    ):
        stream, _ = await opened(caller)
        caller.reset(stream)
        await until(lambda: gateway.lines)
        assert gateway.lines[0]["flag"] == "DC"
        await until(lambda: frames.upstream.open == 0)
        _, answer = await opened(caller)
        frames.writers[1].get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        frames.writers[1].transport.abort()
        await caller.until(lambda: answer.reset is not None)
        assert answer.reset == REQUEST_CANCELLED


async def test_the_end_of_a_drain_is_told_by_a_close_frame() -> None:
    async with Frames().behind(websocket()) as gateway, by_http3(gateway) as (caller, beside):
        _, answer = await opened(caller)
        beside.context.start_drain()
        assert beside.context.say_goodbye()
        await caller.until(lambda: answer.is_whole)
        assert bytes(answer.body) == frame(CLOSE, (1001).to_bytes(2, "big"))


async def test_a_caller_who_takes_nothing_holds_up_the_service() -> None:
    frames = Frames()
    async with frames.behind(websocket()) as gateway:
        assert gateway.listener is not None
        async with http3_beside(gateway.listener) as beside, calling(beside.port, takes=False) as caller:
            await opened(caller)
            writer = frames.writers[0]
            message = frame(2, b"x" * 65_535)
            sent = 0
            while sent < 64 << 20 and writer.transport.get_write_buffer_size() < 1 << 20:
                writer.write(message)
                sent += len(message)
                await asyncio.sleep(0)
            assert sent < 32 << 20
