"""External authorisation: of which calls somebody is asked, with what of them, and where he is."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import unquote

import grpc
import pytest

from meshway.certificates import read_pair
from meshway.snapshot import Change
from meshway.tls import client_context
from tests.integration.gateway.test_access import OF_BOOKS, policy
from tests.integration.gateway.test_external import EMPTY, END, ROUTE, YES, asks, bench
from tests.integration.gateway.test_external_grpc import asks as asks_by_grpc
from tests.integration.gateway.test_external_grpc import bench as grpc_bench
from tests.integration.gateway.test_external_grpc import texts
from tests.integration.gateway.test_mtls import SERVING, bundle, secret
from tests.integration.gateway.test_tls import certificate, hold, listener
from tests.integration.gateway.test_upstream_tls import OTHER, ROOT, server
from tests.parts.authority import Authority
from tests.parts.changes import document, edge_route, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.ext_authz import Judge, judge, no
from tests.parts.ports import free_port
from tests.parts.secrets import contents
from tests.parts.upstream import RecordingUpstream

NO: Final = b"HTTP/1.1 403 No\r\n" + EMPTY


@pytest.mark.proves("ExternalCheck.when")
async def test_only_calls_that_fit_are_asked_of_however_their_path_is_spelled() -> None:
    when = [{"path": {"prefix": "/admin"}, "methods": ["GET"]}, {"headers": {"x-risky": "yes"}}]
    loose = document("Route", "r", edge_route(to("books"), encoded_slashes="pass", double_slashes="pass"))
    async with bench(loose, asks(when=when), answer=NO) as found:
        asked_of = ["/admin", "/admin/a", "/Admin", "/admin%2Fa", "//admin", "/%2561dmin", "/admin;x=1", "/admin."]
        for target in asked_of:
            assert (await found.ask(target))[0] == 403, target
        assert (await found.ask("/open", fields="X-Risky: yes\r\n"))[0] == 403
        assert len(found.judge.requests) == len(asked_of) + 1
        for target, method in (("/open", "GET"), ("/administrator", "GET"), ("/admin", "DELETE")):
            assert (await found.ask(target, method=method))[0] == 200, target
        assert len(found.judge.requests) == len(asked_of) + 1


async def test_who_is_not_asked_about_cannot_write_what_the_answer_tells() -> None:
    external = {"when": [{"path": {"prefix": "/admin"}}], "upstream_headers": ["x-user"]}
    async with bench(ROUTE, asks(**external)) as found:
        assert (await found.ask("/open", fields="X-User: root\r\n"))[0] == 200
        assert found.books.requests[0].values(b"x-user") == []


@pytest.mark.proves("ExternalCheck.request_headers")
async def test_headers_may_be_named_by_a_match() -> None:
    async with bench(ROUTE, asks(request_headers=[{"prefix": "x-team-"}, "accept"])) as found:
        assert (await found.ask(fields="X-Team-A: 1\r\nx-team-b: 2\r\nX-Other: 3\r\nAccept: a\r\n"))[0] == 200
        (asked,) = found.judge.requests
        assert [asked.values(name) for name in (b"x-team-a", b"x-team-b", b"x-other", b"accept")] == [
            [b"1"], [b"2"], [], [b"a"],
        ]  # fmt: skip


@pytest.mark.proves("ExternalCheck.request_body", "CheckedBody.max", "CheckedBody.partial")
async def test_the_body_is_sent_whole_or_cut_and_the_service_gets_all_of_it() -> None:
    async with bench(ROUTE, asks(request_body={"max": "8B"})) as found:
        for body, fields in (("12345678", "Content-Length: 8\r\n"), ("8\r\n12345678\r\n0\r\n\r\n", CHUNKED)):
            assert (await found.ask(method="POST", fields=fields, body=body))[0] == 200
            asked, served = found.judge.requests[-1], found.books.requests[-1]
            assert (asked.body, served.body) == (b"12345678", b"12345678")
            assert asked.values(b"x-envoy-auth-partial-body") == [b"false"]
        for body, fields in (("123456789", "Content-Length: 9\r\n"), ("9\r\n123456789\r\n0\r\n\r\n", CHUNKED)):
            assert (await found.ask(method="POST", fields=fields, body=body))[0] == 413
        assert len(found.judge.requests) == len(found.books.requests) == 2
        assert (await found.ask())[0] == 200
        assert found.judge.requests[-1].body == b""

        found.gateway.apply(asks(request_body={"max": "8B", "partial": True}))
        for size in (7, 8, 9, 200_000):
            body = "x" * size
            assert (await found.ask(method="POST", fields=f"Content-Length: {size}\r\n", body=body))[0] == 200
            asked, served = found.judge.requests[-1], found.books.requests[-1]
            assert (asked.body, served.body) == (body[:8].encode(), body.encode())
            assert asked.values(b"x-envoy-auth-partial-body") == [b"true" if size > 8 else b"false"]
        found.answers(NO)
        before = len(found.books.requests)
        assert (await found.ask(method="POST", fields="Content-Length: 9\r\n", body="123456789"))[0] == 403
        assert len(found.books.requests) == before


CHUNKED: Final = "Transfer-Encoding: chunked\r\n"


async def test_of_a_body_that_never_ends_the_beginning_is_enough_where_it_may_be_cut() -> None:
    async with bench(ROUTE, asks(request_body={"max": "8B", "partial": True}), answer=NO) as found:
        reader, writer = await asyncio.open_connection("127.0.0.1", found.gateway.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 100)
        assert (await reader.readline()).startswith(b"HTTP/1.1 403")
        assert found.judge.requests[0].body == b"x" * 8
        writer.close()


async def test_by_grpc_a_body_is_text_or_bytes() -> None:
    async with grpc_bench(asks_by_grpc(request_body={"max": "1MiB"})) as found:
        text = "grüß"
        for body, members in (
            (text, (text, b"")),
            ("a" * 700_000, ("a" * 700_000, b"")),
        ):
            length = f"Content-Length: {len(body.encode())}\r\n"
            assert (await found.ask(method="POST", fields=length, body=body))[0] == 200
            http = found.judge.asked[-1].request.http
            assert (http.body, http.raw_body) == members
            assert texts(http.headers)["x-envoy-auth-partial-body"] == "false"
        _, writer = await asyncio.open_connection("127.0.0.1", found.gateway.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 2\r\n\r\n\xff\x00")
        await until(lambda: len(found.judge.asked) == 3)
        http = found.judge.asked[-1].request.http
        assert (http.body, http.raw_body) == ("", b"\xff\x00")
        writer.close()


@pytest.mark.proves("CheckCache.key")
async def test_a_key_of_its_own_says_which_calls_are_the_same() -> None:
    cache = {"ttl": "10s", "key": ["header.x-team", "host", "path"]}
    async with bench(ROUTE, asks(cache=cache)) as found:
        for target, team, asked in (
            ("/a?x=1", "red", 1),
            ("/a?x=2", "red", 1),
            ("/a", "blue", 2),
            ("/b", "red", 3),
            ("/a", "red", 3),
            ("/ared", "", 4),
        ):
            fields = f"X-Team: {team}\r\nAuthorization: {target}\r\n"
            assert (await found.ask(target, fields=fields))[0] == 200
            assert len(found.judge.requests) == asked, target
        found.gateway.apply(asks(cache={"ttl": "10s", "key": ["method", "source_ip", "query"]}))
        before = len(found.judge.requests)
        for target in ("/a", "/b", "/c"):
            assert (await found.ask(target))[0] == 200
        assert len(found.judge.requests) == before + 1
        assert (await found.ask("/a?b"))[0] == 200
        assert len(found.judge.requests) == before + 2


async def test_answers_by_grpc_are_kept_with_what_they_change() -> None:
    async with grpc_bench(asks_by_grpc(cache={"ttl": "10s", "deny_ttl": "2s"})) as found:
        for _ in range(3):
            assert (await found.ask("/a"))[0] == 200
        assert len(found.judge.asked) == 1
        assert (await found.ask("/b"))[0] == 200
        assert (await found.ask("/a", fields="Accept: b\r\n"))[0] == 200
        assert len(found.judge.asked) == 3
        found.judge.says = no()
        assert [(await found.ask("/no"))[0] for _ in range(2)] == [403, 403]
        assert len(found.judge.asked) == 4
        found.judge.says = grpc.StatusCode.UNAVAILABLE
        assert [(await found.ask("/away"))[0] for _ in range(2)] == [503, 503]
        assert len(found.judge.asked) == 6, "what nobody decided is not kept"


@pytest.mark.proves("ExternalCheck.url")
async def test_a_url_is_asked_by_the_guarded_client() -> None:
    books, deciding = RecordingUpstream(), RecordingUpstream()
    async with books.running(), deciding.running():
        for path, style, target in (
            ("", "envoy", b"/a?b"),
            ("/verify", "envoy", b"/verify/a?b"),
            ("/verify", "forward_auth", b"/verify"),
        ):
            url = f"http://127.0.0.1:{deciding.port}{path}"
            external = {"url": url, "style": style, "upstream_headers": ["x-user"], "timeout": "4s"}
            change = policy(targets=OF_BOOKS, external=external)
            async with compiled_gateway(running("books", "1", port=books.port), ROUTE, change) as gateway:
                deciding.pieces_of = lambda _: [YES + b"X-User: ann\r\n" + END]
                fields = "Authorization: Bearer x\r\nX-User: root\r\n"
                assert (await gateway.ask("/a?b", fields=fields))[0] == 200
                assert books.requests[-1].values(b"x-user") == [b"ann"]
                asked = deciding.requests[-1]
                assert asked.target == target
                assert asked.values(b"authorization") == [b"Bearer x"]
                assert asked.values(b"host") == [f"127.0.0.1:{deciding.port}".encode()]
                assert asked.values(b"x-forwarded-host") == [b"shop.example"]
                assert asked.values(b"x-request-id") == books.requests[-1].values(b"x-request-id")
                deciding.pieces_of = lambda _: [b"HTTP/1.1 401 No\r\nWWW-Authenticate: x\r\n" + EMPTY]
                status, head, _ = await gateway.ask("/a")
                assert (status, "www-authenticate: x" in head.lower()) == (401, True)
        assert not deciding.violations


async def test_a_url_that_does_not_answer_refuses() -> None:
    books = RecordingUpstream()
    async with books.running():
        for url in (f"http://127.0.0.1:{free_port()}", "https://169.254.169.254/x"):
            change = policy(targets=OF_BOOKS, external={"url": url, "timeout": "4s"})
            async with compiled_gateway(running("books", "1", port=books.port), ROUTE, change) as gateway:
                status, _, body = await gateway.ask()
                assert (status, json.loads(body)["code"]) == (503, "policy_unavailable")
        assert books.requests == []


@pytest.mark.proves("ExternalCheck.include_certificate")
async def test_the_callers_certificate_is_sent_where_the_document_says_so() -> None:
    partners = Authority("Partners")
    own = partners.issue("partner.example")
    opening = listener(tls={"client_auth": "optional", "trust": "partners"})
    async with judge() as judging, RecordingUpstream().running() as books:
        changes = [running("books", "1", port=books.port), running("judge", "1", port=judging.port), ROUTE]
        shown = certificate(hosts=["shop.example"])
        async with compiled_gateway(*changes, shown, opening, asks_by_grpc(include_certificate=True)) as gateway:
            hold(gateway, SERVING.issue("shop.example"))
            gateway.secrets.take(secret(partners))
            gateway.apply(bundle())
            tls = client_context(SERVING.pem, read_pair(own.certificate, own.key, 0.0))
            assert (await gateway.ask_by_tls(tls))[0] == 200
            told = unquote(judging.asked[-1].source.certificate)
            assert told.strip() == own.certificate.decode().strip()
            assert judging.asked[-1].request.http.scheme == "https"
            assert judging.asked[-1].tls_session.sni == "shop.example"
            gateway.apply(asks_by_grpc())
            assert (await gateway.ask_by_tls(tls))[0] == 200
            assert judging.asked[-1].source.certificate == ""
            assert (await gateway.ask())[0] == 200
            assert judging.asked[-1].tls_session.sni == ""


def tls_of(**tls: str) -> Change:
    calm = {"retry": {"max_retries": 0}, "outlier_detection": {"enabled": False}}
    return document("TrafficPolicy", "p", {"targets": [{"service": "judge"}], "tls": tls} | calm)


@asynccontextmanager
async def secured(*changes: Change) -> AsyncIterator[tuple[CompiledGateway, Judge]]:
    issued = ROOT.issue("127.0.0.1")
    credentials = grpc.ssl_server_credentials([(issued.key, issued.certificate)])
    async with judge(credentials) as judging, RecordingUpstream().running() as books:
        places = [running("books", "1", port=books.port), running("judge", "1", port=judging.port), ROUTE]
        async with compiled_gateway(*places, asks_by_grpc(), *changes) as gateway:
            gateway.secrets.take(contents("ca", "ca_bundle", ROOT.pem.decode()))
            gateway.secrets.take(contents("other", "ca_bundle", OTHER.pem.decode()))
            yield gateway, judging


async def test_by_tls_the_judge_must_prove_who_it_is() -> None:
    async with secured(tls_of(ca="ca")) as (gateway, judging):
        assert (await gateway.ask())[0] == 200
        assert len(judging.asked) == 1
        for tls in ({"ca": "other"}, {"ca": "ca", "sni": "other.example"}, {"ca": "none"}, {"mode": "off"}):
            gateway.apply(tls_of(**tls))
            assert (await gateway.ask())[0] == 503, tls
        assert len(judging.asked) == 1
        gateway.apply(tls_of(ca="ca"))
        assert (await gateway.ask())[0] == 200


async def test_a_judge_who_does_not_agree_to_http2_is_told_nothing() -> None:
    async with (
        RecordingUpstream().running() as books,
        RecordingUpstream().running(server(ROOT.issue("127.0.0.1"))) as http1,
    ):
        places = [running("books", "1", port=books.port), running("judge", "1", port=http1.port), ROUTE]
        async with compiled_gateway(*places, asks_by_grpc(), tls_of(ca="ca")) as gateway:
            gateway.secrets.take(contents("ca", "ca_bundle", ROOT.pem.decode()))
            status, _, body = await gateway.ask()
            assert (status, "h2" in body) == (503, True), body
            assert all(not raw for raw in http1.raw)
