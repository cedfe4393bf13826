"""WebSocket over HTTP/2 (RFC 8441): halves of a stream, and what is looked at in them."""

from tests.integration.gateway.test_websocket import CLOSE, MASK, PING, TEXT, Frames, websocket
from tests.parts.changes import document, edge_route, to
from tests.parts.conditions import until
from tests.parts.http2_caller import calling
from tests.parts.websocket import frame
from tests.parts.websocket_callers import asked, opened


async def test_what_is_sent_before_the_service_agreed_waits_for_it() -> None:
    frames = Frames()
    async with frames.behind(websocket()) as gateway, calling(gateway.port) as caller:
        stream, _ = await asked(caller)
        await caller.send(stream, frame(TEXT, b"early", key=MASK))
        await until(lambda: frames.heard)
        assert frames.heard == [(0x81, b"early")]
        start = frames.head.split(b"\r\n")[0]
        assert start == b"GET /chat?room=1 HTTP/1.1"
        assert frames.head.lower().count(b"sec-websocket-key") == 1


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


async def test_too_large_a_frame_closes_its_stream_alone_after_a_close_frame() -> None:
    frames = Frames()
    async with frames.behind(websocket(max_frame="2000B")) as gateway, calling(gateway.port) as caller:
        first, answer = await opened(caller)
        await opened(caller)
        await caller.send(first, frame(TEXT, b"x" * 2001, key=MASK))
        await until(lambda: frames.heard)
        frames.writers[0].write(frame(TEXT, b"answer"))
        frames.writers[0].close()
        await caller.until(lambda: answer.is_whole)
        assert bytes(answer.body) == frame(TEXT, b"answer") + frame(CLOSE, (1009).to_bytes(2, "big"))
        await until(lambda: gateway.lines)
        assert [line["reason"] for line in gateway.lines] == ["too_large"]
