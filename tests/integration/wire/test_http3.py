"""HTTP/3 as callers speak it: by aioquic's client, over real sockets, to services that speak HTTP/1.1."""

import asyncio

from tests.parts.http2_caller import head
from tests.parts.http3_caller import calling
from tests.parts.http3_wire import http3_wire
from tests.parts.wire import ScriptedUpstream, answering, read_head

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Kind: plain\r\nConnection: keep-alive\r\n\r\nhello"


async def test_a_get_reaches_the_service_as_http_1_and_its_answer_the_caller_as_http_3() -> None:
    async with (
        ScriptedUpstream(answering(OK)).running() as service,
        http3_wire(service.port) as gateway,
        calling(gateway.port) as caller,
    ):
        answer = await caller.answer(caller.get(b"/books?page=2", [(b"cookie", b"a=1"), (b"cookie", b"b=2")]))
        assert (answer.status, bytes(answer.body), answer.fields[b"x-kind"]) == (200, b"hello", b"plain")
        assert answer.fields[b"content-length"] == b"5"
        assert b"date" in answer.fields
        assert b"connection" not in answer.fields
        exchange = await gateway.gateway.last()
        assert answer.fields[b"x-request-id"] == exchange.request_id
        sent = bytes(service.received[0])
        assert sent.startswith(b"GET /books?page=2 HTTP/1.1\r\nHost: shop.example\r\n")
        assert b"\r\nCookie: a=1; b=2\r\n" in sent
        assert b"\r\nVia: 3.0 meshway-test\r\n" in sent
        assert (exchange.head.minor, exchange.server_name, exchange.scheme) == (3, "shop.example", b"https")
        assert gateway.handshakes == [False]


async def test_many_calls_go_side_by_side_on_one_connection() -> None:
    all_came = asyncio.Event()
    came = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal came
        target = (await read_head(reader)).split()[1]
        came += 1
        if came == 50:
            all_came.set()
        await asyncio.wait_for(all_came.wait(), 10)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(target), target))

    async with (
        ScriptedUpstream(handle).running() as service,
        http3_wire(service.port) as gateway,
        calling(gateway.port) as caller,
    ):
        streams = [caller.get(b"/%d" % n) for n in range(50)]
        assert [bytes((await caller.answer(stream)).body) for stream in streams] == [b"/%d" % n for n in range(50)]
        assert len(gateway.context.connections) == 1


async def test_a_body_of_unknown_length_with_trailers_goes_through_both_ways() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        body = b""
        while (size := int((await reader.readline()).split(b";")[0], 16)) > 0:
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        trailer = await reader.readline()
        writer.write(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n"
            b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(body), body, trailer)
        )

    body = bytes(range(256)) * 3000
    async with (
        ScriptedUpstream(echo).running() as service,
        http3_wire(service.port) as gateway,
        calling(gateway.port) as caller,
    ):
        stream = caller.begin([*head(b"POST", b"/", scheme=b"https"), (b"te", b"trailers")], ended=False)
        caller.send(stream, body)
        assert caller.h3 is not None
        caller.h3.send_headers(stream, [(b"x-sum", b"42")], end_stream=True)
        caller.transmit()
        answer = await caller.answer(stream)
        assert (answer.status, bytes(answer.body)) == (200, body)
        assert answer.trailers == {b"x-sum": b"42"}
        assert (await gateway.gateway.last()).bytes_in == len(body)
