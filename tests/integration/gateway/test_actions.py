"""What a rule does to a call beside sending it on, through real sockets."""

import asyncio
import gzip
import random
import zlib
from pathlib import Path
from typing import Any

import brotli
import pytest
import zstandard

from gateway.telemetry.counters import Counters, read_counters
from gateway.telemetry.prometheus import exposition
from gateway.wire.connection_limits import ConnectionLimits
from tests.integration.gateway.test_decisions import ROUND_ROBIN, route, saying, services
from tests.parts.changes import document, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.upstream import RecordingUpstream
from tests.parts.wire import Caller, ScriptedUpstream


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


@pytest.mark.proves("Respond.body", "Respond.content_type")
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


@pytest.mark.proves("Rule.request_body", "RequestBody.max")
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


@pytest.mark.proves("RequestBody.min_rate")
async def test_a_body_that_comes_slower_than_the_rule_wants_ends_the_call() -> None:
    rule = to("books", request_body={"min_rate": "1KiB"})
    limits = ConnectionLimits(body_grace_s=0.05)
    async with services(saying("1")) as books, compiled_gateway(*books, route(rule), limits=limits) as gateway:
        caller = await open_caller(gateway)
        caller.send(request("POST", "Content-Length: 100\r\n", "slow"))
        status, head, _ = await caller.answer()
        assert (status, b"meshway-reason: request_timeout" in head) == (408, True)
        caller.writer.close()


@pytest.mark.proves("Rule.fault", "Fault.delay", "FaultDelay.fixed")
async def test_a_fault_holds_calls_and_says_so_in_no_answer_but_their_time() -> None:
    rule = to("books", fault={"delay": {"fixed": "150ms"}})
    async with services(saying("1")) as books, compiled_gateway(*books, route(rule)) as gateway:
        began = asyncio.get_running_loop().time()
        assert (await gateway.ask())[0] == 200
        assert asyncio.get_running_loop().time() - began >= 0.15


@pytest.mark.proves("Fault.abort", "FaultAbort.status", "Fault.until")
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


@pytest.mark.proves("Fault.match")
async def test_a_fault_hits_only_who_is_meant() -> None:
    rule = to("books", fault={"abort": {"status": 500}, "match": {"headers": {"x-chaos": {"present": True}}}})
    async with services(saying("1")) as books, compiled_gateway(*books, route(rule)) as gateway:
        assert (await gateway.ask())[0] == 200
        assert (await gateway.ask(fields="X-Chaos: 1\r\n"))[0] == 500


async def test_what_is_removed_or_set_comes_from_callers_in_no_spelling() -> None:
    upstream = saying("1")
    changes = {"remove": ["X-Admin"], "set": {"X-Team": "web"}}
    passing = document("Listener", "edge", {"underscores": "pass"}, "mesh")
    rule = to("books", request_headers=changes)
    async with services(upstream) as books, compiled_gateway(*books, route(rule), passing) as gateway:
        fields = "X-Admin: 1\r\nX_Admin: 1\r\nx_team: root\r\nX_Other: kept\r\n"
        assert (await gateway.ask(fields=fields))[0] == 200
        (served,) = upstream.requests
        assert [served.values(name) for name in (b"x-admin", b"x_admin", b"x_team")] == [[], [], []]
        assert (served.values(b"x-team"), served.values(b"x_other")) == ([b"web"], [b"kept"])


@pytest.mark.proves("FaultAbort.grpc_status")
async def test_a_fault_of_grpc_is_an_answer_without_a_body() -> None:
    rule = to("books", fault={"abort": {"grpc_status": 14}})
    async with services(saying("1")) as books, compiled_gateway(*books, route(rule)) as gateway:
        status, head, body = await gateway.ask()
        assert (status, body) == (200, "")
        assert "grpc-status: 14" in head


