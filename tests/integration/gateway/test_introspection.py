"""Tokens whose issuer is asked whether they hold (RFC 7662), through real sockets."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import parse_qs

import pytest

from meshway.snapshot import Change
from meshway.tasks import spawn
from tests.integration.gateway.test_access import OF_BOOKS, policy, rule
from tests.parts.changes import document, edge_route, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.ports import free_port
from tests.parts.secrets import contents
from tests.parts.upstream import Received, RecordingUpstream

ROUTE: Final = document("Route", "r", edge_route(to("books")))
BEARER: Final = "Authorization: Bearer opaque-1\r\n"
# Constant: names of tests must be the same in every process.
FAR_AHEAD_S: Final = 4_000_000_000


def answer(status: int = 200, **said: Any) -> bytes:
    body = json.dumps(said).encode()
    return b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


class Bench:
    """says: what the issuer answers, by token; None: nothing at all."""

    def __init__(self, gateway: CompiledGateway, books: RecordingUpstream, issuer: RecordingUpstream) -> None:
        self.gateway, self.books, self.issuer = gateway, books, issuer
        self.says: dict[str, bytes | None] = {}
        issuer.closes = True
        issuer.pieces_of = self._pieces
        self.ask = gateway.ask

    def _pieces(self, received: Received) -> list[bytes]:
        (token,) = parse_qs(received.body.decode())["token"]
        said = self.says.get(token, answer(active=False))
        return [] if said is None else [said]

    def asks(self, **fields: Any) -> Change:
        return asks(self.issuer.port, **fields)


def asks(port: int, **fields: Any) -> Change:
    block = {"endpoint": f"http://127.0.0.1:{port}/introspect", "client_id": "gate:way", "client_secret": "idp"}
    return document("Authentication", "people", {"methods": [{"introspection": block | {"timeout": "4s"} | fields}]})


@asynccontextmanager
async def bench(*changes: Change, **fields: Any) -> AsyncIterator[Bench]:
    async with RecordingUpstream().running() as books, RecordingUpstream().running() as issuer:
        place = running("books", "1", port=books.port)
        async with compiled_gateway(place, ROUTE, asks(issuer.port, **fields), *changes) as gateway:
            gateway.secrets.take(contents("idp", "opaque", {"client_secret": "s3 cret"}))
            yield Bench(gateway, books, issuer)


@pytest.mark.proves(
    "AuthenticationMethod.introspection", "Introspection.endpoint", "Introspection.client_id",
    "Introspection.client_secret",
)  # fmt: skip
async def test_a_token_holds_when_its_issuer_says_so() -> None:
    allowed = policy(targets=OF_BOOKS, rules=[rule("allow", when={"claims": {"scope": {"contains": "read"}}})])
    async with bench(allowed) as found:
        assert (await found.ask())[0] == 401
        assert found.issuer.requests == []
        status, head, body = await found.ask(fields=BEARER)
        assert status == 401
        assert 'www-authenticate: Bearer realm="default/people"' in head.replace("WWW-A", "www-a")
        assert "opaque-1" not in body
        (asked,) = found.issuer.requests
        assert (asked.method, asked.target) == (b"POST", b"/introspect")
        pair = base64.b64encode(b"gate%3Away:s3+cret")
        assert asked.values(b"authorization") == [b"Basic " + pair]
        assert parse_qs(asked.body.decode()) == {"token": ["opaque-1"], "token_type_hint": ["access_token"]}
        found.says["opaque-2"] = answer(active=True, sub="ann", scope="read write")
        found.says["opaque-3"] = answer(active=True, sub="bob", scope="write")
        assert (await found.ask(fields=BEARER.replace("1", "2")))[0] == 200
        assert (await found.ask(fields=BEARER.replace("1", "3")))[0] == 403
        await until(lambda: any(line["status"] == 200 for line in found.gateway.lines))
        line = next(line for line in found.gateway.lines if line["status"] == 200)
        assert line["principal"] == f"http://127.0.0.1:{found.issuer.port}/introspect#ann"
        assert found.books.requests[0].values(b"authorization") == []


@pytest.mark.parametrize(
    "said",
    [
        answer(active=False, sub="ann"),
        answer(active="true", sub="ann"),
        answer(active=1, sub="ann"),
        answer(sub="ann"),
        answer(active=True),
        answer(active=True, sub=""),
        answer(active=True, sub="a\nb"),
        answer(active=True, sub=["ann"]),
        answer(active=True, sub="ann", exp=1),
        answer(active=True, sub="ann", exp="never"),
        answer(active=True, sub="ann", exp=True),
        answer(active=True, sub="ann", nbf=FAR_AHEAD_S),
        answer(401, active=True, sub="ann"),
        answer(500, active=True, sub="ann"),
        answer(201, active=True, sub="ann"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrue",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + b" " * 70_000,
        b"HTTP/1.1 2",
        b"",
    ],
)
async def test_whatever_else_is_answered_lets_nobody_in(said: bytes) -> None:
    async with bench() as found:
        found.says["opaque-1"] = said
        assert (await found.ask(fields=BEARER))[0] in (401, 503)
        assert found.books.requests == []
        found.says["opaque-2"] = answer(active=True, sub="ann", exp=time.time() + 60)
        assert (await found.ask(fields=BEARER.replace("1", "2")))[0] == 200


@pytest.mark.proves("Introspection.audiences", "Introspection.from")
async def test_a_token_of_another_audience_or_in_another_place_is_refused() -> None:
    async with bench(audiences=["shop", "mill"], **{"from": [{"header": "X-Token"}]}) as found:
        for number, (audience, status) in enumerate(
            [("shop", 200), (["a", "mill"], 200), ("other", 401), ([], 401), (None, 401), ({"shop": 1}, 401)]
        ):
            said: dict[str, Any] = {} if audience is None else {"aud": audience}
            found.says[f"t-{number}"] = answer(active=True, sub="ann", **said)
            assert (await found.ask(fields=f"X-Token: t-{number}\r\n"))[0] == status, audience
        assert (await found.ask(fields=BEARER.replace("opaque-1", "t-0")))[0] == 401


@pytest.mark.proves("Introspection.cache", "Introspection.negative_cache")
async def test_a_yes_and_a_no_hold_for_their_time_and_no_yes_past_the_tokens_end() -> None:
    async with bench(cache="30s", negative_cache="5s") as found:
        found.says["opaque-1"] = answer(active=True, sub="ann")
        found.says["opaque-2"] = answer(active=True, sub="ann", exp=time.time() + 10)
        short = BEARER.replace("1", "2")
        assert [(await found.ask(fields=one))[0] for one in (BEARER, BEARER, short, short)] == [200] * 4
        assert len(found.issuer.requests) == 2
        found.says.clear()
        found.gateway.leap(11.0)
        assert [(await found.ask(fields=one))[0] for one in (BEARER, short, short)] == [200, 401, 401]
        assert len(found.issuer.requests) == 3
        found.gateway.leap(20.0)
        assert (await found.ask(fields=BEARER))[0] == 401
        found.says["opaque-2"] = answer(active=True, sub="ann")
        assert (await found.ask(fields=short))[0] == 200, "the no was over after 5 s"


async def test_another_secret_makes_it_ask_anew_and_without_one_nobody_is_let_in() -> None:
    async with bench() as found:
        found.says["opaque-1"] = answer(active=True, sub="ann")
        assert (await found.ask(fields=BEARER))[0] == 200
        found.gateway.secrets.take(contents("idp", "opaque", {"client_secret": "other"}))
        assert (await found.ask(fields=BEARER))[0] == 200
        assert len(found.issuer.requests) == 2
        found.gateway.secrets.drop([])
        status, _, body = await found.ask(fields=BEARER)
        assert (status, json.loads(body)["policy"]) == (503, "Authentication default/people")


@pytest.mark.proves("SecretRef.key")
async def test_the_text_of_a_secret_is_shown_that_is_asked_for() -> None:
    async with bench(client_secret={"secret": "idp", "key": "gateway"}) as found:
        found.says["opaque-1"] = answer(active=True, sub="ann")
        assert (await found.ask(fields=BEARER))[0] == 503
        found.gateway.secrets.take(contents("idp", "opaque", {"client_secret": "s3 cret", "gateway": "its own"}))
        assert (await found.ask(fields=BEARER))[0] == 200
        (asked,) = found.issuer.requests
        (shown,) = asked.values(b"authorization")
        assert base64.b64decode(shown.partition(b" ")[2]) == b"gate%3Away:its+own"


async def test_one_question_is_put_for_all_who_show_a_token_at_once() -> None:
    async with bench() as found:
        found.says["opaque-1"] = None
        calls = [spawn(found.ask(fields=BEARER), name="a call") for _ in range(10)]
        await until(lambda: found.issuer.requests, what="the question")
        await asyncio.sleep(0)
        found.gateway.apply(found.asks(timeout="200ms"))
        found.says["opaque-1"] = answer(active=True, sub="ann")
        assert {status for status, _, _ in await asyncio.gather(*calls)} <= {200, 503}
        assert len(found.issuer.requests) == 1
        assert (await found.ask(fields=BEARER))[0] == 200


@pytest.mark.proves("Introspection.timeout")
async def test_an_issuer_that_is_away_or_slow_lets_nobody_in_in_time() -> None:
    async with bench(timeout="100ms") as found:
        found.says["opaque-1"] = None
        status, head, body = await found.ask(fields=BEARER)
        assert (status, json.loads(body)["policy"]) == (503, "Authentication default/people")
        assert "retry-after" in head.lower()
        found.gateway.apply(found.asks(endpoint=f"http://127.0.0.1:{free_port()}/introspect"))
        assert (await found.ask(fields=BEARER))[0] == 503
        assert found.books.requests == []


async def test_no_more_questions_are_on_the_way_than_thirty_two() -> None:
    async with bench(timeout="5s") as found:
        found.says |= {f"t-{number}": None for number in range(40)}
        calls = [
            spawn(found.ask(fields=f"Authorization: Bearer t-{number}\r\n"), name="a call") for number in range(40)
        ]
        await until(lambda: len([call for call in calls if call.done()]) >= 8, what="those that find no place")
        assert len(found.issuer.requests) <= 32
        assert {call.result()[0] for call in calls if call.done()} == {503}
        for call in calls:
            call.cancel()
