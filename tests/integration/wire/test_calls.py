import asyncio

import pytest

from tests.parts.conditions import until
from tests.parts.wire import ScriptedUpstream, answering, read_head, wire

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
GET = b"GET /books?page=2 HTTP/1.1\r\nHost: shop.example\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


async def test_a_get_reaches_the_service_and_its_answer_the_caller() -> None:
    async with ScriptedUpstream(answering(OK)).running() as service, wire(service.port) as gateway:
        status, head, body = await gateway.ask(GET)
        assert (status, body) == (200, b"hello")
        assert b"\r\nVia: 1.1 meshway-test\r\n" in head
        exchange = await gateway.last()
        assert b"x-request-id: " + exchange.request_id in head
        sent = bytes(service.received[0])
        assert sent.startswith(b"GET /books?page=2 HTTP/1.1\r\nHost: shop.example\r\n")
        assert b"x-request-id: " + exchange.request_id in sent
        assert b"\r\nVia: 1.1 meshway-test\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n" in sent
        assert b'\r\nForwarded: for=127.0.0.1;host="shop.example";proto=http\r\n' in sent


async def test_many_calls_of_a_connection_use_one_connection_to_the_service() -> None:
    async with ScriptedUpstream(answering(OK)).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        for _ in range(20):
            caller.send(GET)
            assert (await caller.answer())[0] == 200
        assert len(service.received) == 1


async def test_requests_sent_ahead_are_answered_in_order() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            target = (await read_head(reader)).split()[1]
            await asyncio.sleep(0.02 if target == b"/0" else 0)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(target), target))

    async with ScriptedUpstream(handle).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        caller.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % n for n in range(10)))
        assert [(await caller.answer())[2] for _ in range(10)] == [b"/%d" % n for n in range(10)]


async def test_requests_answered_by_the_gateway_itself_are_in_order_too_and_do_not_recurse() -> None:
    async with wire() as gateway:
        caller = await gateway.open()
        caller.send(b"GET /none HTTP/1.1\r\nHost: a\r\n\r\n" * 2000)
        for _ in range(2000):
            assert (await caller.answer())[0] == 404


@pytest.mark.parametrize("split", [1, 7, 40])
async def test_a_request_in_small_pieces_is_the_same_request(split: int) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        body = await reader.readexactly(10)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + body)

    async with ScriptedUpstream(handle).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        request = b"POST /books HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789"
        for at in range(0, len(request), split):
            caller.send(request[at : at + split])
            await asyncio.sleep(0)
        assert (await caller.answer())[2] == b"0123456789"


async def test_a_chunked_request_is_framed_anew_with_its_trailers() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        await reader.readuntil(b"0\r\nchecksum: 1\r\n\r\n")
        writer.write(OK)

    async with ScriptedUpstream(handle).running() as service, wire(service.port) as gateway:
        status, _, _ = await gateway.ask(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nchecksum: 1\r\n\r\n"
        )
        assert status == 200
        assert b"ext" not in service.received[0]
        assert b"\r\n\r\n5\r\nabcde\r\n0\r\nchecksum: 1\r\n\r\n" in service.received[0]
        assert (await gateway.last()).bytes_in == 5