@pytest.mark.proves("Rule.mirror", "Mirror.destination")
async def test_a_mirror_gets_a_copy_of_each_call_and_its_answer_is_nobodys() -> None:
    books, shadow = saying("1"), saying("shadow", 500)
    rule = to("books", mirror=[{"destination": {"service": "shadow"}}], request_headers={"set": {"X-Team": "web"}})
    async with services(books) as running_books, shadow.running():
        copies = running("shadow", "1", port=shadow.port)
        async with compiled_gateway(*running_books, copies, route(rule)) as gateway:
            status, _, body = await ask(gateway, request("POST", "Content-Length: 5\r\n", "hello", "/a?q=1"))
            assert (status, body) == (200, "1")
            assert (await gateway.ask("/b"))[0] == 200
            await until(lambda: len(shadow.requests) == 2, what="both copies")
            posted, got = shadow.requests
            assert (posted.method, posted.target, posted.body) == (b"POST", b"/a?q=1", b"hello")
            assert (posted.values(b"meshway-mirror"), posted.values(b"x-team")) == ([b"1"], [b"web"])
            assert got.target == b"/b"
            assert books.requests[0].values(b"meshway-mirror") == []
            assert posted.values(b"x-request-id") == books.requests[0].values(b"x-request-id")


@pytest.mark.proves("Mirror.compare", "MirrorCompare.status", "MirrorCompare.latency", "MirrorCompare.json_fields")
@pytest.mark.parametrize(
    ("compare", "verdict"),
    [
        ({}, "status"),
        ({"status": False, "latency": "30s"}, "same"),
        ({"status": False, "latency": "10ms"}, "latency"),
        ({"status": False, "json_fields": ["total", "items.0"]}, "same"),
        ({"status": False, "json_fields": ["id"]}, "json_fields"),
    ],
    ids=["status", "not much slower", "slower", "same fields", "other fields"],
)
async def test_how_a_mirrors_answer_differs_is_counted(compare: dict[str, Any], verdict: str, tmp_path: Path) -> None:
    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.1)
        body = b'{"id":2,"total":1,"items":[7]}'
        writer.write(b"HTTP/1.1 500 X\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await reader.read()
        writer.close()

    counters, shadow = Counters(tmp_path / "counters", 200), ScriptedUpstream(late)
    rule = to("books", mirror=[{"destination": {"service": "shadow"}, "compare": compare}])
    async with services(saying('{"id":1,"total":1,"items":[7]}')) as books, shadow.running():
        changes = [*books, running("shadow", "1", port=shadow.port), route(rule)]
        async with compiled_gateway(*changes, counters=counters) as gateway:
            assert (await gateway.ask())[0] == 200
            labels = f'{{route="default/r",rule="0",service="default/shadow",verdict="{verdict}"}} 1'

            def is_counted() -> bool:
                return f"meshway_mirror_comparisons_total{labels}" in exposition(read_counters(tmp_path / "counters"))

            await until(is_counted, what=f"{verdict} counted")


async def test_a_mirror_that_is_gone_or_never_answers_costs_the_call_nothing() -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    rule = to("books", mirror=[{"destination": {"service": "gone"}}, {"destination": {"service": "mute"}}])
    mute = ScriptedUpstream(never)
    async with services(saying("1")) as books, mute.running():
        others = [running("gone", "1", port=1), running("mute", "1", port=mute.port)]
        async with compiled_gateway(*books, *others, route(rule)) as gateway:
            answers = [await asyncio.wait_for(gateway.ask(), 1.0) for _ in range(3)]
            assert {status for status, _, _ in answers} == {200}
            await until(lambda: len(mute.received) == 3, what="copies")


@pytest.mark.proves("Mirror.percent")
async def test_a_mirror_gets_its_share_and_no_body_that_is_too_long() -> None:
    books, shadow = saying("1"), saying("shadow")
    rules = [
        to("books", {"prefix": "/none"}, mirror=[{"destination": {"service": "shadow"}, "percent": 0}]),
        to("books", {"prefix": "/all"}, mirror=[{"destination": {"service": "shadow"}}]),
    ]
    async with services(books) as running_books, shadow.running():
        copies = running("shadow", "1", port=shadow.port)
        async with compiled_gateway(*running_books, copies, route(*rules)) as gateway:
            for target in ("/none", "/all"):
                assert (await gateway.ask(target))[0] == 200
            long = 64 * 1024 + 1
            assert (await ask(gateway, request("POST", f"Content-Length: {long}\r\n", "x" * long, "/all")))[0] == 200
            assert (await gateway.ask("/all/last"))[0] == 200
            await until(lambda: len(shadow.requests) == 2, what="copies")
            assert [received.target for received in shadow.requests] == [b"/all", b"/all/last"]
            assert len(books.requests[2].body) == long


def telling(head: str, *pieces: bytes) -> RecordingUpstream:
    return RecordingUpstream(pieces_of=lambda received: [f"HTTP/1.1 {head}\r\n\r\n".encode(), *pieces])


@pytest.mark.proves("Rule.compression")
async def test_an_answer_is_compressed_for_who_takes_it() -> None:
    text = b"all work and no play " * 200
    upstream = telling(f'200 OK\r\nContent-Type: text/plain\r\nETag: "1"\r\nContent-Length: {len(text)}', text)
    rule = to("books", compression={"min_size": "1KiB"})
    async with services(upstream) as books, compiled_gateway(*books, route(rule)) as gateway:
        caller = await open_caller(gateway)
        caller.send(request(fields="Accept-Encoding: br, gzip\r\n"))
        head = await caller.head()
        assert b"Content-Encoding: gzip" in head
        assert b"Vary: Accept-Encoding" in head
        assert b'ETag: W/"1"' in head
        assert gzip.decompress(await read_body(caller, head)) == text
        caller.send(request())
        _, head, body = await caller.answer()
        assert body == text
        assert b"Content-Encoding" not in head
        assert b"Vary: Accept-Encoding" in head
        caller.writer.close()


@pytest.mark.parametrize(
    ("encodings", "accepted", "coding"),
    [
        (["br", "zstd", "gzip"], "gzip, deflate, br, zstd", "br"),
        (["zstd", "gzip"], "gzip, deflate, br, zstd", "zstd"),
        (["zstd", "gzip"], "gzip, br", "gzip"),
        (["br"], "gzip", ""),
    ],
)
@pytest.mark.proves("Compression.encodings")
async def test_of_the_encodings_of_a_rule_the_caller_gets_one_he_takes(
    encodings: list[str], accepted: str, coding: str
) -> None:
    text = b"all work and no play " * 200
    upstream = telling(f"200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}", text)
    rule = to("books", compression={"encodings": encodings})
    read = {"br": brotli.decompress, "zstd": zstandard.decompress, "gzip": gzip.decompress, "": bytes}
    async with services(upstream) as books, compiled_gateway(*books, route(rule)) as gateway:
        caller = await open_caller(gateway)
        for _ in range(2):
            caller.send(request(fields=f"Accept-Encoding: {accepted}\r\n"))
            head = await caller.head()
            said = head.partition(b"Content-Encoding: ")[2].partition(b"\r\n")[0]
            assert said.decode() == coding
            assert read[coding](await read_body(caller, head)) == text
        caller.writer.close()


@pytest.mark.parametrize(("min_size", "is_compressed"), [(20, True), (21, False)])
@pytest.mark.proves("Compression.min_size")
async def test_what_is_too_small_is_left_as_it_is(min_size: int, is_compressed: bool) -> None:
    upstream = telling("200 OK\r\nContent-Type: text/plain\r\nContent-Length: 20", b"a" * 20)
    rule = to("books", compression={"min_size": min_size})
    async with services(upstream) as books, compiled_gateway(*books, route(rule)) as gateway:
        caller = await open_caller(gateway)
        caller.send(request(fields="Accept-Encoding: gzip\r\n"))
        head = await caller.head()
        caller.writer.close()
        assert (b"Content-Encoding: gzip" in head) is is_compressed


async def test_the_head_alone_says_the_same_as_with_its_body() -> None:
    upstream = telling("200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4000")
    rule = to("books", compression={})
    async with services(upstream) as books, compiled_gateway(*books, route(rule)) as gateway:
        caller = await open_caller(gateway)
        for _ in range(2):  # on one connection, which a body would have spoilt
            caller.send(request("HEAD", "Accept-Encoding: gzip\r\n"))
            head = await caller.head()
            assert b"Content-Encoding: gzip" in head
            assert b"Content-Length" not in head
        caller.writer.close()


async def read_body(caller: Caller, head: bytes) -> bytes:
    """By length or by chunks, as the head says."""
    if b"Transfer-Encoding: chunked" not in head:
        length = next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length: "))
        return await caller.exactly(int(length.partition(b": ")[2]))
    body = b""
    while piece := await read_chunk(caller):
        body += piece
    assert await caller.until(b"\r\n") == b"\r\n"
    return body


async def read_chunk(caller: Caller) -> bytes:
    size = int(await caller.until(b"\r\n"), 16)
    return (await caller.exactly(size + 2))[:-2] if size else b""


async def test_a_compressed_stream_comes_piece_by_piece_and_keeps_its_trailers() -> None:
    go_on = asyncio.Event()

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"5\r\nfirst\r\n")
        await go_on.wait()
        writer.write(b"6\r\nsecond\r\n0\r\nX-Sum: 1\r\n\r\n")

    upstream = ScriptedUpstream(stream)
    rule = to("books", compression={})
    async with upstream.running():
        books = running("books", "1", port=upstream.port)
        async with compiled_gateway(books, route(rule)) as gateway:
            caller = await open_caller(gateway)
            caller.send(request(fields="Accept-Encoding: gzip\r\n"))
            assert b"Content-Encoding: gzip" in await caller.head()
            reader, text = zlib.decompressobj(31), b""
            while text != b"first":
                text += reader.decompress(await read_chunk(caller))
            go_on.set()
            while piece := await read_chunk(caller):
                text += reader.decompress(piece)
            assert (text, reader.eof) == (b"firstsecond", True)
            assert await caller.until(b"\r\n\r\n") == b"X-Sum: 1\r\n\r\n"
            caller.writer.close()


