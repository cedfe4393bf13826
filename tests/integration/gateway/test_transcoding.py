"""JSON over HTTP to a service of grpcio and back, by its descriptors."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from meshway.protobuf import block, number, octets
from meshway.snapshot import Change
from tests.parts.changes import document, edge_route, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.grpc_shop import SERVICE, Shop, descriptor_set, http_rule, in_base64, shop_service
from tests.parts.wire import Caller

SPEAKS_GRPC = document("Service", "books", {"ports": [{"protocol": "grpc"}]})
DESCRIPTORS = document("DescriptorSet", "shop", {"data": in_base64(descriptor_set())})


def transcoding(**fields: Any) -> Change:
    block = {"descriptors": "shop", "services": [SERVICE], **fields}
    return document("Route", "r", edge_route(to("books", transcode=block), hosts=["*"]))


@asynccontextmanager
async def shop(*changes: Change) -> AsyncIterator[tuple[Shop, CompiledGateway]]:
    async with shop_service() as service:
        place = running("books", "b-1", port=service.port)
        async with compiled_gateway(place, SPEAKS_GRPC, DESCRIPTORS, *(changes or (transcoding(),))) as gateway:
            yield service, gateway


async def ask(
    gateway: CompiledGateway, path: str, body: object = None, method: str = "", fields: str = ""
) -> tuple[int, Any]:
    text = "" if body is None else json.dumps(body)
    if text:
        fields += f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n"
    status, _, answer = await gateway.ask(path, method=method or ("POST" if text else "GET"), body=text, fields=fields)
    return status, json.loads(answer)


async def stream(gateway: CompiledGateway, path: str) -> tuple[str, str]:
    """Head and body of an answer without a length."""
    caller = Caller(*await asyncio.open_connection("127.0.0.1", gateway.port))
    caller.send(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await caller.rest()).partition(b"\r\n\r\n")
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        whole, body = whole + body[: int(size, 16)], body[int(size, 16) + 2 :]
    return head.decode(), whole.decode()


@pytest.mark.proves("Rule.transcode", "Transcode.descriptors", "Transcode.services", "DescriptorSet.data")
async def test_a_path_and_its_query_become_a_message_and_the_answer_json() -> None:
    async with shop() as (service, gateway):
        path = "/v1/shelves/a%20b/books/7?full=true&filter.tags=x&filter.tags=y&filter.pageCount=3&kind=NOVEL"
        status, book = await ask(gateway, path + "&since=2026-01-02T03:04:05Z", fields="X-Team: web\r\n")
        name = "shelves/a b/books/7"
        assert (status, book) == (
            200,
            {"name": name, "title": "Dune", "pageCount": "600", "kind": "NOVEL", "tags": ["a", "b"]},
        )
        (asked,) = service.asked
        assert (asked.name, asked.full, list(asked.filter.tags), asked.filter.page_count) == (name, True, ["x", "y"], 3)
        assert (asked.kind, asked.since.seconds) == (1, 1767323045)
        assert service.seen[0]["x-team"] == "web"
        assert (await ask(gateway, "/v1/any/a/b/d"))[1]["name"] == "a/b/d"
        await until(lambda: len(gateway.lines) == 2, what="their lines")
        assert [line["status"] for line in gateway.lines] == [200, 200]


async def test_a_body_is_the_message_or_one_field_of_it_and_the_path_goes_before() -> None:
    async with shop() as (service, gateway):
        book = {"title": "Emma", "page_count": 5, "printed": "2026-01-02T03:04:05Z", "sold": True}
        status, made = await ask(gateway, "/v1/shelves/b/books", book)
        assert (status, made["name"], made["printed"]) == (200, "shelves/b/books/1", "2026-01-02T03:04:05Z")
        status, echoed = await ask(gateway, "/v1/books:echo", {"title": "x" * 200_000, "kind": 1})
        assert (status, len(echoed["title"]), echoed["kind"]) == (200, 200_000, "NOVEL")
        assert [len(asked.ListFields()) for asked in service.asked] == [2, 2]


async def test_an_answer_may_be_one_field_of_the_message() -> None:
    async with shop() as (_, gateway):
        assert await ask(gateway, "/v1/titles") == (200, [{"title": "Dune"}, {"title": "Emma"}])


@pytest.mark.proves("Transcode.streaming")
async def test_many_messages_are_a_line_each_or_events_and_a_failure_among_them_is_the_last() -> None:
    async with shop() as (service, gateway):
        head, body = await stream(gateway, "/v1/shelves/a/books")
        assert "200 " in head
        assert "application/x-ndjson" in head
        assert [json.loads(line)["name"] for line in body.splitlines()] == [f"shelves/a/books/{n}" for n in range(3)]
        service.fails = grpc.StatusCode.DATA_LOSS
        _, body = await stream(gateway, "/v1/shelves/a/books")
        assert body.endswith('{"error":{"code": 15, "message": "as asked: 100 %"}}\n')
        gateway.apply(transcoding(streaming="sse"))
        head, body = await stream(gateway, "/v1/shelves/a/books")
        assert "text/event-stream" in head
        assert body.count("data: {") == 4
        assert "event: error\ndata: " in body


PICTURE = "\x00\x89PNG no json {"


async def test_a_message_that_is_a_body_of_http_goes_and_comes_as_it_is() -> None:
    async with shop() as (service, gateway):
        fields = f"Content-Type: image/png\r\nContent-Length: {len(PICTURE.encode())}\r\n"
        for method, path in (("PUT", "/v1/covers/7"), ("POST", "/v1/print")):
            status, head, body = await gateway.ask(path, method=method, body=PICTURE, fields=fields)
            assert (status, body) == (200, PICTURE)
            assert "\r\nContent-Type: image/png\r\n" in head
        cover, printed = service.asked
        assert (cover.name, cover.picture.content_type) == ("covers/7", "image/png")
        assert printed.data == PICTURE.encode()
        status, head, body = await gateway.ask("/v1/print", method="POST", body="x", fields="Content-Length: 1\r\n")
        assert (status, body) == (200, "x")
        assert "Content-Type: application/octet-stream" in head
        bad = f"Content-Type: {'x' * 300}\r\nContent-Length: 1\r\n"
        status, head, body = await gateway.ask("/v1/print", method="POST", body="x", fields=bad)
        assert (status, json.loads(body)["code"]) == (500, grpc.StatusCode.INTERNAL.value[0])


async def test_bodies_that_come_in_a_stream_are_one_and_break_off_where_it_fails() -> None:
    async with shop() as (service, gateway):
        head, body = await stream(gateway, "/v1/pages/7")
        assert "\r\nContent-Type: text/html; charset=utf-8\r\n" in head
        assert body == "<p>pages/7</p>" * 2
        service.fails = grpc.StatusCode.DATA_LOSS
        caller = Caller(*await asyncio.open_connection("127.0.0.1", gateway.port))
        caller.send(b"GET /v1/pages/7 HTTP/1.1\r\nHost: a\r\n\r\n")
        told = await caller.rest()
        assert told.count(b"<p>pages/7</p>") == 2
        assert not told.endswith(b"0\r\n\r\n"), "what is cut does not look like the end"


async def test_a_status_that_is_not_ok_is_one_of_http_with_its_words_and_details() -> None:
    book = octets(1, b"shelves/1")
    detail = octets(1, b"type.googleapis.com/shop.v1.Book") + block(2, book)
    async with shop() as (service, gateway):
        for code, status in (("NOT_FOUND", 404), ("UNAVAILABLE", 503), ("INVALID_ARGUMENT", 400), ("ABORTED", 409)):
            service.fails = grpc.StatusCode[code]
            service.details = (("grpc-status-details-bin", number(1, service.fails.value[0]) + block(3, detail)),)
            got, told = await ask(gateway, "/v1/shelves/a/books/1")
            assert got == status
            assert told == {
                "code": service.fails.value[0],
                "message": "as asked: 100 %",
                "details": [{"@type": "type.googleapis.com/shop.v1.Book", "name": "shelves/1"}],
            }
        await until(lambda: len(gateway.lines) == 4, what="their lines")
        assert [line["status"] for line in gateway.lines] == [404, 503, 400, 409]


@pytest.mark.proves("Transcode.unknown_query", "Transcode.max_message")
async def test_what_is_no_such_call_is_refused_before_the_service_hears_of_it() -> None:
    async with shop() as (service, gateway):
        for path, body, method, status in (
            ("/v1/nothing", None, "", 404),
            ("/v1/titles", None, "DELETE", 405),
            ("/v1/shelves/a/books/1?nothing=1", None, "", 400),
            ("/v1/shelves/a/books/1?full=maybe", None, "", 400),
            ("/v1/shelves/a/books/1?full=true&full=true", None, "", 400),
            ("/v1/shelves/a/books/1?filter=1", None, "", 400),
            ("/v1/shelves/a/books/1?filter.pageCount=x", None, "", 400),
            ("/v1/books:echo", {"nothing": 1}, "", 400),
            ("/v1/books:echo", [1], "", 400),
            ("/v1/titles", {"a": 1}, "GET", 400),
        ):
            got, problem = await ask(gateway, path, body, method)
            assert (got, problem["policy"]) == (status, "Route default/r"), path
        assert service.asked == []
        gateway.apply(transcoding(unknown_query="ignore", max_message="1KiB"))
        assert (await ask(gateway, "/v1/shelves/a/books/1?nothing=1"))[0] == 200
        assert (await ask(gateway, "/v1/books:echo", {"title": "x" * 2_000}))[0] == 413


@pytest.mark.proves("Transcode.emit_defaults", "Transcode.proto_names", "Transcode.enums_as_numbers")
async def test_json_is_written_as_the_rule_wants_it() -> None:
    async with shop(transcoding(emit_defaults=True, proto_names=True, enums_as_numbers=True)) as (_, gateway):
        _, book = await ask(gateway, "/v1/shelves/a/books/1")
        assert (book["page_count"], book["kind"], book["sold"]) == ("600", 1, False)


async def test_calls_of_grpc_pass_as_they_are() -> None:
    async with shop() as (_, gateway), grpc.aio.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
        answer = await channel.unary_unary(f"/{SERVICE}/GetBook")(octets(1, b"shelves/x"), timeout=20)
        assert octets(1, b"shelves/x") in answer


async def test_new_descriptors_hold_at_once_and_what_no_rule_can_be_made_of_leaves_the_last_ones() -> None:
    async with shop() as (_, gateway):
        more = [("Found", http_rule("GET", "/v1/found"))]
        gateway.apply(document("DescriptorSet", "shop", {"data": in_base64(descriptor_set(more))}))
        assert (await ask(gateway, "/v1/found"))[0] == 501  # the method is in the descriptors alone
        assert gateway.compiler.delta(99, [transcoding(services=["shop.v1.None"])]) != []
        assert (await ask(gateway, "/v1/titles"))[0] == 200