@pytest.mark.parametrize(
    ("answer", "fields", "body"),
    [
        (CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", b"transfer-encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n"),
        (CHUNKED + b"0\r\nt: 1\r\n\r\n", b"transfer-encoding: chunked", b"0\r\nt: 1\r\n\r\n"),
        (b"Content-Length: 5\r\n\r\nhello", b"content-length: 5", b"hello"),
    ],
)
async def test_answers_keep_their_kind_of_framing(answer: bytes, fields: bytes, body: bytes) -> None:
    upstream = ScriptedUpstream(answering(b"HTTP/1.1 200 OK\r\n" + answer))
    async with upstream.running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        caller.send(GET)
        head = await caller.head()
        assert fields in head.lower()
        assert await caller.exactly(len(body)) == body


async def test_an_answer_that_ends_with_its_connection_is_chunked_for_a_caller_who_stays() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nhello")

    async with ScriptedUpstream(handle).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        caller.send(GET)
        head = await caller.head()
        assert b"transfer-encoding: chunked" in head.lower()
        assert b"connection: close" not in head.lower()
        assert await caller.until(b"0\r\n\r\n") == b"5\r\nhello\r\n0\r\n\r\n"
        caller.send(GET)
        await caller.until(b"0\r\n\r\n")


async def test_an_http_1_0_caller_gets_no_chunks_and_the_end_of_the_connection() -> None:
    upstream = ScriptedUpstream(
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    )
    async with upstream.running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        caller.send(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        head, _, body = (await caller.rest()).partition(b"\r\n\r\n")
        assert body == b"hello"
        assert b"chunked" not in head
        assert b"Connection: close" in head


async def test_an_http_1_0_caller_may_ask_to_stay() -> None:
    async with ScriptedUpstream(answering(OK)).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        for _ in range(2):
            caller.send(b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
            _, head, body = await caller.answer()
            assert b"Connection: keep-alive" in head
            assert body == b"hello"


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\n\r\n"),
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
    ],
)
async def test_answers_without_a_body_leave_the_connection_in_order(method: bytes, answer: bytes) -> None:
    async with ScriptedUpstream(answering(answer)).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        for _ in range(3):
            caller.send(method + b" / HTTP/1.1\r\nHost: a\r\n\r\n")
            head = await caller.head()
            assert head.startswith(answer[:12])
            assert (b"Content-Length: 5000" in head) == (b"5000" in answer)
        assert len(service.received) == 1


async def test_a_caller_who_expects_100_gets_it_from_the_service_before_the_body() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert b"expect: 100-continue" in (await read_head(reader)).lower()
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await reader.readexactly(5)
        writer.write(OK)

    async with ScriptedUpstream(handle).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        caller.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert (await caller.head()).startswith(b"HTTP/1.1 100 ")
        caller.send(b"12345")
        assert (await caller.answer())[0] == 200


async def test_a_service_that_refuses_before_the_body_is_heard_and_the_connection_ends() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
        await reader.read()

    async with ScriptedUpstream(handle).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        caller.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert (await caller.rest()).startswith(b"HTTP/1.1 417 No\r\n")


async def test_an_answer_before_the_body_was_sent_reaches_a_caller_who_goes_on_sending() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!")
        await reader.read()

    async with ScriptedUpstream(handle).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        caller.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n")
        for _ in range(20):
            caller.send(b"x" * 10_000)
        status, head, body = await caller.answer()
        assert (status, body) == (413, b"no!")
        assert b"Connection: close" in head
        assert await caller.rest() == b""


async def test_a_short_body_that_nobody_wants_does_not_cost_the_connection() -> None:
    async with wire() as gateway:
        caller = await gateway.open()
        caller.send(b"POST /none HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
        status, head, _ = await caller.answer()
        assert status == 404
        assert b"Connection: close" not in head
        caller.send(b"67890GET /none HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await caller.answer())[0] == 404


async def test_a_connection_asked_to_close_is_closed_after_its_answer() -> None:
    async with ScriptedUpstream(answering(OK)).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        caller.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answer = await caller.rest()
        assert b"\r\nConnection: close\r\n" in answer
        assert answer.endswith(b"hello")


async def test_a_draining_listener_closes_with_the_next_answer_and_leaves_idle_ones_to_the_end() -> None:
    async with ScriptedUpstream(answering(OK)).running() as service, wire(service.port) as gateway:
        one, other = await gateway.open(), await gateway.open()
        await until(lambda: len(gateway.context.connections) == 2)
        gateway.context.start_drain()
        one.send(GET)
        assert b"\r\nConnection: close\r\n" in await one.rest()
        assert gateway.context.is_idle
        await until(lambda: len(gateway.context.connections) == 1)
        gateway.context.close_idle()
        assert await other.rest() == b""


async def test_a_caller_who_leaves_takes_the_call_with_him() -> None:
    gone = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        assert await reader.read() == b""
        gone.set()

    async with ScriptedUpstream(handle).running() as service, wire(service.port) as gateway:
        caller = await gateway.open()
        caller.send(GET)
        await until(lambda: service.received and service.received[0])
        caller.writer.close()
        await asyncio.wait_for(gone.wait(), 5)
        assert (await gateway.last()).flag == "DC"


async def test_what_identifies_the_services_software_is_not_passed_on() -> None:
    answer = b"HTTP/1.1 200 OK\r\nServer: uvicorn\r\nX-Powered-By: PHP\r\nX-Kept: 1\r\nContent-Length: 0\r\n\r\n"
    async with ScriptedUpstream(answering(answer)).running() as service, wire(service.port) as gateway:
        _, head, _ = await gateway.ask(GET)
        assert b"X-Kept: 1" in head
        assert b"uvicorn" not in head
        assert b"PHP" not in head


async def test_a_call_that_came_through_us_five_times_is_a_loop() -> None:
    via = b", ".join([b"1.1 meshway-test"] * 5)
    async with wire() as gateway:
        status, head, _ = await gateway.ask(b"GET / HTTP/1.1\r\nHost: a\r\nVia: " + via + b"\r\n\r\n")
        assert status == 508
        assert b"meshway-reason: loop_detected" in head


async def test_the_way_of_a_call_is_appended_to_via() -> None:
    async with ScriptedUpstream(answering(OK)).running() as service, wire(service.port) as gateway:
        await gateway.ask(b"GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 outer\r\n\r\n")
        assert b"\r\nVia: 1.1 outer, 1.1 meshway-test\r\n" in service.received[0]