async def test_a_caller_who_reads_slowly_holds_the_service_back_when_compressed_too() -> None:
    sent = 0
    held = asyncio.Event()

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        while True:
            piece = random.randbytes(64 << 10) + bytes(64 << 10)
            writer.write(piece)
            sent += len(piece)
            try:
                await asyncio.wait_for(writer.drain(), 1.0)
            except TimeoutError:
                held.set()
                raise ConnectionError from None

    upstream = ScriptedUpstream(pour)
    rule = to("books", compression={})
    async with upstream.running():
        books = running("books", "1", port=upstream.port)
        async with compiled_gateway(books, route(rule)) as gateway:
            caller = await open_caller(gateway)
            caller.send(request(fields="Accept-Encoding: gzip\r\n"))
            await caller.head()
            await asyncio.wait_for(held.wait(), 20.0)
            assert sent < 64 << 20
            caller.writer.close()


@pytest.mark.proves("Rule.deprecation", "Deprecation.since", "Deprecation.sunset", "Deprecation.link")
async def test_what_will_go_is_announced_in_every_answer() -> None:
    rules = [
        to("books", {"prefix": "/v1"}, deprecation={"since": "2026-01-01", "link": "https://shop.example/v2"}),
        {"match": [{"path": {"exact": "/v0"}}], "respond": {"status": 410}, "deprecation": {"sunset": "2026-01-01"}},
    ]
    async with services(saying("1")) as books, compiled_gateway(*books, route(*rules)) as gateway:
        _, head, _ = await gateway.ask("/v1")
        assert "Deprecation: @1767225600" in head
        assert 'Link: <https://shop.example/v2>; rel="deprecation"' in head
        status, head, _ = await gateway.ask("/v0")
        assert (status, "Sunset: Thu, 01 Jan 2026 00:00:00 GMT" in head) == (410, True)


