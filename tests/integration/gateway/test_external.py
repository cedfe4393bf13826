"""External authorisation: another service decides, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest

from meshway.snapshot import Change
from tests.integration.gateway.test_access import OF_BOOKS, policy, rule
from tests.parts.changes import document, edge_route, gone, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.jwt_attacks import Issuer
from tests.parts.ports import free_port
from tests.parts.tokens import AUDIENCE, ISSUER, token
from tests.parts.upstream import Received, RecordingUpstream

ROUTE: Final = document("Route", "r", edge_route(to("books")))
YES: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
END: Final = b"\r\n"
EMPTY: Final = b"Content-Length: 0\r\n\r\n"


def asks(targets: Any = OF_BOOKS, **external: Any) -> Change:
    return policy(targets=targets, external={"service": {"service": "judge"}} | external)


class Bench:
    """answer: of the judge, without its empty line."""

    def __init__(self, gateway: CompiledGateway, books: RecordingUpstream, judge: RecordingUpstream) -> None:
        self.gateway = gateway
        self.books = books
        self.judge = judge
        self.ask = gateway.ask

    def answers(self, answer: bytes | Callable[[Received], bytes]) -> None:
        self.judge.pieces_of = lambda received: [answer if isinstance(answer, bytes) else answer(received)]


@asynccontextmanager
async def bench(*changes: Change, answer: bytes = YES + END) -> AsyncIterator[Bench]:
    books, judge = RecordingUpstream(), RecordingUpstream()
    judge.pieces_of = lambda _: [answer]
    async with books.running(), judge.running():
        places = running("books", "1", port=books.port), running("judge", "1", port=judge.port)
        async with compiled_gateway(*places, *changes) as gateway:
            yield Bench(gateway, books, judge)


@pytest.mark.proves("AccessPolicy.external", "ExternalCheck.service", "ExternalCheck.style")
async def test_envoys_style_asks_with_the_calls_own_method_and_path() -> None:
    async with bench(ROUTE, asks()) as found:
        status, _, _ = await found.ask("/a%2Db?c=d", fields="Authorization: Bearer x\r\nCookie: s=1\r\nX-A: b\r\n")
        assert status == 200
        (asked,) = found.judge.requests
        assert (asked.method, asked.target, asked.body) == (b"GET", b"/a-b?c=d", b"")
        assert asked.values(b"authorization") == [b"Bearer x"]
        assert asked.values(b"host") == [b"shop.example"]
        assert asked.values(b"x-forwarded-for") == [b"127.0.0.1"]
        assert asked.values(b"cookie") == asked.values(b"x-a") == []
        (served,) = found.books.requests
        assert asked.values(b"x-request-id") == served.values(b"x-request-id")
        assert not found.judge.violations

        found.answers(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nContent-Type: text/x\r\nX-Own: 1\r\n\r\nno")
        status, head, body = await found.ask("/", method="POST", fields="Content-Length: 3\r\n", body="abc")
        assert (status, body) == (403, "no")
        assert "Content-Type: text/x" in head.replace("content-type", "Content-Type")
        assert "x-own" not in head.lower()
        assert found.judge.requests[-1].method == b"POST"
        assert len(found.books.requests) == 1
        await until(lambda: len(found.gateway.lines) == 2)
        refused = next(line for line in found.gateway.lines if line["status"] == 403)
        assert (refused["policy"], refused["reason"], refused["flag"]) == ("AccessPolicy default/p", "denied", "UAEX")

        found.gateway.apply(gone("AccessPolicy", "p"))
        assert (await found.ask())[0] == 200
        assert len(found.judge.requests) == 2


@pytest.mark.proves("ExternalCheck.path", "ExternalCheck.client_headers")
async def test_forward_auth_asks_one_path_and_hands_its_redirect_on() -> None:
    to_login = (
        b"HTTP/1.1 302 Found\r\nLocation: /login\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n"
    )
    async with bench(ROUTE, asks(style="forward_auth", path="/verify"), answer=to_login) as found:
        status, head, _ = await found.ask("/a?b=c", method="DELETE")
        assert status == 302
        assert head.lower().count("set-cookie: ") == 2
        assert "location: /login" in head.lower()
        (asked,) = found.judge.requests
        assert (asked.method, asked.target) == (b"GET", b"/verify")
        assert asked.values(b"host") == [b"judge.default.mesh"]
        assert asked.values(b"x-forwarded-method") == [b"DELETE"]
        assert asked.values(b"x-forwarded-uri") == [b"/a?b=c"]
        assert asked.values(b"x-forwarded-host") == [b"shop.example"]
        assert asked.values(b"x-forwarded-proto") == [b"http"]
        found.answers(b"HTTP/1.1 204 No Content\r\n\r\n")
        assert (await found.ask())[0] == 200
        found.gateway.apply(asks(style="forward_auth", client_headers=["x-why"]))
        found.answers(b"HTTP/1.1 401 No\r\nX-Why: because\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n")
        status, head, body = await found.ask()
        assert status == 401
        assert "x-why: because" in head.lower()
        assert "location" not in head.lower()
        assert json.loads(body)["policy"] == "AccessPolicy default/p"


@pytest.mark.proves("ExternalCheck.on_failure")
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 304 Same\r\n\r\n",
        b"HTTP/1.1 2",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000,
        b"HTTP/1.1 101 Up\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
)
async def test_what_is_no_answer_refuses_unless_the_document_lets_it_pass(answer: bytes) -> None:
    async with bench(ROUTE, asks(), answer=answer) as found:
        found.judge.closes = True
        status, _, body = await found.ask()
        assert (status, json.loads(body)["code"]) == (503, "policy_unavailable")
        assert json.loads(body)["policy"] == "AccessPolicy default/p"
        found.gateway.apply(asks(on_failure="allow"))
        assert (await found.ask())[0] == 200
        assert len(found.books.requests) == 1


@pytest.mark.proves("ExternalCheck.timeout")
async def test_nobody_there_and_nobody_answering_refuse_in_time() -> None:
    async with bench(ROUTE, asks(timeout="100ms")) as found:
        found.judge.pieces_of = lambda _: []
        status, _, body = await found.ask()
        assert (status, json.loads(body)["code"]) == (503, "policy_unavailable")
        found.gateway.apply(running("judge", "1", port=free_port()))
        assert (await found.ask())[0] == 503
        found.gateway.apply(asks(service={"service": "nobody"}))
        status, _, body = await found.ask()
        assert (status, "default/nobody" in body) == (503, True)
        assert found.books.requests == []


@pytest.mark.proves("ExternalCheck.request_headers", "ExternalCheck.upstream_headers")
async def test_headers_go_where_the_document_says_and_none_is_believed_of_the_caller() -> None:
    external = {"request_headers": ["cookie"], "upstream_headers": ["X-User", "X-Roles"]}
    answer = YES + b"x-user: ann\r\nX-Other: 1\r\n" + END
    async with bench(ROUTE, asks(**external), answer=answer) as found:
        sent = "Cookie: s=1\r\nAuthorization: Bearer x\r\nx-user: root\r\nX-ROLES: admin\r\nX-Keep: k\r\n"
        assert (await found.ask(fields=sent))[0] == 200
        (asked,), (served,) = found.judge.requests, found.books.requests
        assert asked.values(b"cookie") == [b"s=1"]
        assert asked.values(b"authorization") == asked.values(b"x-user") == []
        assert served.values(b"x-user") == [b"ann"]
        assert served.values(b"x-roles") == served.values(b"x-other") == []
        assert served.values(b"x-keep") == [b"k"]


@pytest.mark.proves("ExternalCheck.cache", "CheckCache.ttl", "CheckCache.deny_ttl")
async def test_an_answer_holds_for_a_while_for_whoever_sends_the_same() -> None:
    external = {"cache": {"ttl": "10s", "deny_ttl": "2s"}, "upstream_headers": ["x-user"]}
    async with bench(ROUTE, asks(**external), answer=YES + b"x-user: ann\r\n" + END) as found:
        for _ in range(3):
            assert (await found.ask("/a"))[0] == 200
        assert len(found.judge.requests) == 1
        assert [served.values(b"x-user") for served in found.books.requests] == [[b"ann"]] * 3
        for other in ({"target": "/b"}, {"fields": "Authorization: x\r\n"}, {"method": "HEAD"}):
            before = len(found.judge.requests)
            await found.ask(**{"target": "/a"} | other)
            assert len(found.judge.requests) == before + 1, other
        found.gateway.leap(10.0)
        before = len(found.judge.requests)
        assert (await found.ask("/a"))[0] == 200
        assert len(found.judge.requests) == before + 1

        found.answers(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
        assert [(await found.ask("/no"))[0] for _ in range(2)] == [403, 403]
        assert len(found.judge.requests) == before + 2
        found.answers(YES + END)
        found.gateway.leap(2.0)
        assert (await found.ask("/no"))[0] == 200


async def test_a_yes_is_no_rules_allow_and_who_is_refused_by_a_rule_is_not_asked_about() -> None:
    mine = policy(targets=OF_BOOKS, default="deny", external={"service": {"service": "judge"}})
    async with bench(ROUTE, mine) as found:
        assert (await found.ask())[0] == 403
        assert found.judge.requests == []
        denying = policy(
            targets=OF_BOOKS,
            rules=[rule("deny", to=[{"path": {"prefix": "/admin"}}])],
            external={"service": {"service": "judge"}},
        )
        found.gateway.apply(denying)
        assert [(await found.ask(target))[0] for target in ("/admin", "/open")] == [403, 200]
        assert [asked.target for asked in found.judge.requests] == [b"/open"]


@pytest.mark.parametrize("targets", [[{"route": "r"}], [{"mesh": True}], [{"namespace": "default"}], OF_BOOKS])
async def test_it_is_asked_wherever_the_policy_speaks(targets: list[dict[str, Any]]) -> None:
    answer = b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"
    split = edge_route({"destinations": [{"service": "books"}, {"service": "films", "weight": 0}]})
    change = policy(targets=targets, external={"service": {"service": "judge"}}, namespace="default")
    if targets == [{"mesh": True}]:
        other = {"service": {"service": "judge", "namespace": "default"}}
        change = policy(targets=targets, external=other, namespace="mesh")
    rewritten = document("Route", "r", edge_route(to("books", rewrite={"path": {"full": "/x"}})))
    async with bench(ROUTE, change, answer=answer) as found:
        for route in (ROUTE, document("Route", "r", split), rewritten):
            found.gateway.apply(route)
            assert (await found.ask())[0] == 403
        assert found.books.requests == []
        found.answers(YES + END)
        assert (await found.ask())[0] == 200


async def test_who_is_asked_hears_of_the_caller_what_was_proved_and_not_what_he_says() -> None:
    ids = Issuer()
    jwt = {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks": ids.jwks, "claims_to_headers": {"sub": "X-User"}}
    people = document("Authentication", "people", {"methods": [{"jwt": jwt}], "require": "optional"})
    forged, bearer = "X-User: root\r\n", f"Authorization: Bearer {token(ids.ec, kid='ec')}\r\n"
    async with bench(ROUTE, asks(request_headers=["x-user", "x-a"]), people) as found:
        for fields, heard in ((forged, []), (forged + bearer, [b"ada"])):
            assert (await found.ask(fields=f"{fields}X-A: b\r\n"))[0] == 200
            assert found.judge.requests[-1].values(b"x-user") == found.books.requests[-1].values(b"x-user") == heard
            assert found.judge.requests[-1].values(b"x-a") == [b"b"]


async def test_what_the_answer_tells_comes_from_callers_neither_with_underscores_nor_in_trailers() -> None:
    passing = document("Listener", "edge", {"underscores": "pass"}, "mesh")
    async with bench(ROUTE, asks(upstream_headers=["X-Judged"]), passing) as found:
        fields = "X_Judged: root\r\nX_Other: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n"
        body = "1\r\na\r\n0\r\nx-Judged: root\r\nx-sum: 1\r\n\r\n"
        assert (await found.ask(method="POST", fields=fields, body=body))[0] == 200
        (served,) = found.books.requests
        assert served.values(b"x_judged") == []
        assert served.values(b"x_other") == [b"a"]
        assert served.trailers == (b"x-sum: 1",)


async def test_a_copy_goes_to_no_service_that_has_somebody_asked() -> None:
    copied = document("Route", "r", edge_route(to("films", mirror=[{"destination": {"service": "books"}}])))
    films = RecordingUpstream()
    async with films.running(), bench(copied, running("films", "1", port=films.port)) as found:
        assert (await found.ask())[0] == 200
        await until(lambda: found.books.requests, what="the copy")
        found.gateway.apply(asks())
        assert (await found.ask())[0] == 200
        found.gateway.apply(gone("AccessPolicy", "p"))
        assert (await found.ask())[0] == 200
        await until(lambda: len(found.books.requests) == 2, what="another copy")
        assert found.judge.requests == []


async def test_an_audit_asks_and_refuses_nobody() -> None:
    audit = policy(targets=OF_BOOKS, mode="audit", external={"service": {"service": "judge"}})
    async with bench(ROUTE, audit, answer=b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n") as found:
        assert (await found.ask())[0] == 200
        assert len(found.judge.requests) == 1


async def test_a_caller_who_leaves_takes_the_question_along_and_a_kept_connection_serves_again() -> None:
    async with bench(ROUTE, asks()) as found:
        for _ in range(5):
            assert (await found.ask())[0] == 200
        assert len(found.judge.raw) == 1, "one connection for all questions"
        found.judge.pieces_of = lambda _: []
        reader, writer = await asyncio.open_connection("127.0.0.1", found.gateway.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
        await until(lambda: len(found.judge.requests) == 6)
        writer.transport.abort()
        await until(lambda: any("DC" in line["flag"] for line in found.gateway.lines), what="the caller's end")
        found.answers(YES + END)
        assert (await found.ask())[0] == 200
        assert len(found.judge.raw) == 2, "the one with the question is closed"
        del reader
