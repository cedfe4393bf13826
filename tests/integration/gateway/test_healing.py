"""What keeps calls away from a service that does them no good."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from gateway.balancing import auto_weights
from gateway.exchange import MESH
from meshway.formats.conversion import convert
from meshway.formats.surroundings import Options
from meshway.formats.yaml_documents import read_documents
from meshway.snapshot import Change
from tests.parts.changes import document, edge_route, left, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.wire import Caller

ROUTE = document("Route", "r", edge_route(to("books")))


@asynccontextmanager
async def answering(wait_s: float = 0.0, status: int = 200, at_once: int = 1000) -> AsyncIterator[Change]:
    """The one instance of books, as slow as that, and so many calls at once."""
    free = asyncio.Semaphore(at_once)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                async with free:
                    await asyncio.sleep(wait_s)  # what it is to be slow
                writer.write(f"HTTP/1.1 {status} Said\r\nContent-Length: 0\r\n\r\n".encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield running("books", "1", port=server.sockets[0].getsockname()[1])


def breaker(**fields: Any) -> Change:
    return document("TrafficPolicy", "p", {"breaker": {"minimum_requests": 3} | fields})


@pytest.mark.parametrize(
    ("slow_call", "last"),
    [
        ({"over": "20ms"}, 503),
        ({"over": "20ms", "percent": 99}, 503),
        ({"over": "20ms", "percent": 100}, 200),
        ({"over": "5s"}, 200),
        (None, 200),
    ],
)
@pytest.mark.proves("Breaker.slow_call", "SlowCall.over", "SlowCall.percent")
async def test_a_service_whose_calls_are_slow_is_left_alone(slow_call: dict[str, Any] | None, last: int) -> None:
    policy = breaker(**({"slow_call": slow_call} if slow_call else {}))
    async with answering(wait_s=0.05) as books, compiled_gateway(books, ROUTE, policy) as gateway:
        assert [(await gateway.ask())[0] for _ in range(3)] == [200] * 3
        status, _, body = await gateway.ask()
        assert status == last
        assert ("breaker_open" in body) == (last == 503)


@pytest.mark.parametrize(("confidence", "last"), [(None, 503), (80, 503), (99, 500)])
@pytest.mark.proves("TrafficPolicy.breaker", "Breaker.failure_percent", "Breaker.confidence_percent")
async def test_few_failures_open_the_breaker_only_without_a_wish_for_confidence(
    confidence: int | None, last: int
) -> None:
    policy = breaker(failure_percent=50, failures=[500], **({"confidence_percent": confidence} if confidence else {}))
    async with answering(status=500) as books, compiled_gateway(books, ROUTE, policy) as gateway:
        assert [(await gateway.ask())[0] for _ in range(3)] == [500] * 3
        assert (await gateway.ask())[0] == last


def learning(**fields: Any) -> Change:
    return document("TrafficPolicy", "p", {"adaptive_concurrency": fields})


async def refused(gateway: CompiledGateway, callers: int, calls: int, fields: str = "") -> list[str]:
    """The bodies of the refusals, when so many callers call one time after the other."""

    async def ask() -> list[str]:
        answers = [await gateway.ask(host="books", fields=fields) for _ in range(calls)]
        return [body for status, _, body in answers if status == 503]

    return [body for bodies in await asyncio.gather(*(ask() for _ in range(callers))) for body in bodies]


@pytest.mark.parametrize(
    ("rule", "header", "admitted"),
    [
        (None, "", 9),
        ("critical", "", 10),
        ("sheddable", "", 6),
        ("critical", "meshway-criticality: sheddable\r\n", 6),
        ("sheddable", "meshway-criticality: critical\r\n", 6),
    ],
)
@pytest.mark.proves("Rule.criticality", "AdaptiveConcurrency.max_limit")
async def test_of_the_calls_a_service_can_run_those_that_matter_less_get_less(
    rule: str | None, header: str, admitted: int
) -> None:
    told: dict[str, Any] = {"criticality": rule} if rule else {}
    spec = {"listeners": ["mesh"], "hosts": ["books"], "rules": [to("books", **told)]}
    async with (
        answering(wait_s=0.1) as books,
        compiled_gateway(books, document("Route", "r", spec), learning(max_limit=10), face=MESH) as gateway,
    ):
        bodies = await refused(gateway, callers=12, calls=1, fields=header)
        assert len(bodies) == 12 - admitted
        assert all("overloaded" in body and "TrafficPolicy default/p" in body for body in bodies)


@pytest.mark.parametrize(("per", "admitted"), [("service", 1), ("endpoint", 2)])
@pytest.mark.proves("AdaptiveConcurrency.per")
async def test_each_instance_has_a_number_of_its_own_where_asked(per: str, admitted: int) -> None:
    policy = learning(max_limit=1, min_limit=1, per=per)
    async with (
        two_instances(slow_s=0.6, quick_s=0.6) as (books, called),
        compiled_gateway(*books, policy, face=MESH) as gateway,
    ):
        bodies = await refused(gateway, callers=4, calls=1)
        assert len(bodies) == 4 - admitted == 4 - len(set(called))
        assert all("overloaded" in body and "TrafficPolicy default/p" in body for body in bodies)


QUICK = {"window": "10ms", "minimum_samples": 5, "tolerance": 1.1}


@pytest.mark.parametrize(
    ("fields", "are_refused"),
    [
        (QUICK, True),
        (QUICK | {"tolerance": 10}, False),
        (QUICK | {"window": "60s"}, False),
        (QUICK | {"minimum_samples": 1000}, False),
        (QUICK | {"min_limit": 20}, False),
        (None, False),
    ],
)
@pytest.mark.proves(
    "TrafficPolicy.adaptive_concurrency",
    "AdaptiveConcurrency.tolerance",
    "AdaptiveConcurrency.window",
    "AdaptiveConcurrency.minimum_samples",
    "AdaptiveConcurrency.min_limit",
)
async def test_a_service_that_answers_more_slowly_the_more_it_runs_gets_fewer_calls(
    fields: dict[str, Any] | None, are_refused: bool
) -> None:
    policies = [learning(**fields)] if fields is not None else []
    async with (
        answering(wait_s=0.01, at_once=2) as books,
        compiled_gateway(books, *policies, face=MESH) as gateway,
    ):
        assert await refused(gateway, callers=1, calls=10) == []
        assert bool(await refused(gateway, callers=15, calls=10)) is are_refused


@asynccontextmanager
async def two_instances(slow_s: float, quick_s: float = 0.0) -> AsyncIterator[tuple[list[Change], list[str]]]:
    """Of books, `slow` and `quick`, which are called in turn; and the log of who was called."""
    called: list[str] = []

    def answers(name: str, wait_s: float) -> Any:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while await reader.readuntil(b"\r\n\r\n"):
                    called.append(name)
                    await asyncio.sleep(wait_s)  # what it is to be slow
                    writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(name)}\r\n\r\n{name}".encode())
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        return answer

    async with (
        await asyncio.start_server(answers("slow", slow_s), "127.0.0.1", 0) as slow,
        await asyncio.start_server(answers("quick", quick_s), "127.0.0.1", 0) as quick,
    ):
        ports = [server.sockets[0].getsockname()[1] for server in (slow, quick)]
        changes = [running("books", name, port=port) for name, port in zip(("1", "2"), ports, strict=True)]
        yield [*changes, document("TrafficPolicy", "rr", {"load_balancer": {"algorithm": "round_robin"}})], called


@pytest.mark.parametrize(
    ("policy", "rule", "answer"),
    [
        ({"hedge": {"after": "50ms"}}, None, "quick"),
        (None, {"hedge": {"after": "50ms"}}, "quick"),
        ({"hedge": {"after": "30s"}}, {"hedge": {"after": "50ms"}}, "quick"),
        ({"hedge": {"after": "30s"}}, None, "slow"),
        ({"hedge": {"after": "p95"}}, None, "slow"),  # nothing is known yet
        ({"hedge": {"after": "50ms"}, "retry": {"budget": {"percent": 0, "min_per_second": 0}}}, None, "slow"),
        (None, None, "slow"),
    ],
)
@pytest.mark.proves("TrafficPolicy.hedge", "Rule.hedge", "Hedge.after")
async def test_a_slow_instance_is_hedged_when_its_time_is_up(
    policy: dict[str, Any] | None, rule: dict[str, Any] | None, answer: str
) -> None:
    policies = [document("TrafficPolicy", "h", policy)] if policy else []
    route = document("Route", "r", edge_route(to("books", **(rule or {}))))
    async with two_instances(slow_s=0.4) as (books, _), compiled_gateway(*books, route, *policies) as gateway:
        assert (await gateway.ask())[2] == answer


async def test_a_body_is_kept_for_a_hedge_where_nothing_is_retried() -> None:
    policy = document("TrafficPolicy", "h", {"hedge": {"after": "50ms"}, "retry": {"max_retries": 0}})
    async with two_instances(slow_s=0.4) as (books, called), compiled_gateway(*books, ROUTE, policy) as gateway:
        caller = Caller(*await asyncio.open_connection("127.0.0.1", gateway.port))
        caller.send(b"PUT / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 4\r\n\r\nbody")
        assert (await caller.answer())[2] == b"quick"
        assert called == ["slow", "quick"]
        caller.writer.close()


async def test_what_the_slowest_twentieth_takes_is_learnt_and_hedged() -> None:
    policy = document("TrafficPolicy", "h", {"hedge": {}, "retry": {"budget": {"min_per_second": 100}}})
    async with two_instances(slow_s=0.6) as (books, called), compiled_gateway(*books, ROUTE, policy) as gateway:
        gateway.apply(left("books", "1"))
        for _ in range(110):
            assert (await gateway.ask())[2] == "quick"
        gateway.apply(books[0])
        answers = [(await gateway.ask())[2] for _ in range(10)]
        assert answers[-4:] == ["quick"] * 4  # what is known is a second old
        assert "slow" in called[-8:]


@asynccontextmanager
async def counting(instances: int, wait_s: float) -> AsyncIterator[tuple[list[Change], list[int]]]:
    """Instances of books, and how many connections they have open together: now, and the most."""
    counts = [0, 0]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        counts[0] += 1
        counts[1] = max(counts)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(wait_s)  # what it is to be slow
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
        finally:
            counts[0] -= 1

    async with AsyncExitStack() as stack:
        changes = []
        for number in range(instances):
            server = await stack.enter_async_context(await asyncio.start_server(answer, "127.0.0.1", 0))
            changes.append(running("books", str(number), port=server.sockets[0].getsockname()[1]))
        yield changes, counts


@pytest.mark.parametrize(
    ("bulkhead", "most", "refusals"),
    [
        ({"max_connections": 3}, 3, 0),
        ({"max_connections": 3, "max_pending": 2}, 3, 7),
        ({"max_connections": 3, "pending_timeout": "10ms"}, 3, 9),
        ({"max_connections": 0}, 12, 0),
    ],
)
@pytest.mark.proves("Bulkhead.max_connections")
async def test_no_more_connections_are_open_than_a_service_may_have(
    bulkhead: dict[str, Any], most: int, refusals: int
) -> None:
    policy = document("TrafficPolicy", "p", {"bulkhead": bulkhead})
    async with counting(4, wait_s=0.05) as (books, counts), compiled_gateway(*books, policy, face=MESH) as gateway:
        bodies = await refused(gateway, callers=12, calls=1)
        # The end of a connection that was closed for another may arrive after the other's beginning.
        assert most <= counts[1] <= most + 1
        assert len(bodies) == refusals
        assert all("TrafficPolicy default/p" in body for body in bodies)
        await refused(gateway, callers=1, calls=8)  # each of the four in turn: idle ones make room
        assert counts[1] <= most + 1


@pytest.mark.parametrize(("scope", "most"), [("mesh", 2), ("gateway", 4), (None, 2)])
@pytest.mark.proves("Bulkhead.scope")
async def test_gateways_share_what_is_of_the_mesh(scope: str | None, most: int) -> None:
    bulkhead = {"max_requests": 4, "max_connections": 4} | ({"scope": scope} if scope else {})
    policy = document("TrafficPolicy", "p", {"bulkhead": bulkhead})
    async with counting(1, wait_s=0.05) as (books, counts), compiled_gateway(*books, policy, face=MESH) as gateway:
        gateway.share_among(2)
        await refused(gateway, callers=8, calls=1)
        assert counts[1] == most
        gateway.share_among(1)
        await refused(gateway, callers=8, calls=1)
        assert counts[1] == 4


async def test_an_imported_connection_pool_bounds_calls() -> None:
    text = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: pool, namespace: default}
spec:
  host: books
  trafficPolicy: {connectionPool: {tcp: {maxConnections: 2}, http: {http1MaxPendingRequests: 3}}}
"""
    (rule,) = convert(read_documents(text, "pool.yaml"), "default", Options()).documents
    read = [document("TrafficPolicy", "pool", rule.raw["spec"])]
    async with counting(2, wait_s=0.05) as (books, counts), compiled_gateway(*books, *read, face=MESH) as gateway:
        bodies = await refused(gateway, callers=8, calls=1)
        assert 2 <= counts[1] <= 3
        assert len(bodies) == 3


@pytest.mark.parametrize(
    ("weights", "slow_share"), [("auto", (0.0, 0.35)), ("declared", (0.45, 0.55)), (None, (0.45, 0.55))]
)
@pytest.mark.proves("LoadBalancer.weights")
async def test_with_auto_weights_who_answers_faster_gets_more(
    weights: str | None, slow_share: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto_weights, "PERIOD_S", 0.3)
    balancer = {"algorithm": "round_robin"} | ({"weights": weights} if weights else {})
    policy = document("TrafficPolicy", "rr", {"load_balancer": balancer})
    async with two_instances(slow_s=0.02) as (books, called), compiled_gateway(*books[:2], policy, ROUTE) as gateway:
        for _ in range(60):
            await gateway.ask()
        before = len(called)
        for _ in range(40):
            await gateway.ask()
        low, high = slow_share
        assert low <= called[before:].count("slow") / 40 <= high