@pytest.mark.proves("Rule.retry", "Retry.max_retries", "Retry.grpc_codes", "Retry.non_idempotent")
async def test_a_code_of_grpc_is_tried_again_where_that_does_no_harm() -> None:
    busy = telling("200 OK\r\nContent-Type: application/grpc\r\ngrpc-status: 14\r\nContent-Length: 0")
    rule = to("books", retry={"max_retries": 1, "grpc_codes": [14], "non_idempotent": True})
    async with services(busy, saying("2")) as books, compiled_gateway(*books, ROUND_ROBIN, route(rule)) as gateway:
        for _ in range(2):
            status, _, body = await ask(gateway, request("POST"))
            assert (status, body) == (200, "2")
        assert len(busy.requests) == 1
        plain = to("books", retry={"max_retries": 0})
        gateway.apply(route(plain))
        assert {(await ask(gateway, request("POST")))[2] for _ in range(2)} == {"", "2"}


@pytest.mark.proves("Rewrite.host_from_header")
async def test_the_service_sees_the_host_that_a_header_names() -> None:
    upstream = saying("1")
    rule = to("books", rewrite={"host_from_header": "x-tenant"})
    async with services(upstream) as books, compiled_gateway(*books, route(rule)) as gateway:
        await gateway.ask(fields="X-Tenant: blue.example\r\n")
        await gateway.ask(fields="X-Tenant: blue/example\r\n")
        hosts = [received.values(b"host") for received in upstream.requests]
        assert hosts == [[b"blue.example"], [b"shop.example"]]


