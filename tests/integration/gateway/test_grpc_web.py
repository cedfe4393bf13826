"""gRPC-Web through the gateway to a service of grpcio: what browsers send and read, byte for byte (PROTOCOL-WEB.md)."""

import asyncio
import base64
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from meshway.snapshot import Change
from tests.parts.changes import document, edge_route, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.grpc_books import Books, books
from tests.parts.http2_caller import calling, head
from tests.parts.http2_service import Http2Service
from tests.parts.wire import Caller

SPEAKS_GRPC = document("Service", "books", {"ports": [{"protocol": "grpc"}]})
ORIGIN = "https://shop.example"


def message(data: bytes) -> bytes:
    return struct.pack("!BI", 0, len(data)) + data


def parts(body: bytes) -> tuple[list[bytes], dict[str, str]]:
    """The messages, and the trailers of the last frame."""
    messages: list[bytes] = []
    trailers: dict[str, str] = {}
    while body:
        flags, size = struct.unpack_from("!BI", body)
        frame, body = body[5 : 5 + size], body[5 + size :]
        assert len(frame) == size
        if flags & 0x80:
            assert not body, "trailers are the last"
            trailers = dict(line.split(": ", 1) for line in frame.decode().split("\r\n") if line)
        else:
            messages.append(frame)
    return messages, trailers


def untexted(body: bytes) -> bytes:
    """Base64 in pieces, each with its own padding."""
    quads = [body[at : at + 4] for at in range(0, len(body), 4)]
    return b"".join(map(base64.b64decode, quads))


@asynccontextmanager
async def shop(*changes: Change, **rule: Any) -> AsyncIterator[tuple[Books, CompiledGateway]]:
    async with books() as service:
        route = document("Route", "r", edge_route(to("books", **rule), hosts=["*"]))
        place = running("books", "b-1", port=service.port)
        async with compiled_gateway(place, route, SPEAKS_GRPC, *changes) as gateway:
            yield service, gateway


async def call(
    gateway: CompiledGateway,
    body: bytes,
    method: str = "Echo",
    kind: str = "application/grpc-web+proto",
    more: str = "",
) -> tuple[dict[str, str], bytes]:
    """Fields of the answer's head, with its status as `:status`, and its body."""
    caller = Caller(*await asyncio.open_connection("127.0.0.1", gateway.port))
    caller.send(
        f"POST /shop.Books/{method} HTTP/1.1\r\nHost: a\r\nOrigin: {ORIGIN}\r\nX-Grpc-Web: 1\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}Connection: close\r\n\r\n".encode()
        + body
    )
    start, _, rest = (await caller.rest()).partition(b"\r\n")
    fields, _, body = rest.partition(b"\r\n\r\n")
    found = {name.lower(): value for name, value in (line.split(": ", 1) for line in fields.decode().split("\r\n"))}
    found[":status"] = start.split()[1].decode()
    if found.get("transfer-encoding") == "chunked":
        whole = b""
        while body:
            size, _, body = body.partition(b"\r\n")
            whole, body = whole + body[: int(size, 16)], body[int(size, 16) + 2 :]
        body = whole
    return found, body


async def test_a_message_goes_and_comes_and_trailers_are_the_bodys_last_frame() -> None:
    async with shop() as (service, gateway):
        fields, body = await call(gateway, message(b"x" * 70_000), more="X-Team: shop\r\n")
        assert (fields[":status"], fields["content-type"]) == ("200", "application/grpc-web+proto")
        messages, trailers = parts(body)
        assert messages == [b"x" * 70_000]
        assert (trailers["grpc-status"], trailers["x-sum"]) == ("0", "70000")
        assert service.seen[0]["x-team"] == "shop"
        assert "x-grpc-web" not in service.seen[0]
        await until(lambda: gateway.lines, what="its line")
        assert gateway.lines[0]["bytes_out"] == len(body)


async def test_text_is_base64_each_way_piece_by_piece() -> None:
    async with shop() as (_, gateway):
        kind = "application/grpc-web-text"
        sent = base64.b64encode(message(b"hello")[:4]) + base64.b64encode(message(b"hello")[4:])
        fields, body = await call(gateway, sent, kind=kind)
        assert fields["content-type"] == "application/grpc-web-text"
        messages, trailers = parts(untexted(body))
        assert (messages, trailers["grpc-status"]) == ([b"hello"], "0")
        _, body = await call(gateway, base64.b64encode(message(b"50")), "Count", kind)
        assert parts(untexted(body))[0] == [b"%d" % number for number in range(50)]
        fields, body = await call(gateway, sent, kind=kind, more="Accept: application/grpc-web+proto\r\n")
        assert parts(body)[0] == [b"hello"]
        for bad in (b"****", sent[:-1]):
            fields, body = await call(gateway, bad, kind=kind)
            assert parts(untexted(body))[1]["grpc-status"] == "13"
            assert fields["meshway-reason"] == "bad_request"


