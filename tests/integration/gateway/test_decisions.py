"""Documents as people write them, and what calls through real sockets get."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from gateway.exchange import MESH
from meshway.snapshot import Change
from meshway.tasks import spawn
from tests.parts.changes import document, edge_route, left, running, to
from tests.parts.compiled import compiled_gateway
from tests.parts.conditions import until
from tests.parts.upstream import RecordingUpstream

ROUND_ROBIN = document("TrafficPolicy", "rr", {"load_balancer": {"algorithm": "round_robin"}})


def saying(name: str, status: int = 200) -> RecordingUpstream:
    answer = f"HTTP/1.1 {status} Said\r\nX-Secret: 1\r\nContent-Length: {len(name)}\r\n\r\n{name}".encode()
    return RecordingUpstream(pieces_of=lambda received: [answer])


@asynccontextmanager
async def services(*upstreams: RecordingUpstream) -> AsyncIterator[list[Change]]:
    """Runs them as the instances 1, 2, … of books."""
    async with AsyncExitStack() as stack:
        for upstream in upstreams:
            await stack.enter_async_context(upstream.running())
        yield [running("books", str(number), port=upstream.port) for number, upstream in enumerate(upstreams, 1)]


def route(*rules: dict[str, Any], **fields: Any) -> Change:
    return document("Route", "r", edge_route(*rules, **fields))


@pytest.mark.proves("TrafficPolicy.load_balancer", "LoadBalancer.algorithm")
async def test_nine_calls_go_round_three_instances_and_skip_one_that_left() -> None:
    async with (
        services(saying("1"), saying("2"), saying("3")) as books,
        compiled_gateway(*books, ROUND_ROBIN, route(to("books"))) as gateway,
    ):
        assert [(await gateway.ask())[2] for _ in range(9)] == list("123123123")
        gateway.apply(left("books", "2"))
        assert [(await gateway.ask())[2] for _ in range(4)] == list("1313")


async def test_a_service_is_called_on_the_mesh_without_any_route() -> None:
    async with services(saying("1")) as books, compiled_gateway(*books, face=MESH) as gateway:
        for host in ("books", "books.default", "books.default.mesh"):
            assert (await gateway.ask(host=host))[0] == 200
        assert (await gateway.ask(host="nobody.default.mesh"))[0] == 404


@pytest.mark.proves(
    "Rule.rewrite",
    "Rewrite.path",
    "Rewrite.host",
    "PathRewrite.prefix",
    "Rule.request_headers",
    "Rule.response_headers",
    "HeaderChanges.set",
    "HeaderChanges.add",
    "HeaderChanges.remove",
)
async def test_what_was_matched_is_what_the_service_gets() -> None:
    books_one = saying("1")
    rule = to(
        "books",
        {"prefix": "/shop"},
        rewrite={"path": {"prefix": "/v2"}, "host": "books.internal"},
        request_headers={"set": {"X-Team": "web"}, "remove": ["X-Old"]},
        response_headers={"remove": ["X-Secret"], "add": {"X-New": "1"}},
    )
    async with services(books_one) as books, compiled_gateway(*books, route(rule)) as gateway:
        _, head, _ = await gateway.ask("/shop//%62ooks/../a?q=%2f", fields="X-Old: 1\r\nx-team: none\r\n")
        (received,) = books_one.requests
        assert received.target == b"/v2/a?q=%2f"
        assert received.values(b"host") == [b"books.internal"]
        assert received.values(b"x-team") == [b"web"]
        assert received.values(b"x-old") == []
        assert "X-New: 1" in head
        assert "X-Secret" not in head
        assert (await gateway.ask("/shop/%2e%2e%2fadmin"))[0] == 400


@pytest.mark.proves("TokenBucket.rate")
async def test_the_sixth_call_of_a_second_is_refused_and_told_when_to_come_back() -> None:
    limit = document("RateLimit", "five", {"targets": [{"route": "r"}], "token_bucket": {"rate": "5/m", "burst": 5}})
    async with services(saying("1")) as books, compiled_gateway(*books, route(to("books")), limit) as gateway:
        answers = [await gateway.ask() for _ in range(6)]
        assert [status for status, _, _ in answers] == [200] * 5 + [429]
        assert 'RateLimit: "five";r=4' in answers[0][1]
        assert "Retry-After: 1" in answers[5][1]
        assert '"code":"rate_limited"' in answers[5][2].replace(" ", "")


@pytest.mark.proves("RateLimit.sliding_window", "SlidingWindow.limit", "SlidingWindow.window")
async def test_a_sliding_window_refuses_the_call_above_its_limit_until_the_first_has_left() -> None:
    window = {"limit": 2, "window": "1s", "exact": True}
    limit = document("RateLimit", "two", {"targets": [{"service": "books"}], "sliding_window": window})
    async with services(saying("1")) as books, compiled_gateway(*books, route(to("books")), limit) as gateway:
        answers = [await gateway.ask() for _ in range(3)]
        assert [status for status, _, _ in answers] == [200, 200, 429]
        assert 'RateLimit-Policy: "two";q=2;w=1' in answers[0][1]
        assert '"policy":"RateLimit default/two"' in answers[2][2].replace('": "', '":"')
        async with asyncio.timeout(5.0):
            while (await gateway.ask())[0] != 200:
                await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("key", "first", "same", "other"),
    [
        ("header.x-key", {"fields": "x-key: a\r\n"}, {"fields": "X-Key: a\r\n"}, {"fields": "x-key: b\r\n"}),
        ("query.tenant", {"target": "/?tenant=a"}, {"target": "/x?tenant=a&b"}, {"target": "/?tenant=b"}),
        ("path.tenant", {"target": "/t/a"}, {"target": "/t/a?b"}, {"target": "/t/b"}),
        ("rule", {"target": "/t/a"}, {"target": "/t/b"}, {"target": "/"}),
        ("source_ip", {}, {"target": "/x"}, None),
        ("method", {}, {"target": "/x"}, None),
        ("service", {}, {"target": "/t/a"}, None),
        ("route", {}, {"target": "/t/a"}, None),
    ],
)
@pytest.mark.proves("RateLimit.key")
async def test_calls_with_the_same_key_share_a_limit_and_others_do_not(
    key: str, first: dict[str, str], same: dict[str, str], other: dict[str, str] | None
) -> None:
    spec = {"targets": [{"route": "r"}], "key": [key], "token_bucket": {"rate": "1/m", "burst": 1}}
    rules = route(to("books", {"template": "/t/{tenant}"}) | {"name": "one"}, to("books") | {"name": "all"})
    async with (
        services(saying("1")) as books,
        compiled_gateway(*books, rules, document("RateLimit", "l", spec)) as gateway,
    ):
        assert (await gateway.ask(**first))[0] == 200
        status, head, body = await gateway.ask(**same)
        assert (status, "RateLimit-Policy: " in head, "violated-policies" in body) == (429, True, True)
        if other is not None:
            assert (await gateway.ask(**other))[0] == 200


@pytest.mark.proves("RateLimit.max_wait", "RateLimit.max_queue")
async def test_with_max_wait_a_call_above_the_limit_waits_for_its_turn() -> None:
    spec = {"targets": [{"service": "books"}], "token_bucket": {"rate": "10/s", "burst": 1}, "max_wait": "350ms"}
    limit = document("RateLimit", "calm", spec | {"max_queue": 2})
    async with services(saying("1")) as books, compiled_gateway(*books, route(to("books")), limit) as gateway:
        began = asyncio.get_running_loop().time()
        answers = await asyncio.gather(*(gateway.ask() for _ in range(4)))
        took_s = asyncio.get_running_loop().time() - began
        assert sorted(status for status, _, _ in answers) == [200, 200, 200, 429]
        assert took_s >= 0.2


async def test_a_redirect_needs_no_service() -> None:
    async with compiled_gateway(route({"redirect": {"scheme": "https", "status": 308}})) as gateway:
        status, head, _ = await gateway.ask("/a?q=1")
        assert status == 308
        assert "Location: https://shop.example/a?q=1" in head


async def test_an_instance_that_is_gone_costs_no_caller_a_failure_and_is_ejected() -> None:
    async with services(saying("1"), saying("2")) as books:
        dead = running("books", "0", port=1)  # nobody listens there
        async with compiled_gateway(*books, dead, ROUND_ROBIN, route(to("books"))) as gateway:
            answers = [await gateway.ask() for _ in range(24)]
            assert {status for status, _, _ in answers} == {200}
            cluster = gateway.compiler.tables.clusters["default/books"]
            assert [endpoint.id for endpoint in cluster.eligible] == ["1", "2"]


@pytest.mark.proves(
    "TrafficPolicy.bulkhead", "Bulkhead.max_requests", "Bulkhead.max_pending", "Bulkhead.pending_timeout"
)
async def test_calls_above_the_bulkhead_wait_in_order_and_no_longer_than_allowed() -> None:
    release = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await release.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    policy = {"bulkhead": {"max_requests": 1, "max_pending": 1, "pending_timeout": "150ms"}}
    changes = [running("books", "1", port=port), route(to("books")), document("TrafficPolicy", "p", policy)]
    async with compiled_gateway(*changes) as gateway:
        bulkhead = gateway.compiler.tables.clusters["default/books"].bulkhead
        assert bulkhead is not None
        first = spawn(gateway.ask(), name="call")
        await until(lambda: len(bulkhead.held) == 1)
        second = spawn(gateway.ask(), name="call")
        await until(lambda: bulkhead.waiting == 1)
        status, _, body = await gateway.ask()
        assert (status, "pending_full" in body) == (503, True)
        status, _, body = await second
        assert (status, "pending_timeout" in body) == (503, True)
        release.set()
        assert (await first)[0] == 200
        assert (await gateway.ask())[0] == 200
    server.close()


async def test_templates_queries_cookies_and_expressions_decide_and_their_names_go_on() -> None:
    one, two = saying("1"), saying("2")
    async with services(one) as books, services(two) as others:
        films = [running("films", "1", port=two.port)]
        del others
        rules = [
            to(
                "books",
                {"template": "/reviews/{id}"},
                request_headers={"set": {"x-id": "no-${path.id}", "x-call": "${request_id}"}},
                response_headers={"set": {"x-secret": "${path.id}"}},
            ),
            {"match": [{"query": {"v": {"regex": "2.*"}}}], "destinations": [{"service": "films"}]},
            {"match": [{"cookies": {"beta": {"present": True}}}], "destinations": [{"service": "films"}]},
            {
                "match": [{"source": {"cidr": ["127.0.0.0/8"]}, "scheme": "http"}],
                "destinations": [{"service": "books"}],
            },
            {"match": [{"path": {"regex": "/[0-9]+"}}], "destinations": [{"service": "films"}]},
        ]
        async with compiled_gateway(*books, *films, route(*rules)) as gateway:
            _, head, _ = await gateway.ask("/reviews/7%2d1", fields="X-Request-Id: call-0001\r\n")
            (received,) = one.requests
            assert received.values(b"x-id") == [b"no-7-1"]
            assert received.values(b"x-call") == [b"call-0001"]
            assert "x-secret: 7-1" in head
            assert "X-Secret: 1" not in head
            assert (await gateway.ask("/?v=21"))[2] == "2"
            assert (await gateway.ask("/", fields="Cookie: a=b; beta=1\r\n"))[2] == "2"
            assert (await gateway.ask("/"))[2] == "1"
            gateway.apply(route(*rules, order="listed"), document("Route", "z", edge_route(rules[4], priority=1)))
            assert (await gateway.ask("/12"))[2] == "2"


@pytest.mark.proves("RuleDestination.request_headers", "RuleDestination.response_headers")
async def test_a_destination_changes_headers_of_its_own_calls_only() -> None:
    one = saying("1")
    changed = {
        "service": "books",
        "request_headers": {"set": {"x-to": "a"}},
        "response_headers": {"set": {"x-of": "a"}},
    }
    async with services(one) as books:
        rule = {"destinations": [changed, {"service": "books", "weight": 1}]}
        async with compiled_gateway(*books, route(rule)) as gateway:
            heads = [(await gateway.ask())[1] for _ in range(40)]
        told = [received.values(b"x-to") == [b"a"] for received in one.requests]
        assert told == ["x-of: a" in head for head in heads]
        assert set(told) == {True, False}