@pytest.mark.proves("PathRewrite.template", "PathRewrite.regex", "PathRewrite.substitution")
async def test_a_path_is_made_of_parts_of_the_old_one() -> None:
    upstream = saying("1")
    rules = [
        to("books", {"template": "/shops/{shop}/{id}"}, rewrite={"path": {"template": "/v2/{id}?shop={shop}"}}),
        to("books", {"prefix": "/old"}, rewrite={"path": {"regex": "^/old/([a-z]+)/", "substitution": "/new/\\1/of/"}}),
        to("books", {"exact": "/find"}, rewrite={"path": {"full": "/search?kind=book"}}),
        {"match": [{"path": {"template": "/go/{rest=**}"}}], "redirect": {"path": {"template": "/there/{rest}"}}},
    ]
    async with services(upstream) as books, compiled_gateway(*books, route(*rules)) as gateway:
        for target in ("/shops/a&b/7?q=1", "/old/cups/1?q=1", "/find?q=1"):
            assert (await gateway.ask(target))[0] == 200
        assert [received.target for received in upstream.requests] == [
            b"/v2/7?shop=a%26b",
            b"/new/cups/of/1?q=1",
            b"/search?kind=book",
        ]
        assert "Location: http://shop.example/there/a/b?q=1" in (await gateway.ask("/go/a/b?q=1"))[1]


CORS = {"allow_origins": ["https://a.example"], "allow_methods": ["PUT"], "allow_headers": ["x-team"]}
PREFLIGHT = "Origin: https://a.example\r\nAccess-Control-Request-Method: {}\r\n"


@pytest.mark.proves("Rule.cors", "Cors.allow_credentials", "Cors.expose_headers")
async def test_a_page_of_another_origin_asks_leave_and_reads_the_answer() -> None:
    upstream = telling("200 OK\r\nAccess-Control-Allow-Origin: *\r\nVary: Accept\r\nContent-Length: 2", b"ok")
    rule = to("books", cors=CORS | {"allow_credentials": True, "expose_headers": ["x-total"]})
    async with services(upstream) as books, compiled_gateway(*books, route(rule)) as gateway:
        asked = PREFLIGHT.format("PUT") + "Access-Control-Request-Headers: x-team\r\n"
        status, head, body = await ask(gateway, request("OPTIONS", asked))
        assert (status, body, upstream.requests) == (204, "", [])
        assert "Access-Control-Allow-Methods: PUT" in head
        assert "Access-Control-Max-Age: 3600" in head
        status, head, _ = await ask(gateway, request("PUT", "Origin: https://a.example\r\nContent-Length: 0\r\n"))
        allowed = [line for line in head.split("\r\n") if line.startswith("Access-Control-")]
        assert (status, allowed) == (
            200,
            [
                "Access-Control-Allow-Origin: https://a.example",
                "Access-Control-Allow-Credentials: true",
                "Access-Control-Expose-Headers: x-total",
            ],
        )
        assert "Vary: Accept" in head
        assert "Vary: Origin" in head


