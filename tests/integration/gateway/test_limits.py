"""RateLimits through real sockets: which calls they count, for how much, for how long, and how many run at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from meshway.snapshot import Change
from meshway.tasks import spawn
from tests.integration.gateway.test_decisions import route, saying, services
from tests.parts.changes import document, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.conditions import until
from tests.parts.jwt_attacks import Issuer
from tests.parts.secrets import api_key, kept
from tests.parts.tokens import AUDIENCE, ISSUER, claims, token
from tests.parts.upstream import RecordingUpstream

FIVE = {"token_bucket": {"rate": "5/h", "burst": 5}}


def limit(**spec: Any) -> Change:
    return document("RateLimit", "l", {"targets": [{"service": "books"}]} | spec)


@asynccontextmanager
async def limited(*changes: Change, upstream: RecordingUpstream | None = None) -> AsyncIterator[CompiledGateway]:
    async with (
        services(upstream or saying("1")) as books,
        compiled_gateway(*books, route(to("books")), *changes) as gateway,
    ):
        yield gateway


async def statuses(gateway: CompiledGateway, times: int, **call: Any) -> list[int]:
    return [(await gateway.ask(**call))[0] for _ in range(times)]


@pytest.mark.proves("RateLimit.match")
async def test_only_calls_that_match_are_counted() -> None:
    match = [{"path": {"prefix": "/search"}, "methods": ["POST"]}, {"path": {"template": "/reports/{id}"}}]
    async with limited(limit(token_bucket={"rate": "1/h", "burst": 1}, match=match)) as gateway:
        assert await statuses(gateway, 3, target="/search") == [200] * 3
        assert await statuses(gateway, 3, target="/reports") == [200] * 3
        post = {"target": "/search/a", "method": "POST", "fields": "Content-Length: 0\r\n"}
        assert await statuses(gateway, 2, **post) == [200, 429]
        assert await statuses(gateway, 1, target="/reports/7") == [429]
        _, head, _ = await gateway.ask("/search")
        assert "RateLimit" not in head


@pytest.mark.proves("RateLimit.cost")
async def test_a_call_costs_what_its_limit_says() -> None:
    async with limited(limit(**FIVE, cost=2)) as gateway:
        _, head, _ = await gateway.ask()
        assert 'RateLimit: "l";r=3' in head
        assert await statuses(gateway, 2) == [200, 429]


@pytest.mark.proves("Cost.request_header")
async def test_a_call_costs_what_its_header_says_and_never_less_than_one() -> None:
    async with limited(limit(**FIVE, cost={"request_header": "X-Cost"})) as gateway:
        assert await statuses(gateway, 1, fields="x-cost: 3\r\n") == [200]
        assert await statuses(gateway, 1, fields="x-cost: 3\r\n") == [429]
        assert await statuses(gateway, 3, fields="x-cost: -7\r\n") == [200, 200, 429]
        status, head, body = await gateway.ask(fields="x-cost: 6\r\n")
        assert (status, "never allows" in body, "Retry-After" in head) == (429, True, False)


@pytest.mark.proves("Cost.response_header")
async def test_an_answer_says_what_its_call_was_worth_to_the_gateway_alone() -> None:
    priced = RecordingUpstream(pieces_of=lambda _: [b"HTTP/1.1 200 OK\r\nX-Cost: 4\r\nContent-Length: 0\r\n\r\n"])
    async with limited(limit(**FIVE, cost={"response_header": "x-cost"}), upstream=priced) as gateway:
        _, head, _ = await gateway.ask()
        assert ('RateLimit: "l";r=4' in head, "X-Cost" in head) == (True, False)
        _, head, _ = await gateway.ask()
        assert 'RateLimit: "l";r=0' in head
        status, _, _ = await gateway.ask()
        assert status == 429


@pytest.mark.proves("Cost.request_bytes")
@pytest.mark.parametrize("framing", ["announced", "chunked"])
async def test_a_body_costs_by_its_length_also_where_that_is_known_only_at_its_end(framing: str) -> None:
    body = "x" * 3000
    fields = f"Content-Length: {len(body)}\r\n"
    if framing == "chunked":
        fields, body = "Transfer-Encoding: chunked\r\n", f"{len(body):x}\r\n{body}\r\n0\r\n\r\n"
    async with limited(limit(**FIVE, cost={"request_bytes": "1KiB"})) as gateway:
        assert await statuses(gateway, 1, method="POST", fields=fields, body=body) == [200]
        assert await statuses(gateway, 3) == [200, 200, 429]


class Holding:
    """An upstream that answers each call when it is told."""

    def __init__(self) -> None:
        self.asked = 0
        self.let_go = asyncio.Semaphore(0)

    async def hold(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        await self.let_go.acquire()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()


@asynccontextmanager
async def held(*changes: Change) -> AsyncIterator[tuple[CompiledGateway, Holding]]:
    upstream = Holding()
    server = await asyncio.start_server(upstream.hold, "127.0.0.1", 0)
    books = running("books", "1", port=server.sockets[0].getsockname()[1])
    async with compiled_gateway(books, route(to("books")), *changes) as gateway:
        yield gateway, upstream
    server.close()


@pytest.mark.proves("RateLimit.in_flight", "InFlight.max")
async def test_so_many_calls_of_a_key_run_at_once_and_another_when_one_has_ended() -> None:
    async with held(limit(in_flight={"max": 2}, key=["header.x-who"])) as (gateway, upstream):
        first = [spawn(gateway.ask(fields="x-who: ann\r\n"), name="call") for _ in range(2)]
        await until(lambda: upstream.asked == 2)
        status, head, body = await gateway.ask(fields="x-who: ann\r\n")
        assert (status, "Retry-After: 1" in head, '"rate_limited"' in body) == (429, True, True)
        assert 'RateLimit-Policy: "l";q=2;qu="concurrent-requests"\r\nRateLimit: "l";r=0\r\n' in head
        upstream.let_go.release()
        upstream.let_go.release()
        assert [(await call)[0] for call in first] == [200, 200]
        upstream.let_go.release()
        assert (await gateway.ask(fields="x-who: ann\r\n"))[0] == 200


async def test_a_caller_who_left_and_an_answer_that_failed_free_their_places() -> None:
    async with held(limit(in_flight={"max": 1})) as (gateway, upstream):
        left = spawn(gateway.ask(), name="call")
        await until(lambda: upstream.asked == 1)
        left.cancel()
        await until(lambda: len(gateway.lines) == 1)
        gone = spawn(gateway.ask(), name="call")
        await until(lambda: upstream.asked == 2)
        upstream.let_go.release()
        upstream.let_go.release()
        assert (await gone)[0] == 200


async def test_with_max_wait_calls_wait_for_a_place_in_order() -> None:
    async with held(limit(in_flight={"max": 1}, max_wait="30s")) as (gateway, upstream):
        first = spawn(gateway.ask(), name="call")
        await until(lambda: upstream.asked == 1)
        second = spawn(gateway.ask(), name="call")
        (counted,) = gateway.compiler.limits
        line = counted.line
        assert line is not None
        await until(lambda: line.waiting == 1)
        upstream.let_go.release()
        await until(lambda: upstream.asked == 2)
        upstream.let_go.release()
        assert [(await first)[0], (await second)[0]] == [200, 200]


@pytest.mark.proves("RateLimit.quota", "Quota.limit")
async def test_a_spent_quota_refuses_until_its_day_is_over() -> None:
    async with limited(limit(quota={"limit": 2, "per": "day"})) as gateway:
        answers = [await gateway.ask() for _ in range(3)]
        assert [status for status, _, _ in answers] == [200, 200, 429]
        assert 'RateLimit-Policy: "l";q=2;w=86400\r\nRateLimit: "l";r=1;t=' in answers[0][1]
        assert '"code":"quota_exceeded"' in answers[2][2].replace('": "', '":"')
        assert 0 < number_after("Retry-After: ", answers[2][1]) <= 25 * 3600 + 60


@pytest.mark.proves("Quota.per", "Quota.timezone")
@pytest.mark.parametrize(("per", "timezone"), [("day", "UTC"), ("day", "Asia/Kathmandu"), ("month", "Asia/Kathmandu")])
async def test_a_quota_ends_with_the_day_or_month_of_its_zone(per: str, timezone: str) -> None:
    async with limited(limit(quota={"limit": 1, "per": per, "timezone": timezone})) as gateway:
        _, head, _ = await gateway.ask()
        ends = datetime.now(ZoneInfo(timezone)).timestamp() + number_after(";t=", head)
        at = datetime.fromtimestamp(ends - 1.0, ZoneInfo(timezone))
        assert (at.hour, at.minute) in [(23, 59), (0, 0)], "its last second, or just behind it on a slow machine"
        if per == "month":
            assert at.day >= 28 or at.day == 1


def number_after(text: str, head: str) -> int:
    return int(head.partition(text)[2].partition("\r\n")[0].partition(";")[0])


ID = Issuer()
ACME, OTHER = api_key("acme0001"), api_key("acme0002")


def key_of(text: str) -> str:
    return f"X-API-Key: {text}\r\n"


def token_of(subject: str, **more: Any) -> str:
    return f"Authorization: Bearer {token(ID.ec, claims(sub=subject, **more), kid='ec')}\r\n"


def person(subject: str, more: str = "", **said: Any) -> Callable[[], str]:
    """The field that is shown at a call, made then: tokens are good for less long than a run of all tests takes."""
    return lambda: token_of(subject, **said) + more


def shop(key: str, more: str = "") -> Callable[[], str]:
    return lambda: key_of(key) + more


@pytest.mark.proves("RateLimit.key")
@pytest.mark.parametrize(
    ("part", "first", "same", "other"),
    [
        ("principal", person("ada", tenant="a"), person("ada", tenant="b"), person("bob", tenant="a")),
        ("principal", person("ada"), person("ada", "X-Principal: bob\r\n"), shop(ACME)),
        ("consumer", shop(ACME), shop(ACME, "X-Consumer: x\r\n"), shop(OTHER)),
        ("consumer", shop(ACME), shop(ACME), person("ada")),
        ("claim.tenant", person("ada", tenant="a"), person("bob", tenant="a"), person("ada", tenant="b")),
        ("claim.realm.id", person("ada", realm={"id": 7}), person("bob", realm={"id": 7}), person("ada")),
    ],
    ids=["principal", "principals of two kinds", "consumer", "no consumer", "claim", "claim in a claim"],
)
async def test_callers_are_counted_by_what_they_proved(
    part: str, first: Callable[[], str], same: Callable[[], str], other: Callable[[], str]
) -> None:
    jwt = {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks": ID.jwks}
    changes = [
        document("Authentication", "people", {"methods": [{"jwt": jwt}, {"api_key": {}}], "require": "optional"}),
        document("Consumer", "acme", {"credentials": [{"api_key": kept(ACME)}]}),
        document("Consumer", "other", {"credentials": [{"api_key": kept(OTHER)}]}),
    ]
    async with limited(limit(token_bucket={"rate": "1/h", "burst": 1}, key=[part]), *changes) as gateway:
        assert await statuses(gateway, 1, fields=first()) == [200]
        assert await statuses(gateway, 1, fields=same()) == [429]
        assert await statuses(gateway, 1, fields=other()) == [200]


@pytest.mark.parametrize(
    ("missing", "expected"), [("shared", [200, 429]), ("skip", [200, 200]), ("reject", [429, 429])]
)
async def test_who_has_proved_nothing_lacks_a_principal(missing: str, expected: list[int]) -> None:
    jwt = {"issuer": ISSUER, "audiences": [AUDIENCE], "jwks": ID.jwks}
    people = document("Authentication", "people", {"methods": [{"jwt": jwt}], "require": "optional"})
    spec = {"token_bucket": {"rate": "1/h", "burst": 1}, "key": ["principal"], "on_missing_key": missing}
    async with limited(limit(**spec), people) as gateway:
        assert await statuses(gateway, 2) == expected
        assert await statuses(gateway, 1, fields=token_of("ada")) == [200]
