"""gRPC through the gateway: grpcio on both sides, all four kinds of calls (traffic.md's table for what we answer)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from gateway.exchange import MESH
from gateway.relay.deadline import TICK_S
from meshway.snapshot import Change
from tests.integration.gateway.test_decisions import saying
from tests.parts.changes import document, edge_route, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.grpc_books import Books, books
from tests.parts.http2_caller import calling, head
from tests.parts.http2_service import Http2Service
from tests.parts.ports import free_port
from tests.parts.wire import Caller

BY_HTTP2 = document("TrafficPolicy", "books", {"targets": [{"service": "books"}], "connection": {"http": "http2"}})


@asynccontextmanager
async def shop(*changes: Change) -> AsyncIterator[tuple[Books, CompiledGateway, grpc.aio.Channel]]:
    async with books() as service:
        route = document("Route", "r", edge_route(to("books"), hosts=["*"]))
        place = running("books", "b-1", port=service.port)
        async with (
            compiled_gateway(place, route, BY_HTTP2, *changes) as gateway,
            grpc.aio.insecure_channel(f"127.0.0.1:{gateway.port}") as channel,
        ):
            yield service, gateway, channel


@pytest.mark.proves("Connection.http")
async def test_one_message_goes_and_one_comes_with_metadata_both_ways() -> None:
    async with shop() as (service, gateway, channel):
        sent = (("x-team", "shop"), ("x-trail-bin", b"\x00\xff\x80,"))
        call = channel.unary_unary("/shop.Books/Echo")(b"x" * 100_000, metadata=sent, timeout=20)
        assert await call == b"x" * 100_000
        assert await call.code() == grpc.StatusCode.OK
        trailing = {"x-sum": "100000", "x_sum": "underscored", "x-trail-bin": b"\x00\xff\x80,"}
        assert dict(await call.trailing_metadata()) == trailing
        assert dict(await call.initial_metadata())["x-head-bin"] == b"\x00\xff\x80,"
        assert service.seen[0]["x-team"] == "shop"
        await until(lambda: gateway.lines, what="its line")
        assert gateway.lines[0]["path"] == "/shop.Books/Echo"
        assert (gateway.lines[0]["protocol"], gateway.lines[0]["grpc_status"]) == ("HTTP/2", 0)


async def test_a_service_without_a_document_is_called_as_its_instances_say() -> None:
    async with (
        books() as service,
        compiled_gateway(
            running("books", "b-1", port=service.port, protocol="grpc"),
            document("Route", "r", edge_route(to("books"), hosts=["*"])),
        ) as gateway,
        grpc.aio.insecure_channel(f"127.0.0.1:{gateway.port}") as channel,
    ):
        assert await channel.unary_unary("/shop.Books/Echo")(b"x", timeout=20) == b"x"


async def test_streams_of_messages_go_each_way_and_both_at_once() -> None:
    async with shop() as (_, _, channel):
        counted = channel.unary_stream("/shop.Books/Count")(b"1000", timeout=20)
        assert [int(each) async for each in counted] == list(range(1_000))
        total = channel.stream_unary("/shop.Books/Total")(iter([b"%d" % n for n in range(1_000)]), timeout=20)
        assert await total == b"%d" % sum(range(1_000))
        talk = channel.stream_stream("/shop.Books/Talk")(timeout=20)
        for word in (b"a", b"b", b"c"):  # each is answered before the next is said
            await talk.write(word)
            assert await talk.read() == word.upper()
        await talk.done_writing()
        assert await talk.read() == grpc.aio.EOF


async def _spans_pass(gateway: CompiledGateway) -> None:
    """In each of which the edge wants 1,000 bytes of a body."""
    for _ in range(3):
        gateway.leap(11.0)
        await asyncio.sleep(2 * TICK_S)


async def test_who_says_little_and_listens_is_not_cut() -> None:
    async with shop() as (_, gateway, channel):
        talk = channel.stream_stream("/shop.Books/Talk")(timeout=60)
        await talk.write(b"a")
        assert await talk.read() == b"A"
        await _spans_pass(gateway)
        await talk.write(b"b")
        assert await talk.read() == b"B"
        await talk.done_writing()
        assert await talk.read() == grpc.aio.EOF


async def test_the_content_type_of_grpc_holds_no_connection_of_a_service_of_http1() -> None:
    service = saying("b")
    async with service.running():
        route = document("Route", "r", edge_route(to("books"), hosts=["*"]))
        async with (
            compiled_gateway(running("books", "b-1", port=service.port), route) as gateway,
            calling(gateway.port) as caller,
        ):
            fields = [*head(b"POST", b"/"), (b"content-type", b"application/grpc"), (b"content-length", b"100")]
            stream = caller.begin(fields, ended=False)
            await until(lambda: len(service.raw) == 1, what="the request at the service")
            await _spans_pass(gateway)
            await until(lambda: gateway.lines, what="its line")
            assert (gateway.lines[0]["reason"], gateway.lines[0]["bytes_in"]) == ("request_timeout", 0)
            assert (await caller.answer(stream)).fields[b"grpc-status"]


async def test_a_status_that_is_not_ok_comes_through_with_its_words() -> None:
    async with shop() as (_, _, channel):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_unary("/shop.Books/Echo")(b"fail", timeout=20)
        error = refused.value
        assert (error.code(), error.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "as asked")
        assert ("x-why", "asked") in tuple(error.trailing_metadata())


async def test_a_call_that_is_given_up_is_given_up_at_the_service() -> None:
    async with shop() as (service, _, channel):
        call = channel.unary_unary("/shop.Books/Echo")(b"wait", timeout=20)
        await until(lambda: service.seen, what="the call at the service")
        call.cancel()
        await until(lambda: service.cancelled == 1, what="its end there")
        assert await channel.unary_unary("/shop.Books/Echo")(b"on", timeout=20) == b"on"


@pytest.mark.proves("Connection.max_streams", "Bulkhead.max_connections")
async def test_calls_share_connections_and_more_are_opened_only_where_one_has_as_many_as_it_may() -> None:
    def shared(gateway: CompiledGateway) -> list[int]:
        (endpoint,) = gateway.compiler.tables.endpoints.values()
        assert endpoint.idle == []
        return [one.upstream.requests for one in endpoint.shared if one.upstream is not None]

    async with shop() as (_, gateway, channel):
        echo = channel.unary_unary("/shop.Books/Echo")
        words = [b"%d" % n for n in range(90)]
        assert await asyncio.gather(*(echo(word, timeout=30) for word in words)) == words
        assert shared(gateway) == [90]
    waiting = {"targets": [{"service": "books"}], "connection": {"http": "http2", "max_streams": 3}}
    for bound, connections in (({}, 4), ({"bulkhead": {"max_connections": 2, "pending_timeout": "100ms"}}, 2)):
        async with shop() as (service, gateway, channel):
            gateway.apply(document("TrafficPolicy", "books", {**waiting, **bound}))
            calls = [channel.unary_unary("/shop.Books/Echo")(b"wait", timeout=20) for _ in range(10)]
            running = 3 * connections if bound else 10
            await until(lambda: len(service.seen) == running, what="the calls at the service")  # noqa: B023
            if bound:
                await until(lambda: len(gateway.lines) == 4, what="those that there was no room for")
                assert {line["reason"] for line in gateway.lines} == {"pending_timeout"}
            assert len(shared(gateway)) == connections
            for call in calls:
                call.cancel()


async def fate(call: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return refused.value.code(), refused.value.details() or ""


async def test_what_the_gateway_answers_itself_is_a_status_of_grpc() -> None:
    limit = document(
        "RateLimit", "one", {"targets": [{"service": "books"}], "token_bucket": {"rate": "1/h"}, "scope": "gateway"}
    )
    async with shop(limit) as (_, gateway, channel):
        echo = channel.unary_unary("/shop.Books/Echo")
        assert await echo(b"first", timeout=20) == b"first"
        code, words = await fate(echo(b"second", timeout=20))
        assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert words
        await until(lambda: len(gateway.lines) == 2, what="its line")
        assert (gateway.lines[1]["status"], gateway.lines[1]["grpc_status"], gateway.lines[1]["flag"]) == (429, 8, "RL")
    async with compiled_gateway() as empty, grpc.aio.insecure_channel(f"127.0.0.1:{empty.port}") as channel:
        code, _ = await fate(channel.unary_unary("/shop.Books/Echo")(b"x", timeout=20))
        assert code == grpc.StatusCode.UNIMPLEMENTED


async def test_a_service_that_is_gone_is_unavailable_and_one_that_comes_back_is_called_again() -> None:
    async with shop() as (service, gateway, channel):
        echo = channel.unary_unary("/shop.Books/Echo")
        assert await echo(b"x", timeout=20) == b"x"
        gateway.apply(running("books", "b-1", port=free_port()))
        assert (await fate(echo(b"x", timeout=20)))[0] == grpc.StatusCode.UNAVAILABLE
        gateway.apply(running("books", "b-1", port=service.port))
        assert await echo(b"x", timeout=20) == b"x"


async def test_inside_the_mesh_a_callers_deadline_is_the_gateways_and_is_passed_on() -> None:
    async with books() as service:
        place = running("books", "b-1", port=service.port)
        async with (
            compiled_gateway(place, BY_HTTP2, face=MESH) as gateway,
            grpc.aio.insecure_channel(
                f"127.0.0.1:{gateway.port}", options=(("grpc.default_authority", "books.default.mesh"),)
            ) as channel,
        ):
            assert await channel.unary_unary("/shop.Books/Echo")(b"x", timeout=20) == b"x"
            call = channel.unary_unary("/shop.Books/Echo")(b"wait", timeout=0.5)
            assert (await fate(call))[0] == grpc.StatusCode.DEADLINE_EXCEEDED
            await until(lambda: service.cancelled == 1, what="its end at the service")
            await until(lambda: len(gateway.lines) == 2, what="its line")
            assert gateway.lines[1]["duration_ms"] < 5_000


def rule_within(deadline: str) -> Change:
    return document("Route", "r", edge_route(to("books", timeouts={"deadline": deadline}), hosts=["*"]))


async def test_at_the_edge_the_shorter_of_the_callers_time_and_the_routes_holds_and_is_passed_on() -> None:
    async with shop() as (service, gateway, channel):
        echo = channel.unary_unary("/shop.Books/Echo")
        for route, caller, least_s, most_s in (
            ("30s", 9.0, 5.0, 9.0),
            ("8s", 60.0, 5.0, 8.0),
            ("8s", None, 5.0, 8.0),
        ):
            gateway.apply(rule_within(route))
            service.left.clear()
            assert await echo(b"x", timeout=caller) == b"x"
            (left_s,) = service.left
            assert left_s is not None
            assert least_s < left_s <= most_s


async def test_a_deadline_that_passes_is_told_as_a_status_alone_whoever_set_it() -> None:
    asked = [(b"content-type", b"application/grpc"), (b"te", b"trailers")]

    async with Http2Service(lambda *_: None).running() as silent:
        place = running("books", "b-1", port=silent.port)
        async with compiled_gateway(place, rule_within("30s"), BY_HTTP2) as gateway, calling(gateway.port) as caller:
            for number, (route, timeout, policy) in enumerate(
                (
                    ("30s", [(b"grpc-timeout", b"300m")], "caller's grpc-timeout"),
                    ("300ms", [], "Route default/r"),
                    ("300ms", [(b"grpc-timeout", b"9S")], "Route default/r"),
                ),
                1,
            ):
                gateway.apply(rule_within(route))
                gateway.lines.clear()
                stream = caller.begin([*head(b"POST", b"/shop.Books/Echo"), *asked, *timeout], ended=False)
                await caller.send(stream, b"\0\0\0\0\x04wait", ended=True)
                answer = await caller.answer(stream)
                told = answer.fields
                assert (answer.status, told[b"grpc-status"], told[b"content-type"]) == (200, b"4", b"application/grpc")
                assert (len(answer.body), len(answer.trailers), answer.reset) == (0, 0, None)
                await until(lambda: gateway.lines, what="its line")
                line = gateway.lines[0]
                assert (line["status"], line["grpc_status"], line["flag"]) == (504, 4, "DT")
                assert line["policy"] == policy
                await until(lambda: len(silent.connections[-1].resets) == number, what="its end at the service")  # noqa: B023
                left = dict(silent.requests[-1])[b"grpc-timeout"]
                assert 0 < int(left.removesuffix(b"m")) <= 300


@pytest.mark.proves("ServicePort.protocol")
async def test_a_service_says_by_its_port_what_it_speaks_and_a_policy_may_say_otherwise() -> None:
    async with books() as service:
        place, route = running("books", "b-1", port=service.port), document("Route", "r", edge_route(to("books")))
        async with (
            compiled_gateway(place, route) as gateway,
            grpc.aio.insecure_channel(
                f"127.0.0.1:{gateway.port}", options=(("grpc.default_authority", "shop.example"),)
            ) as channel,
        ):
            echo = channel.unary_unary("/shop.Books/Echo")
            assert (await fate(echo(b"x", timeout=20)))[0] == grpc.StatusCode.UNAVAILABLE
            gateway.apply(document("Service", "books", {"ports": [{"protocol": "grpc"}]}))
            assert await echo(b"x", timeout=20) == b"x"
            spoken = {"targets": [{"service": "books"}], "connection": {"http": "http1"}}
            gateway.apply(document("TrafficPolicy", "books", spoken))
            assert (await fate(echo(b"x", timeout=20)))[0] == grpc.StatusCode.UNAVAILABLE


async def test_a_caller_of_http_1_reaches_a_service_of_http_2() -> None:
    async with shop() as (_, gateway, _):
        caller = Caller(*await asyncio.open_connection("127.0.0.1", gateway.port))
        caller.send(
            b"POST /shop.Books/Echo HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE, close\r\n"
            b"Content-Type: application/grpc\r\nContent-Length: 6\r\n\r\n\0\0\0\0\x01x"
        )
        answer = await caller.rest()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"\r\n\r\n6\r\n\0\0\0\0\x01x\r\n0\r\n" in answer
        assert b"\r\ngrpc-status: 0\r\n" in answer


async def test_a_status_that_is_a_failure_opens_the_breaker_and_one_that_is_the_callers_does_not() -> None:
    breaker = {"targets": [{"service": "books"}], "breaker": {"minimum_requests": 5}, "connection": {"http": "http2"}}
    async with shop() as (_, gateway, channel):
        gateway.apply(document("TrafficPolicy", "books", breaker))
        echo = channel.unary_unary("/shop.Books/Echo")
        for code in (5, 9, 12, 8):
            for _ in range(5):
                await fate(echo(b"code %d" % code, timeout=20))
        for _ in range(30):
            _, words = await fate(echo(b"code 14", timeout=20))
            if words == "the breaker of default/books is open":
                break
        else:
            pytest.fail("the breaker stayed closed")
        await until(lambda: len(gateway.lines) > 20, what="its lines")
        assert {line["status"] for line in gateway.lines[:20]} == {404, 400, 429}
        assert (gateway.lines[20]["status"], gateway.lines[20]["reason"]) == (503, "")


async def test_an_instance_that_says_unavailable_is_ejected() -> None:
    async with books() as good, shop() as (bad, gateway, channel):
        gateway.apply(running("books", "b-2", port=good.port))
        good.failures = 0
        echo = channel.unary_unary("/shop.Books/Echo")
        for _ in range(60):
            try:
                await echo(b"code 14", timeout=20)
            except grpc.aio.AioRpcError:
                pass
        endpoints = {one.id: one for one in gateway.compiler.tables.endpoints.values()}
        assert endpoints["b-1"].ejected_until > 0
        assert endpoints["b-2"].ejected_until == 0
        assert bad.seen


@pytest.mark.proves("Retry.grpc_codes")
async def test_a_call_is_repeated_on_a_listed_status_and_the_service_is_told_unless_it_wants_no_other() -> None:
    retry = {"grpc_codes": [14], "non_idempotent": True, "max_retries": 2}
    policy = {"targets": [{"service": "books"}], "retry": retry, "connection": {"http": "http2"}}
    async with shop() as (service, gateway, channel):
        gateway.apply(document("TrafficPolicy", "books", policy))
        echo = channel.unary_unary("/shop.Books/Echo")
        service.failures = 2
        assert await echo(b"code 14", timeout=20) == b"well"
        told = [seen.get("grpc-previous-rpc-attempts") for seen in service.seen]
        assert told == [None, "1", "2"]
        service.failures = 1
        assert (await fate(echo(b"code 13", timeout=20)))[0] == grpc.StatusCode.INTERNAL
        service.failures, service.says = 1, (("grpc-retry-pushback-ms", "-1"),)
        assert (await fate(echo(b"code 14", timeout=20)))[0] == grpc.StatusCode.UNAVAILABLE
        service.failures, service.says = 1, (("grpc-retry-pushback-ms", "200"),)
        assert await echo(b"code 14", timeout=20) == b"well"
        await until(lambda: len(gateway.lines) == 4, what="their lines")
        assert gateway.lines[3]["duration_ms"] >= 200
        assert [line["attempts"] for line in gateway.lines] == [3, 1, 1, 2]
