"""WebSocket over HTTP/2 (RFC 8441): a caller by another library asks for it, the service sees an upgrade."""

import asyncio
import socket
import struct

import pytest

from tests.integration.gateway.test_websocket import CLOSE, MASK, PING, TEXT, Frames, echoing, websocket
from tests.parts.changes import document, edge_route, to
from tests.parts.conditions import until
from tests.parts.http2_caller import Answer, Fields, Http2Caller, calling
from tests.parts.websocket import frame

CONNECT = 0x8  # SETTINGS_ENABLE_CONNECT_PROTOCOL


def asking(more: Fields | None = None, protocol: bytes = b"websocket") -> Fields:
    return [
        (b":method", b"CONNECT"),
        (b":protocol", protocol),
        (b":scheme", b"http"),
        (b":authority", b"shop.example"),
        (b":path", b"/chat?room=1"),
        (b"sec-websocket-version", b"13"),
        *(more or []),
    ]


async def opened(caller: Http2Caller, more: Fields | None = None) -> tuple[int, Answer]:
    await caller.until(lambda: CONNECT in caller.connection.remote_settings)
    stream = caller.begin(asking(more), ended=False)
    answer = caller.answers[stream]
    await caller.until(lambda: answer.status)
    return stream, answer


async def test_messages_pass_both_ways_beside_other_calls_and_the_close_ends_the_stream() -> None:
    async with echoing(websocket()) as gateway, calling(gateway.port) as caller:
        stream, answer = await opened(caller)
        assert (answer.status, caller.connection.remote_settings[CONNECT]) == (200, 1)
        assert not {b"sec-websocket-accept", b"upgrade", b"connection"} & answer.fields.keys()
        for number in range(1000):
            await caller.send(stream, frame(TEXT, b"%07d" % number, key=MASK))
        want = b"".join(frame(TEXT, b"%07d" % number) for number in range(1000))
        await caller.until(lambda: len(answer.body) >= len(want))
        assert bytes(answer.body) == want
        big = b"x" * 300_000  # more than a window
        sending = asyncio.ensure_future(caller.send(stream, frame(2, big, key=MASK)))  # noqa: TID251
        await caller.until(lambda: len(answer.body) >= len(want) + len(frame(2, big)))
        await sending
        other = await caller.answer(caller.get(b"/"))
        assert other.status == 426  # the service's own word: this is no handshake
        await caller.send(stream, frame(CLOSE, b"\x03\xe8", key=MASK))
        await caller.until(lambda: bytes(answer.body).endswith(frame(CLOSE, b"\x03\xe8")))
        await caller.until(lambda: answer.is_whole)
        await caller.send(stream, b"", ended=True)
        await until(lambda: len(gateway.lines) == 2)
        line = next(line for line in gateway.lines if line["status"] == 101)
        assert (line["close_code"], line["messages_in"], line["protocol"]) == (1000, 1001, "HTTP/2")
        assert line["method"] == "GET"


async def test_what_is_sent_before_the_service_agreed_waits_for_it() -> None:
    frames = Frames()
    async with frames.behind(websocket()) as gateway, calling(gateway.port) as caller:
        await caller.until(lambda: CONNECT in caller.connection.remote_settings)
        stream = caller.begin(asking(), ended=False)
        await caller.send(stream, frame(TEXT, b"early", key=MASK))
        await until(lambda: frames.heard)
        assert frames.heard == [(0x81, b"early")]
        start = frames.head.split(b"\r\n")[0]
        assert start == b"GET /chat?room=1 HTTP/1.1"
        assert frames.head.lower().count(b"sec-websocket-key") == 1


@pytest.mark.parametrize(
    ("more", "protocol", "status", "reason"),
    [
        ([(b"origin", b"https://evil.example")], b"websocket", 403, b"websocket_origin"),
        ([(b"origin", b"https://shop.example")], b"websocket", 200, b""),
        ([(b"sec-websocket-key", b"caller's own, of no use")], b"websocket", 200, b""),
        ([], b"connect-udp", 501, b"not_implemented"),
    ],
)
async def test_a_handshake_by_http2_is_judged_as_any_other(
    more: Fields, protocol: bytes, status: int, reason: bytes
) -> None:
    async with Frames().behind(websocket()) as gateway, calling(gateway.port) as caller:
        await caller.until(lambda: CONNECT in caller.connection.remote_settings)
        stream = caller.begin(asking(more, protocol), ended=False)
        await caller.until(lambda: caller.answers[stream].status)
        answer = caller.answers[stream]
        assert (answer.status, answer.fields.get(b"meshway-reason", b"")) == (status, reason)


