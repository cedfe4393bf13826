"""Answers that go on when a newer revision comes: streams that it would not let in end, other answers finish."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from meshway.snapshot import Change
from tests.integration.gateway.test_grpc import shop
from tests.integration.gateway.test_server_sent_events import EVENTS, Telling
from tests.parts.changes import document, edge_route, gone, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.http2_caller import calling
from tests.parts.wire import Caller, ScriptedUpstream, read_head

ROUTE = document("Route", "r", edge_route(to("books")))


def denied(who: str = "127.0.0.0/8") -> Change:
    rules = [{"action": "deny", "from": [{"cidr": [who]}]}]
    return document("AccessPolicy", "a", {"targets": [{"service": "books"}], "default": "allow", "rules": rules})


@asynccontextmanager
async def before(books: ScriptedUpstream, route: Change = ROUTE) -> AsyncIterator[CompiledGateway]:
    async with books.running(), compiled_gateway(running("books", "1", port=books.port), route) as gateway:
        yield gateway


@asynccontextmanager
async def asked(books: ScriptedUpstream, route: Change = ROUTE) -> AsyncIterator[tuple[CompiledGateway, Caller]]:
    """By a caller whose answer is under way."""
    async with before(books, route) as gateway:
        caller = Caller(*await asyncio.open_connection("127.0.0.1", gateway.port))
        caller.send(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
        try:
            yield gateway, caller
        finally:
            caller.writer.close()


async def test_events_of_whom_it_denies_break_off() -> None:
    telling = Telling()
    async with asked(telling.upstream) as (gateway, caller):
        await caller.head()
        gateway.apply(denied("192.0.2.0/24"))
        telling.go_on.set()
        assert EVENTS[0] in await asyncio.wait_for(caller.reader.readuntil(EVENTS[0] + b"\r\n"), 10.0)
        assert gateway.lines == []
        gateway.apply(denied())
        assert await asyncio.wait_for(caller.reader.read(), 10.0) == b"", "no last chunk"
        await until(lambda: bool(gateway.lines), what="a line")
        line = gateway.lines[0]
        assert (line["reason"], line["policy"], line["status"]) == ("denied", "AccessPolicy default/a", 200)


async def test_events_that_begin_after_it_was_judged_are_looked_for_again() -> None:
    go_on = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        await go_on.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        await reader.read()

    upstream = ScriptedUpstream(serve)
    async with asked(upstream) as (gateway, caller):
        await until(lambda: upstream.open == 1, what="the call at the service")
        gateway.apply(denied())
        assert (await gateway.ask())[0] == 403
        go_on.set()
        await caller.head()
        gateway.leap(11.0)
        assert await asyncio.wait_for(caller.reader.read(), 10.0) == b""
        await until(lambda: len(gateway.lines) == 2, what="two lines")
        assert gateway.lines[1]["reason"] == "denied"


async def test_a_call_that_was_held_when_it_was_judged_is_looked_for_again() -> None:
    telling = Telling()
    held = document("Route", "r", edge_route(to("books", fault={"delay": {"fixed": "300ms"}})))
    async with asked(telling.upstream, held) as (gateway, caller):
        await until(lambda: any(each.calls() for each in gateway.listeners[0].connections), what="the call")
        gateway.apply(denied())
        assert (await gateway.ask())[0] == 403
        assert telling.upstream.open == 0
        await caller.head()
        gateway.leap(11.0)
        assert await asyncio.wait_for(caller.reader.read(), 10.0) == b""
        await until(lambda: len(gateway.lines) == 2, what="two lines")
        assert gateway.lines[1]["reason"] == "denied"


async def test_one_of_many_streams_breaks_off_alone() -> None:
    telling = Telling()
    async with before(telling.upstream) as gateway, calling(gateway.port) as caller:
        answer = caller.answers[caller.get(b"/")]
        await caller.until(lambda: answer.status)
        gateway.apply(gone("Route", "r"))
        await caller.until(lambda: answer.reset is not None)
        assert (await caller.answer(caller.get(b"/"))).status == 404


async def test_any_other_answer_comes_whole() -> None:
    go_on = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n1")
        await go_on.wait()
        writer.write(b"2")

    upstream = ScriptedUpstream(serve)
    async with asked(upstream) as (gateway, caller):
        await caller.head()
        gateway.apply(denied())
        assert (await gateway.ask())[0] == 403
        gateway.leap(11.0)
        go_on.set()
        assert await asyncio.wait_for(caller.reader.readexactly(2), 10.0) == b"12"


async def test_a_call_of_grpc_has_ten_seconds_to_be_answered_and_ends_then() -> None:
    async with shop() as (_, gateway, channel):
        talk: Any = channel.stream_stream("/shop.Books/Talk")(timeout=60)
        total: Any = channel.stream_unary("/shop.Books/Total")(timeout=60)
        await total.write(b"1")
        await talk.write(b"a")
        assert await talk.read() == b"A"
        gateway.apply(denied())
        assert (await gateway.ask())[0] == 403
        await talk.write(b"b")
        assert await talk.read() == b"B"
        gateway.leap(11.0)
        assert await asyncio.wait_for(total.code(), 10.0) == grpc.StatusCode.PERMISSION_DENIED
        assert await asyncio.wait_for(talk.code(), 10.0) == grpc.StatusCode.CANCELLED, "what has begun breaks off"
        await until(lambda: len(gateway.lines) == 3, what="three lines")
        assert {line["reason"] for line in gateway.lines} == {"denied"}
