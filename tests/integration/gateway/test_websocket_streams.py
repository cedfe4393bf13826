"""WebSocket on a stream of many, by callers of other libraries: the service sees an upgrade."""

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from gateway.wire.listener_context import ListenerContext
from tests.integration.gateway.test_websocket import CLOSE, MASK, TEXT, Frames, echoing, websocket
from tests.parts.changes import document, edge_route, to
from tests.parts.conditions import until
from tests.parts.http2_caller import Fields
from tests.parts.websocket import frame
from tests.parts.websocket_callers import StreamsCaller, by_http2, by_http3, opened, reset, send

By = Callable[..., AbstractAsyncContextManager[tuple[StreamsCaller, ListenerContext]]]
CANCELLED: dict[By, int] = {by_http2: 0x8, by_http3: 0x10C}

pytestmark = pytest.mark.parametrize("by", [by_http2, by_http3])


async def test_messages_pass_both_ways_beside_other_calls_and_the_close_ends_the_stream(by: By) -> None:
    async with echoing(websocket()) as gateway, by(gateway) as (caller, _):
        stream, answer = await opened(caller)
        assert answer.status == 200
        assert not {b"sec-websocket-accept", b"upgrade", b"connection"} & answer.fields.keys()
        for number in range(300):
            await send(caller, stream, frame(TEXT, b"%07d" % number, key=MASK))
        want = b"".join(frame(TEXT, b"%07d" % number) for number in range(300))
        big = b"x" * 300_000  # more than a window
        want += frame(2, big)
        await asyncio.gather(
            send(caller, stream, frame(2, big, key=MASK)), caller.until(lambda: len(answer.body) >= len(want))
        )
        assert bytes(answer.body) == want
        other = await caller.answer(caller.get(b"/"))
        assert other.status == 426  # the service's own word: this is no handshake
        await send(caller, stream, frame(CLOSE, b"\x03\xe8", key=MASK))
        await caller.until(lambda: bytes(answer.body).endswith(frame(CLOSE, b"\x03\xe8")))
        await caller.until(lambda: answer.is_whole)
        await send(caller, stream, b"", ended=True)
        await until(lambda: len(gateway.lines) == 2)
        line = next(line for line in gateway.lines if line["status"] == 101)
        spoken = "HTTP/2" if by is by_http2 else "HTTP/3"
        assert (line["close_code"], line["messages_in"], line["protocol"]) == (1000, 301, spoken)
        assert line["method"] == "GET"


@pytest.mark.parametrize(
    ("more", "protocol", "status", "reason"),
    [
        ([(b"origin", b"https://evil.example")], b"websocket", 403, b"websocket_origin"),
        ([(b"origin", b"https://shop.example")], b"websocket", 200, b""),
        ([(b"sec-websocket-key", b"caller's own, of no use")], b"websocket", 200, b""),
        ([], b"connect-udp", 501, b"not_implemented"),
    ],
)
async def test_a_handshake_on_a_stream_is_judged_as_any_other(
    by: By, more: Fields, protocol: bytes, status: int, reason: bytes
) -> None:
    async with Frames().behind(websocket()) as gateway, by(gateway) as (caller, _):
        _, answer = await opened(caller, more, protocol)
        assert (answer.status, answer.fields.get(b"meshway-reason", b"")) == (status, reason)


async def test_a_reset_of_either_side_is_one_of_the_other(by: By) -> None:
    frames = Frames()
    route = document("Route", "r", edge_route(to("chat")))
    async with frames.behind(route) as gateway, by(gateway) as (caller, _):
        stream, _ = await opened(caller)
        reset(caller, stream)
        await until(lambda: gateway.lines)
        assert gateway.lines[0]["flag"] == "DC"
        await until(lambda: frames.upstream.open == 0)
        _, answer = await opened(caller)
        sock = frames.writers[1].get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        frames.writers[1].transport.abort()
        await caller.until(lambda: answer.reset is not None)
        assert answer.reset == CANCELLED[by]


async def test_the_end_of_a_drain_is_told_by_a_close_frame(by: By) -> None:
    async with Frames().behind(websocket()) as gateway, by(gateway) as (caller, listener):
        _, answer = await opened(caller)
        listener.start_drain()
        assert listener.say_goodbye()
        await caller.until(lambda: answer.is_whole)
        assert bytes(answer.body) == frame(CLOSE, (1001).to_bytes(2, "big"))
        await until(lambda: gateway.lines)
        assert gateway.lines[0]["reason"] == "drained"


async def test_a_caller_who_takes_nothing_holds_up_the_service_and_nobody_else(by: By) -> None:
    frames = Frames()
    async with frames.behind(websocket()) as gateway, by(gateway, takes=False) as (caller, _):
        _, answer = await opened(caller)
        writer = frames.writers[0]
        message = frame(2, b"x" * 65_535)
        sent = 0
        while sent < 64 << 20 and writer.transport.get_write_buffer_size() < 1 << 20:
            writer.write(message)
            sent += len(message)
            await asyncio.sleep(0)
        assert sent < 32 << 20
        async with by(gateway) as (honest, _):
            _, other = await opened(honest)
            frames.writers[1].write(frame(TEXT, b"hello"))
            await honest.until(lambda: bytes(other.body) == frame(TEXT, b"hello"))
        assert len(answer.body) < 1 << 20