async def test_without_the_block_it_passes_and_with_allow_false_it_does_not() -> None:
    route = document("Route", "r", edge_route(to("chat")))
    frames = Frames()
    async with frames.behind(route) as gateway, calling(gateway.port) as caller:
        stream, answer = await opened(caller)
        assert answer.status == 200
        await caller.send(stream, frame(PING, b"hi", key=MASK))
        await until(lambda: frames.heard == [(0x89, b"hi")])
        gateway.apply(websocket(allow=False))
        _, refused = await opened(caller)
        assert refused.status == 403


async def test_each_half_of_a_stream_closes_alone() -> None:
    frames = Frames()
    route = document("Route", "r", edge_route(to("chat")))
    async with frames.behind(route) as gateway, calling(gateway.port) as caller:
        stream, answer = await opened(caller)
        frames.writers[0].write(b"last words")
        frames.writers[0].write_eof()
        await caller.until(lambda: answer.is_whole)
        assert bytes(answer.body) == b"last words"
        await caller.send(stream, frame(TEXT, b"still here", key=MASK), ended=True)
        await until(lambda: frames.heard)
        await until(lambda: gateway.lines)
        assert gateway.lines[0]["flag"] == ""


async def test_a_reset_of_either_side_is_one_of_the_other() -> None:
    frames = Frames()
    route = document("Route", "r", edge_route(to("chat")))
    async with frames.behind(route) as gateway, calling(gateway.port) as caller:
        stream, _ = await opened(caller)
        caller.connection.reset_stream(stream)
        caller.flush()
        await until(lambda: gateway.lines)
        assert gateway.lines[0]["flag"] == "DC"
        await until(lambda: frames.upstream.open == 0)
        _, answer = await opened(caller)
        sock = frames.writers[1].get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        frames.writers[1].transport.abort()
        await caller.until(lambda: answer.reset is not None)
        assert answer.reset == 0x8


async def test_too_large_a_frame_and_the_end_of_a_drain_close_the_stream_after_a_close_frame() -> None:
    frames = Frames()
    async with frames.behind(websocket(max_frame="2000B")) as gateway, calling(gateway.port) as caller:
        first, answer = await opened(caller)
        _, other = await opened(caller)
        await caller.send(first, frame(TEXT, b"x" * 2001, key=MASK))
        await until(lambda: frames.heard)
        frames.writers[0].write(frame(TEXT, b"answer"))
        frames.writers[0].close()
        await caller.until(lambda: answer.is_whole)
        assert bytes(answer.body) == frame(TEXT, b"answer") + frame(CLOSE, (1009).to_bytes(2, "big"))
        assert gateway.listener is not None
        gateway.listener.start_drain()
        assert gateway.listener.say_goodbye()
        await caller.until(lambda: other.is_whole)
        assert bytes(other.body) == frame(CLOSE, (1001).to_bytes(2, "big"))
        await until(lambda: len(gateway.lines) == 2)
        assert [line["reason"] for line in gateway.lines] == ["too_large", "drained"]


async def test_a_caller_who_takes_nothing_holds_up_the_service_and_nobody_else() -> None:
    frames = Frames()
    async with frames.behind(websocket()) as gateway, calling(gateway.port) as caller:
        caller.takes = False
        _, answer = await opened(caller)
        writer = frames.writers[0]
        message = frame(2, b"x" * 65_535)
        sent = 0
        while sent < 64 << 20 and writer.transport.get_write_buffer_size() < 1 << 20:
            writer.write(message)
            sent += len(message)
            await asyncio.sleep(0)
        assert sent < 32 << 20
        async with calling(gateway.port) as honest:
            _, other = await opened(honest)
            frames.writers[1].write(frame(TEXT, b"hello"))
            await honest.until(lambda: bytes(other.body) == frame(TEXT, b"hello"))
        assert len(answer.body) < 1 << 20
