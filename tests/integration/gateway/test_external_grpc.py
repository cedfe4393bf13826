"""External authorisation by gRPC: a real grpcio server of Envoy's API decides."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

from gateway.relay import unary_call
from meshway.grpc_message import framed
from meshway.snapshot import Change
from meshway.tasks import spawn
from tests.integration.gateway.test_access import OF_BOOKS, policy
from tests.parts.changes import document, edge_route, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.ext_authz import Judge, judge, no, option, yes
from tests.parts.http2_service import Fields, Http2Service, ServedConnection
from tests.parts.jwt_attacks import Issuer
from tests.parts.ports import free_port
from tests.parts.tokens import AUDIENCE, ISSUER, claims, token
from tests.parts.upstream import RecordingUpstream

ROUTE: Final = document("Route", "r", edge_route(to("books")))


def asks(targets: Any = OF_BOOKS, **external: Any) -> Change:
    said = {"service": {"service": "judge"}, "protocol": "grpc", "timeout": "4s"} | external
    return policy(targets=targets, external=said)


GRPC: Final = {"protocol": "grpc", "timeout": "4s"}


class Bench:
    def __init__(self, gateway: CompiledGateway, books: RecordingUpstream, judging: Judge) -> None:
        self.gateway, self.books, self.judge = gateway, books, judging
        self.ask = gateway.ask


@asynccontextmanager
async def bench(*changes: Change, **options: int) -> AsyncIterator[Bench]:
    books = RecordingUpstream()
    async with books.running(), judge(**options) as judging:
        places = running("books", "1", port=books.port), running("judge", "1", port=judging.port)
        async with compiled_gateway(*places, ROUTE, *changes) as gateway:
            yield Bench(gateway, books, judging)


def texts(entries: Any) -> dict[str, str]:
    return {entry.key: entry.value for entry in entries}


@pytest.mark.proves("ExternalCheck.protocol", "ExternalCheck.context")
async def test_a_call_is_asked_of_with_what_is_known_of_it() -> None:
    async with bench(asks(context={"team": "shop"})) as found:
        fields = "Authorization: Bearer x\r\nAccept: a\r\nAccept: b\r\nCookie: s=1\r\nX-A: b\r\nContent-Length: 3\r\n"
        status, _, _ = await found.ask("/a%2Db?c=d", method="POST", fields=fields, body="abc")
        assert status == 200
        (asked,) = found.judge.asked
        http = asked.request.http
        assert (http.method, http.path, http.host, http.scheme) == ("POST", "/a-b?c=d", "shop.example", "http")
        assert (http.size, http.protocol, http.query, http.body) == (3, "HTTP/1.1", "", "")
        sent = texts(http.headers)
        assert sent["authorization"] == "Bearer x"
        assert sent["accept"] == "a, b"
        assert "cookie" not in sent
        assert "x-a" not in sent
        assert sent["x-request-id"] == http.id != ""
        assert asked.source.address.socket_address.address == "127.0.0.1"
        assert (asked.source.principal, asked.source.service, asked.source.certificate) == ("", "", "")
        assert asked.destination.service == "default/books"
        assert texts(asked.context_extensions) == {"team": "shop"}
        assert asked.request.time.seconds > 1_500_000_000
        assert not asked.metadata_context.filter_metadata
        (served,) = found.books.requests
        assert served.body == b"abc"
        assert served.values(b"x-request-id") == [http.id.encode()]
        assert found.judge.metadata[0]["x-request-id"] == http.id


async def test_calls_beside_each_other_share_one_connection() -> None:
    async with bench(asks()) as found:
        found.judge.holds = asyncio.Event()
        calls = [spawn(found.ask(f"/{number}"), name="a call") for number in range(20)]
        await until(lambda: len(found.judge.asked) == 20, what="all questions")
        found.judge.holds.set()
        assert {status for status, _, _ in await asyncio.gather(*calls)} == {200}
        assert len(found.judge.peers) == 1


async def test_more_calls_than_the_service_takes_at_once_wait_for_their_turn() -> None:
    async with bench(asks(), max_concurrent_streams=2) as found:
        assert (await found.ask())[0] == 200  # its settings are known now
        answers = await asyncio.gather(*(found.ask(f"/{number}") for number in range(12)))
        assert [body for status, _, body in answers if status != 200] == []


@pytest.mark.parametrize(("refused", "status"), [(5, 200), (1_000, 503)])
async def test_a_question_that_nobody_looked_at_is_put_again_some_times(refused: int, status: int) -> None:
    """As by a server that may have few streams open, and counts one for longer than who has its answer."""
    service: Http2Service

    def answer(connection: ServedConnection, stream: int, _: Fields) -> None:
        if len(service.requests) <= refused:
            connection.h2.reset_stream(stream, 7)  # REFUSED_STREAM
            return
        connection.answer(stream, (b"content-type", b"application/grpc"), ended=False)
        connection.h2.send_data(stream, framed(yes().SerializeToString()))
        connection.h2.send_headers(stream, [(b"grpc-status", b"0")], end_stream=True)

    service = Http2Service(answer)
    async with bench(asks()) as found, service.running():
        found.gateway.apply(running("judge", "1", port=service.port))
        assert (await found.ask())[0] == status
    assert len(service.requests) == min(refused + 1, 8)


@pytest.mark.parametrize(
    ("says", "status"),
    [
        (no(), 403),
        (no(16), 403),
        (no(3), 403),
        (no(status={"code": 401}), 401),
        (no(status={"code": 429}), 429),
        (no(status={"code": 503}), 503),
        (grpc.StatusCode.PERMISSION_DENIED, 403),
        (grpc.StatusCode.UNAUTHENTICATED, 401),
    ],
)
async def test_a_refusal_is_the_callers_answer(says: Any, status: int) -> None:
    async with bench(asks()) as found:
        found.judge.says = says
        answered, _, body = await found.ask()
        assert answered == status
        told = json.loads(body)
        assert (told["code"], told["policy"]) == ("denied", "AccessPolicy default/p")
        assert "internal words" not in body
        await until(lambda: found.gateway.lines)
        line = found.gateway.lines[0]
        assert (line["policy"], line["reason"], line["flag"]) == ("AccessPolicy default/p", "denied", "UAEX")
        assert not found.books.requests
        found.judge.says = yes()
        assert (await found.ask())[0] == 200


async def test_a_refusal_brings_its_own_body_and_the_headers_that_are_listed() -> None:
    async with bench(asks()) as found:
        headers = [option("Location", "/login"), option("Set-Cookie", "a=1"), option("set-cookie", "b=2")]
        headers += [option("Content-Type", "text/x"), option("X-Own", "1")]
        found.judge.says = no(status={"code": 302}, headers=headers, body="no\n")
        status, head, body = await found.ask()
        assert (status, body) == (302, "no\n")
        lowered = head.lower()
        assert "location: /login" in lowered
        assert lowered.count("set-cookie: ") == 2
        assert "content-type: text/x" in lowered
        assert "x-own" not in lowered
        found.gateway.apply(asks(client_headers=["x-own"]))
        _, head, _ = await found.ask()
        assert "x-own: 1" in head.lower()
        assert "location" not in head.lower()
        found.judge.says = no(status={"code": 401}, body="x" * 65_536)
        assert len((await found.ask())[2]) == 65_536


async def test_a_yes_changes_what_the_service_gets_and_what_the_caller_gets() -> None:
    async with bench(asks()) as found:
        found.books.pieces_of = lambda _: [
            b"HTTP/1.1 200 OK\r\nX-Told: books\r\nX-Kept: books\r\nContent-Length: 0\r\n\r\n"
        ]
        found.judge.says = yes(
            headers=[
                option("X-User", "ann"),
                option("x-role", "reader", append=True),
                option("x-once", "new", action=1),
                option("x-there", "new", action=3),
                option("x-absent", "new", action=3),
            ],
            headers_to_remove=["authorization", "x-gone"],
            response_headers_to_add=[option("x-told", "judge"), option("x-kept", "judge", append=True)],
        )
        sent = "X-User: root\r\nX_User: root\r\nX-Role: writer\r\nX-Once: old\r\nX-There: old\r\n"
        sent += "X-Gone: 1\r\nX-Stays: s\r\n"
        status, head, _ = await found.ask(fields=sent + "Authorization: Bearer x\r\n")
        assert status == 200
        (served,) = found.books.requests
        assert served.values(b"x-user") == [b"ann"]
        assert served.values(b"x_user") == []
        assert served.values(b"x-role") == [b"writer", b"reader"]
        assert served.values(b"x-once") == [b"old"]
        assert served.values(b"x-there") == [b"new"]
        assert served.values(b"x-stays") == [b"s"]
        assert [served.values(name) for name in (b"x-absent", b"authorization", b"x-gone")] == [[], [], []]
        lines = head.lower().split("\r\n")
        assert [line for line in lines if line.startswith("x-told")] == ["x-told: judge"]
        assert sorted(line for line in lines if line.startswith("x-kept")) == ["x-kept: books", "x-kept: judge"]

        found.gateway.apply(asks(upstream_headers=["x-role"]))
        assert (await found.ask(fields="X-Role: root\r\n"))[0] == 200
        assert found.books.requests[-1].values(b"x-user") == []
        assert found.books.requests[-1].values(b"x-role") == [b"reader"]


async def test_what_two_documents_put_in_place_of_the_service_s_fields_both_stands() -> None:
    asks_other = document(
        "AccessPolicy", "q", {"targets": OF_BOOKS, "external": {"service": {"service": "other"}} | GRPC}
    )
    async with bench(asks()) as found, judge() as other:
        found.gateway.apply(running("other", "1", port=other.port), asks_other)
        found.books.pieces_of = lambda _: [
            b"HTTP/1.1 200 OK\r\nX-First: books\r\nX-Second: books\r\nContent-Length: 0\r\n\r\n"
        ]
        found.judge.says = yes(response_headers_to_add=[option("x-first", "judge")])
        other.says = yes(response_headers_to_add=[option("x-second", "other")])
        status, head, _ = await found.ask()
        assert status == 200
        told = [line for line in head.lower().split("\r\n") if line.startswith(("x-first", "x-second"))]
        assert sorted(told) == ["x-first: judge", "x-second: other"]


NOT_ANSWERS: Final[dict[str, Any]] = {
    "hop by hop": yes(headers=[option("Connection", "close")]),
    "host": yes(headers=[option("host", "other")]),
    "pseudo": yes(headers=[option(":path", "/admin")]),
    "length": yes(headers=[option("content-length", "0")]),
    "ours": yes(headers=[option("meshway-deadline", "1")]),
    "removes host": yes(headers_to_remove=["host"]),
    "to the caller": yes(response_headers_to_add=[option("transfer-encoding", "chunked")]),
    "splits": yes(headers=[option("x-a", "b\r\nx-c: d")]),
    "no name": yes(headers=[option("", "b")]),
    "denied length": no(headers=[option("content-length", "0")]),
    "query set": yes(query_parameters_to_set=[{"key": "a", "value": "b"}]),
    "query removed": yes(query_parameters_to_remove=["a"]),
    "long body": no(body="x" * 65_537),
    "status": no(status={"code": 101}),
    "not modified": no(status={"code": 304}),
    "no message": b"\xff\xff\xff",
    "cut": b"\x0a\x05",
    "too long": yes(headers=[option("x-a", "b" * 140_000)]),
    "unavailable": grpc.StatusCode.UNAVAILABLE,
    "internal": grpc.StatusCode.INTERNAL,
    "unimplemented": grpc.StatusCode.UNIMPLEMENTED,
    "ok-like": grpc.StatusCode.CANCELLED,
}


@pytest.mark.parametrize("case", NOT_ANSWERS)
async def test_what_is_no_answer_refuses_unless_the_document_lets_it_pass(case: str) -> None:
    async with bench(asks()) as found:
        found.judge.says = NOT_ANSWERS[case]
        status, _, body = await found.ask()
        assert (status, json.loads(body)["code"]) == (503, "policy_unavailable"), body
        assert json.loads(body)["policy"] == "AccessPolicy default/p"
        found.gateway.apply(asks(on_failure="allow"))
        assert (await found.ask(fields="X-A: a\r\n"))[0] == 200
        (served,) = found.books.requests
        assert served.values(b"x-a") == [b"a"]
        assert served.target == b"/"


@pytest.mark.parametrize(
    "says", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\x05\x04\0\0\0\0\0hello", b"\0\0\0\x07\0\0\0\0\0"]
)
async def test_what_is_no_http2_refuses(says: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(says)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with bench(asks()) as found:
        found.gateway.apply(running("judge", "1", port=server.sockets[0].getsockname()[1]))
        status, _, body = await found.ask()
        assert (status, json.loads(body)["code"]) == (503, "policy_unavailable"), body
        assert not found.books.requests
    server.close()


async def test_nobody_there_and_nobody_answering_refuse_in_time() -> None:
    async with bench(asks(timeout="100ms")) as found:
        found.judge.holds = asyncio.Event()
        status, _, body = await found.ask()
        assert (status, json.loads(body)["code"]) == (503, "policy_unavailable")
        found.judge.holds.set()
        found.gateway.apply(asks(), running("judge", "1", port=free_port()))
        assert (await found.ask())[0] == 503
        found.gateway.apply(asks(service={"service": "nobody"}))
        status, _, body = await found.ask()
        assert (status, "default/nobody" in body) == (503, True)
        assert found.books.requests == []


async def test_the_calls_own_deadline_ends_the_wait() -> None:
    short = document("Route", "r", edge_route(to("books", timeouts={"deadline": "150ms"})))
    async with bench(asks(), short) as found:
        found.judge.holds = asyncio.Event()
        assert (await found.ask())[0] == 504
        found.judge.holds.set()
        found.gateway.apply(ROUTE)
        assert (await found.ask())[0] == 200


async def test_a_caller_who_leaves_takes_the_question_along_and_the_connection_serves_on() -> None:
    async with bench(asks()) as found:
        found.judge.holds = asyncio.Event()
        _, writer = await asyncio.open_connection("127.0.0.1", found.gateway.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
        await until(lambda: len(found.judge.asked) == 1)
        writer.transport.abort()
        await until(lambda: any("DC" in line["flag"] for line in found.gateway.lines), what="the caller's end")
        found.judge.holds.set()
        assert (await found.ask())[0] == 200
        assert len(found.judge.peers) == 1, "no other connection was needed"


async def test_a_service_that_leaves_ends_what_it_has_and_another_connection_takes_over() -> None:
    async with bench(asks()) as found:
        found.judge.holds = asyncio.Event()
        waiting = spawn(found.ask("/first"), name="a call")
        await until(lambda: len(found.judge.asked) == 1)
        stopping = spawn(found.judge.server.stop(20), name="stop")  # GOAWAY, and time for what runs
        async with judge() as other:
            await asyncio.sleep(0)
            found.judge.holds.set()
            assert (await waiting)[0] == 200
            await stopping
            found.gateway.apply(running("judge", "1", port=other.port, generation=2))
            assert (await found.ask())[0] == 200
            assert len(other.asked) == 1


async def test_a_connection_that_closed_in_between_is_opened_anew() -> None:
    async with bench(asks()) as found:
        assert (await found.ask())[0] == 200
        port = found.judge.port
        await found.judge.server.stop(None)
        async with judge(port=port) as again:
            assert (await found.ask())[0] == 200
            assert len(again.asked) == 1
        assert (await found.ask())[0] == 503


async def test_questions_go_to_all_instances() -> None:
    async with bench(asks()) as found, judge() as second:
        found.gateway.apply(running("judge", "2", port=second.port))
        for _ in range(30):
            assert (await found.ask())[0] == 200
        assert found.judge.asked
        assert second.asked


@pytest.mark.proves("ExternalCheck.include_claims")
async def test_claims_are_sent_where_the_document_says_so_and_the_caller_is_named() -> None:
    ids = Issuer()
    jwt = {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks": ids.jwks}
    people = document("Authentication", "people", {"methods": [{"jwt": jwt}], "require": "optional"})
    bearer = f"Authorization: Bearer {token(ids.ec, claims(realm={'roles': ['a', 1, True, None]}), kid='ec')}\r\n"
    async with bench(asks(), people) as found:
        assert (await found.ask(fields=bearer))[0] == 200
        assert found.judge.asked[-1].source.principal == f"{ISSUER}#ada"
        assert not found.judge.asked[-1].metadata_context.filter_metadata
        found.gateway.apply(asks(include_claims=True))
        assert (await found.ask(fields=bearer))[0] == 200
        (entry,) = found.judge.asked[-1].metadata_context.filter_metadata
        assert entry.key == "envoy.filters.http.jwt_authn"
        payload = MessageToDict(entry.value)["jwt_payload"]
        assert payload["sub"] == "ada"
        assert payload["realm"] == {"roles": ["a", 1.0, True, None]}
        assert (await found.ask())[0] == 200
        assert not found.judge.asked[-1].metadata_context.filter_metadata


async def test_what_the_service_tells_of_a_call_is_in_the_log() -> None:
    async with bench(asks()) as found:
        told = Struct()
        told.update({"score": 7, "tags": ["a", None], "by": {"rule": 'x"y'}})
        answer = yes()
        answer.dynamic_metadata.CopyFrom(told)
        found.judge.says = answer
        assert (await found.ask())[0] == 200
        await until(lambda: found.gateway.lines)
        assert found.gateway.lines[0]["authorization"] == {"score": 7.0, "tags": ["a", None], "by": {"rule": 'x"y'}}
        refused = no()
        refused.dynamic_metadata.CopyFrom(told)
        found.judge.says = refused
        assert (await found.ask())[0] == 403
        await until(lambda: len(found.gateway.lines) == 2)
        assert found.gateway.lines[1]["authorization"]["score"] == 7.0
        told.update({"score": "x" * 5000})
        answer.dynamic_metadata.CopyFrom(told)
        found.judge.says = answer
        assert (await found.ask())[0] == 200
        await until(lambda: len(found.gateway.lines) == 3)
        assert "authorization" not in found.gateway.lines[2]


async def test_an_audit_asks_and_refuses_nobody() -> None:
    audit = policy(
        targets=OF_BOOKS, mode="audit", external={"service": {"service": "judge"}, "protocol": "grpc", "timeout": "4s"}
    )
    async with bench(audit) as found:
        found.judge.says = no()
        assert (await found.ask())[0] == 200
        assert len(found.judge.asked) == 1


async def test_a_judge_who_is_slower_than_the_calls_come_is_asked_so_much_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(unary_call, "MOST_ASKED", 3)
    async with bench(asks()) as found:
        assert (await found.ask())[0] == 200
        found.judge.holds = asyncio.Event()
        waiting = [spawn(found.ask(f"/{number}"), name="a call") for number in range(3)]
        await until(lambda: len(found.judge.asked) == 4)
        status, _, body = await found.ask("/one-more")
        assert (status, json.loads(body)["code"]) == (503, "policy_unavailable")
        found.judge.holds.set()
        assert [status for status, _, _ in await asyncio.gather(*waiting)] == [200] * 3
        assert (await found.ask())[0] == 200


async def test_a_connection_that_is_old_gives_way_to_a_new_one() -> None:
    spec = {"targets": [{"service": "judge"}], "connection": {"idle_timeout": "1h", "max_age": "100s"}}
    async with bench(asks(), document("TrafficPolicy", "p", spec)) as found:
        for leap_s, count in ((0.0, 1), (60.0, 1), (41.0, 2), (60.0, 2), (41.0, 3)):
            found.gateway.leap(leap_s)
            assert (await found.ask())[0] == 200
            assert len(found.judge.peers) == count, leap_s


async def test_a_connection_that_fell_silent_is_asked_nothing_more() -> None:
    """As when a firewall in between has forgotten it: nothing comes back, and no end of it is told."""
    has_fallen_silent = asyncio.Event()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_first: bool) -> None:
        while data := await reader.read(65536):
            if not (is_first and has_fallen_silent.is_set()):
                writer.write(data)
        writer.close()

    connections = 0

    async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        is_first = connections == 1
        there, back = await asyncio.open_connection("127.0.0.1", found.judge.port)
        await asyncio.gather(carry(reader, back, is_first), carry(there, writer, is_first))

    async with bench(asks(timeout="1s")) as found:
        server = await asyncio.start_server(between, "127.0.0.1", 0)
        found.gateway.apply(running("judge", "1", port=server.sockets[0].getsockname()[1], generation=2))
        assert (await found.ask())[0] == 200
        assert connections == 1
        has_fallen_silent.set()
        assert (await found.ask())[0] == 503
        assert (await found.ask())[0] == 200
        assert connections == 2
        server.close()