async def test_a_failure_of_the_service_is_told_at_the_end_though_it_has_no_message() -> None:
    async with shop() as (_, gateway):
        fields, body = await call(gateway, message(b"fail"))
        assert "grpc-status" not in fields
        messages, trailers = parts(body)
        assert messages == []
        assert (trailers["grpc-status"], trailers["grpc-message"], fields["x-why"]) == ("9", "as asked", "asked")
        assert trailers["x-why"] == "asked", "which pages of other origins may not read of the head"
        assert not {"date", "content-type", "via"} & trailers.keys()


async def test_what_the_gateway_refuses_is_a_status_that_pages_can_read() -> None:
    limit = document(
        "RateLimit", "one", {"targets": [{"service": "books"}], "token_bucket": {"rate": "1/h"}, "scope": "gateway"}
    )
    async with shop(limit) as (_, gateway):
        await call(gateway, message(b"x"))
        fields, body = await call(gateway, message(b"x"))
        assert (fields[":status"], fields["meshway-reason"]) == ("200", "rate_limited")
        assert parts(body)[1]["grpc-status"] == "8"
        _, body = await call(gateway, base64.b64encode(message(b"x")), kind="application/grpc-web-text+proto")
        assert parts(untexted(body))[1]["grpc-status"] == "8"
        await until(lambda: len(gateway.lines) == 3, what="its line")
        assert [line["status"] for line in gateway.lines] == [200, 429, 429]


async def test_a_page_of_an_allowed_origin_may_send_and_read_what_grpc_web_needs_and_no_other() -> None:
    async with shop(cors={"allow_origins": [ORIGIN]}) as (_, gateway):
        preflight = (
            f"Origin: {ORIGIN}\r\nAccess-Control-Request-Method: POST\r\n"
            "Access-Control-Request-Headers: content-type,x-grpc-web,x-user-agent,grpc-timeout\r\n"
        )
        status, answer, _ = await gateway.ask("/shop.Books/Echo", method="OPTIONS", fields=preflight)
        assert (status, f"Access-Control-Allow-Origin: {ORIGIN}" in answer) == (204, True)
        status, _, _ = await gateway.ask(
            "/shop.Books/Echo", method="OPTIONS", fields=preflight.replace("x-user-agent", "x-secret")
        )
        assert status == 403
        fields, body = await call(gateway, message(b"x"))
        assert parts(body)[0] == [b"x"]
        assert fields["access-control-allow-origin"] == ORIGIN
        assert "grpc-status" in fields["access-control-expose-headers"]


async def test_by_http2_it_is_the_same_and_native_calls_pass_as_they_are() -> None:
    async with shop() as (_, gateway), calling(gateway.port) as caller:
        for kind, takes in ((b"application/grpc-web", True), (b"application/grpc", False)):
            fields = [*head(b"POST", b"/shop.Books/Echo"), (b"content-type", kind), (b"te", b"trailers")]
            stream = caller.begin(fields, ended=False)
            await caller.send(stream, message(b"x"), ended=True)
            answer = await caller.answer(stream)
            messages, trailers = parts(bytes(answer.body))
            assert messages == [b"x"]
            assert (trailers.get("grpc-status"), answer.trailers.get(b"grpc-status")) == (
                ("0", None) if takes else (None, b"0")
            )


async def test_a_service_whose_port_does_not_say_grpc_gets_these_calls_as_they_came() -> None:
    async with shop() as (service, gateway):
        gateway.apply(document("Service", "books", {"ports": [{"protocol": "http2"}]}))
        fields, body = await call(gateway, message(b"x"))
        assert fields["meshway-reason"] == "upstream_reset", "grpcio knows no gRPC-Web"
        assert parts(body)[1]["grpc-status"] == "14"
        assert service.seen == []


async def test_how_long_a_page_waits_is_its_calls_deadline_and_is_told_in_the_last_frame() -> None:
    async with Http2Service(lambda *_: None).running() as silent:
        place = running("books", "b-1", port=silent.port)
        route = document("Route", "r", edge_route(to("books"), hosts=["*"]))
        async with compiled_gateway(place, route, SPEAKS_GRPC) as gateway:
            fields, body = await call(gateway, message(b"wait"), more="grpc-timeout: 300m\r\n")
            messages, trailers = parts(body)
            assert (fields[":status"], messages, trailers["grpc-status"]) == ("200", [], "4")
            await until(lambda: silent.connections[0].resets, what="its end at the service")
            assert 0 < int(dict(silent.requests[0])[b"grpc-timeout"].removesuffix(b"m")) <= 300
            await until(lambda: gateway.lines, what="its line")
            line = gateway.lines[0]
            assert (line["status"], line["grpc_status"], line["policy"]) == (504, 4, "caller's grpc-timeout")
