"""Server-sent events pass as they are written, however little that is, over both versions, compressed or not."""

import asyncio
import zlib
from typing import Any

import pytest

from tests.parts.changes import document, edge_route, running, to
from tests.parts.compiled import compiled_gateway
from tests.parts.http2_caller import calling
from tests.parts.wire import Caller, ScriptedUpstream, read_head

EVENTS = [b"data: 1\n\n", b": still here\n\n", b"d", b"ata: 2\n\n"]
GZIP = 16 + zlib.MAX_WBITS


class Telling:
    """Writes the next piece only when `go_on` was set: nothing behind it can have pushed the one before."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.upstream = ScriptedUpstream(self.serve)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        fields = b"Content-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
        writer.write(b"HTTP/1.1 200 OK\r\n%bTransfer-Encoding: chunked\r\n\r\n" % fields)
        for event in EVENTS:
            await self.go_on.wait()
            self.go_on.clear()
            writer.write(b"%x\r\n%b\r\n" % (len(event), event))
        await reader.read()


@pytest.mark.parametrize("rule", [{}, {"compression": {}}])
async def test_each_piece_reaches_a_caller_before_the_next_is_written(rule: dict[str, Any]) -> None:
    telling = Telling()
    route = document("Route", "r", edge_route(to("books", **rule)))
    async with (
        telling.upstream.running(),
        compiled_gateway(running("books", "1", port=telling.upstream.port), route) as gateway,
    ):
        caller = Caller(*await asyncio.open_connection("127.0.0.1", gateway.port))
        caller.send(b"GET / HTTP/1.1\r\nHost: shop.example\r\nAccept-Encoding: gzip\r\n\r\n")
        head = await caller.head()
        is_packed = b"Content-Encoding: gzip" in head
        assert is_packed == bool(rule)
        unpack = zlib.decompressobj(GZIP)
        for event in EVENTS:
            telling.go_on.set()
            came = b""
            while len(came) < len(event):
                size = int(await asyncio.wait_for(caller.reader.readline(), 10), 16)
                piece = (await asyncio.wait_for(caller.reader.readexactly(size + 2), 10))[:-2]
                came += unpack.decompress(piece) if is_packed else piece
            assert came == event
        caller.writer.close()


@pytest.mark.parametrize("rule", [{}, {"compression": {}}])
async def test_each_piece_reaches_a_caller_of_http2_as_well(rule: dict[str, Any]) -> None:
    telling = Telling()
    route = document("Route", "r", edge_route(to("books", **rule)))
    async with (
        telling.upstream.running(),
        compiled_gateway(running("books", "1", port=telling.upstream.port), route) as gateway,
        calling(gateway.port) as caller,
    ):
        answer = caller.answers[caller.get(b"/", [(b"accept-encoding", b"gzip")])]
        await caller.until(lambda: answer.status)
        is_packed = answer.fields.get(b"content-encoding") == b"gzip"
        assert is_packed == bool(rule)

        so_far = b""

        def has_come() -> bool:
            came = zlib.decompressobj(GZIP).decompress(bytes(answer.body)) if is_packed else bytes(answer.body)
            return came == so_far

        for event in EVENTS:
            telling.go_on.set()
            so_far += event
            await caller.until(has_come)


@pytest.mark.parametrize(("idle", "is_cut"), [("30s", True), ("60s", False)])
async def test_a_silent_stream_lives_as_long_as_its_own_idle_time(idle: str, is_cut: bool) -> None:
    telling = Telling()
    route = document("Route", "r", edge_route(to("books", timeouts={"idle": idle}, request_body={"min_rate": "1KiB"})))
    async with (
        telling.upstream.running(),
        compiled_gateway(running("books", "1", port=telling.upstream.port), route) as gateway,
    ):
        caller = Caller(*await asyncio.open_connection("127.0.0.1", gateway.port))
        caller.send(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
        await caller.head()
        gateway.leap(40.0)
        if is_cut:
            assert await caller.rest() == b""
        else:
            await asyncio.sleep(0.05)  # five beats of the gateway
            telling.go_on.set()
            assert await caller.exactly(len(b"9\r\n") + len(EVENTS[0]) + 2) == b"9\r\n" + EVENTS[0] + b"\r\n"
        caller.writer.close()