@pytest.mark.proves("Cors.allow_origins")
async def test_a_strange_page_is_refused_its_preflight_by_name_and_reads_nothing() -> None:
    upstream = telling("200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 2", b"ok")
    rule = to("books", name="api", cors=CORS)
    async with services(upstream) as books, compiled_gateway(*books, route(rule)) as gateway:
        strange = PREFLIGHT.format("PUT").replace("a.example", "evil.example")
        status, head, body = await ask(gateway, request("OPTIONS", strange))
        assert (status, "meshway-reason: cors_denied" in head, upstream.requests) == (403, True, [])
        assert "rule api of Route default/r allows pages of other origins no origin https://evil.example" in body
        status, head, _ = await gateway.ask(fields="Origin: https://evil.example\r\n")
        assert (status, "Access-Control" in head, "Vary: Origin" in head) == (200, False, True)


async def test_a_preflight_is_answered_by_the_rule_that_the_call_will_meet() -> None:
    other = CORS | {"allow_origins": ["https://b.example"]}
    rules = [
        to("books", name="writers") | {"match": [{"methods": ["PUT"], "headers": {"x-team": "web"}}], "cors": CORS},
        to("books", name="all", cors=other),
    ]
    async with services(saying("1")) as books, compiled_gateway(*books, route(*rules)) as gateway:
        for asked, status, named in (
            ("PUT\r\nAccess-Control-Request-Headers: x-team", 204, ""),
            ("PUT", 403, "rule all"),
            ("POST\r\nAccess-Control-Request-Headers: x-team", 403, "rule all"),
        ):
            got, _, body = await ask(gateway, request("OPTIONS", PREFLIGHT.format(asked)))
            assert (got, named in body) == (status, True)


async def test_a_rule_of_a_cookie_answers_preflights_that_it_has_leave_for() -> None:
    beta = to("books", name="beta") | {
        "match": [{"cookies": {"beta": "1"}}],
        "cors": CORS | {"allow_credentials": True},
    }
    rest = to("books", name="all", cors={"allow_origins": ["https://a.example"], "allow_methods": ["DELETE"]})
    async with services(saying("1")) as books, compiled_gateway(*books, route(beta, rest)) as gateway:
        for asked, status, told in (
            ("PUT", 204, "Access-Control-Allow-Credentials: true"),
            ("DELETE", 204, "Access-Control-Allow-Methods: DELETE"),  # the rule of a call without the cookie
            ("PATCH", 403, "rule all"),
        ):
            got, head, body = await ask(gateway, request("OPTIONS", PREFLIGHT.format(asked)))
            assert (got, told in head + body) == (status, True), asked
        open_to_all = beta | {"cors": CORS}
        gateway.apply(route(open_to_all, rest))
        # Browsers send no cookies where credentials are not allowed, so no call of a page meets that rule.
        assert (await ask(gateway, request("OPTIONS", PREFLIGHT.format("PUT"))))[0] == 403


async def test_our_own_refusals_can_be_read_by_the_page_that_was_refused() -> None:
    limit = document("RateLimit", "one", {"targets": [{"route": "r"}], "token_bucket": {"rate": "1/m", "burst": 1}})
    rule = to("books", cors=CORS)
    async with services(saying("1")) as books, compiled_gateway(*books, limit, route(rule)) as gateway:
        for status in (200, 429):
            got, head, _ = await gateway.ask(fields="Origin: https://a.example\r\n")
            assert (got, "Access-Control-Allow-Origin: https://a.example" in head) == (status, True)
        # A preflight is no call: it spends nothing.
        assert (await ask(gateway, request("OPTIONS", PREFLIGHT.format("PUT"))))[0] == 204
