"""What a rule does to a call beside sending it on, through real sockets."""

import asyncio
from typing import Any

from gateway.wire.http1.listener_context import ConnectionLimits
from tests.integration.gateway.test_decisions import route, saying, services
from tests.parts.changes import to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.wire import Caller


async def open_caller(gateway: CompiledGateway) -> Caller:
    return Caller(*await asyncio.open_connection("127.0.0.1", gateway.port))


def request(method: str = "GET", fields: str = "", body: str = "", target: str = "/") -> bytes:
    return f"{method} {target} HTTP/1.1\r\nHost: shop.example\r\n{fields}\r\n{body}".encode()


async def ask(gateway: CompiledGateway, data: bytes) -> tuple[int, str, str]:
    caller = await open_caller(gateway)
    caller.send(data)
    try:
        status, head, body = await caller.answer()
    finally:
        caller.writer.close()
    return status, head.decode(), body.decode()


async def test_a_rule_answers_itself_and_needs_no_service() -> None:
    respond: dict[str, Any] = {"status": 418, "body": "short and stout", "content_type": "text/x-tea"}
    rules = [
        {"match": [{"path": {"prefix": "/tea"}}], "respond": respond, "response_headers": {"set": {"X-Pot": "1"}}},
        {"match": [{"path": {"prefix": "/gone"}}], "respond": {"status": 204}},
    ]
    async with compiled_gateway(route(*rules)) as gateway:
        status, head, body = await gateway.ask("/tea")
        assert (status, body) == (418, "short and stout")
        assert "Content-Type: text/x-tea" in head
        assert "X-Pot: 1" in head
        assert "meshway-reason: respond" in head
        status, head, body = await gateway.ask("/gone")
        assert status == 204
        assert "content-length" not in head.lower()


async def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_read() -> None:
    rule = to("books", request_body={"max": 10})
    upstream = saying("1")
    async with services(upstream) as books, compiled_gateway(*books, route(rule)) as gateway:
        assert (await ask(gateway, request("POST", "Content-Length: 10\r\n", "x" * 10)))[0] == 200
        caller = await open_caller(gateway)
        caller.send(request("POST", "Content-Length: 11\r\n"))
        status, head, body = await caller.answer()
        caller.writer.close()
        assert status == 413
        assert b"meshway-reason: too_large" in head
        assert b"rule 0 of Route default/r takes request bodies of at most 10 bytes" in body
        assert len(upstream.requests) == 1


async def test_a_body_of_unknown_length_is_counted_as_it_comes() -> None:
    rule = to("books", request_body={"max": 10})
    async with services(saying("1")) as books, compiled_gateway(*books, route(rule)) as gateway:
        chunked = "Transfer-Encoding: chunked\r\n"
        assert (await ask(gateway, request("POST", chunked, "a\r\n0123456789\r\n0\r\n\r\n")))[0] == 200
        assert (await ask(gateway, request("POST", chunked, "b\r\n0123456789a\r\n0\r\n\r\n")))[0] == 413
        caller = await open_caller(gateway)
        caller.send(request("POST", chunked, "6\r\n012345\r\n"))
        caller.send(b"5\r\n67890\r\n")
        assert (await caller.answer())[0] == 413
        caller.writer.close()


async def test_a_body_that_comes_slower_than_the_rule_wants_ends_the_call() -> None:
    rule = to("books", request_body={"min_rate": "1KiB"})
    limits = ConnectionLimits(body_grace_s=0.05)
    async with services(saying("1")) as books, compiled_gateway(*books, route(rule), limits=limits) as gateway:
        caller = await open_caller(gateway)
        caller.send(request("POST", "Content-Length: 100\r\n", "slow"))
        status, head, _ = await caller.answer()
        assert (status, b"meshway-reason: request_timeout" in head) == (408, True)
        caller.writer.close()


async def test_a_fault_holds_calls_and_says_so_in_no_answer_but_their_time() -> None:
    rule = to("books", fault={"delay": {"fixed": "150ms"}})
    async with services(saying("1")) as books, compiled_gateway(*books, route(rule)) as gateway:
        began = asyncio.get_running_loop().time()
        assert (await gateway.ask())[0] == 200
        assert asyncio.get_running_loop().time() - began >= 0.15


async def test_a_fault_refuses_calls_in_the_name_of_its_rule_until_its_time_is_over() -> None:
    upstream = saying("1")
    abort = {"abort": {"status": 503}}
    async with services(upstream) as books:
        async with compiled_gateway(*books, route(to("books", name="shaky", fault=abort))) as gateway:
            status, head, body = await gateway.ask()
            assert (status, upstream.requests) == (503, [])
            assert "meshway-reason: fault_abort" in head
            assert "rule shaky of Route default/r aborts 100 % of its calls on purpose" in body
        over = abort | {"until": "2020-01-01T00:00:00Z"}
        async with compiled_gateway(*books, route(to("books", fault=over))) as gateway:
            assert (await gateway.ask())[0] == 200


async def test_a_fault_of_grpc_is_an_answer_without_a_body() -> None:
    rule = to("books", fault={"abort": {"grpc_status": 14}})
    async with services(saying("1")) as books, compiled_gateway(*books, route(rule)) as gateway:
        status, head, body = await gateway.ask()
        assert (status, body) == (200, "")
        assert "grpc-status: 14" in head
