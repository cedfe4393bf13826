"""Which instance gets a call, by every field that has a say in it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec
import pytest

from meshway.snapshot import Change
from tests.parts.changes import document, edge_route, left, running, to
from tests.parts.compiled import CompiledGateway, compiled_gateway
from tests.parts.upstream import RecordingUpstream

ROUTE = document("Route", "r", edge_route(to("books")))


def saying(name: str, status: int = 200) -> RecordingUpstream:
    answer = f"HTTP/1.1 {status} Said\r\nContent-Length: {len(name)}\r\n\r\n{name}".encode()
    return RecordingUpstream(pieces_of=lambda received: [answer])


@asynccontextmanager
async def instances(*names: str, service: str = "books", **fields: Any) -> AsyncIterator[list[Change]]:
    """Of these ids, each saying its own. fields: of all of them."""
    async with AsyncExitStack() as stack:
        upstreams = [saying(name) for name in names]
        for upstream in upstreams:
            await stack.enter_async_context(upstream.running())
        ports = zip(names, upstreams, strict=True)
        yield [running(service, name, port=upstream.port, **fields) for name, upstream in ports]


def policy(**blocks: Any) -> Change:
    return document("TrafficPolicy", "p", blocks)


def balanced(**fields: Any) -> Change:
    return policy(load_balancer=fields)


async def said(gateway: CompiledGateway, count: int, target: str = "/", fields: str = "") -> Counter[str]:
    return Counter([(await gateway.ask(target, fields=fields))[2] for _ in range(count)])


async def slow_server(wait_s: float, name: str, status: int = 200) -> asyncio.Server:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(wait_s)  # what it is to be slow
                writer.write(f"HTTP/1.1 {status} Said\r\nContent-Length: {len(name)}\r\n\r\n{name}".encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    return await asyncio.start_server(answer, "127.0.0.1", 0)


async def test_peak_ewma_leaves_a_slow_instance_alone() -> None:
    slow = await slow_server(0.15, "slow")
    port = slow.sockets[0].getsockname()[1]
    async with (
        slow,
        instances("1", "2") as books,
        compiled_gateway(*books, running("books", "3", port=port), ROUTE, balanced(algorithm="peak_ewma")) as gateway,
    ):
        assert (await said(gateway, 30))["slow"] <= 1


@pytest.mark.proves("LoadBalancer.decay")
async def test_peak_ewma_tries_the_slow_instance_again_when_its_past_has_decayed() -> None:
    slow = await slow_server(0.1, "slow")
    port = slow.sockets[0].getsockname()[1]
    eager = balanced(algorithm="peak_ewma", decay="100ms")
    async with (
        slow,
        instances("1") as books,
        compiled_gateway(*books, running("books", "2", port=port), ROUTE, eager) as gateway,
    ):
        async with asyncio.timeout(10.0):
            for _ in range(2):  # the first time it is unknown, later it was slow
                while (await gateway.ask())[2] != "slow":
                    pass


HASH_KEYS = [
    ({"header": "X-User"}, lambda user: ("/", f"x-user: {user}\r\n")),
    ({"cookie": "user"}, lambda user: ("/", f"Cookie: a=b; user={user}\r\n")),
    ({"query": "user"}, lambda user: (f"/?user={user}", "")),
    ({"path": True}, lambda user: (f"/{user}", "")),
]


@pytest.mark.parametrize("algorithm", ["ring_hash", "maglev"])
@pytest.mark.parametrize(("key", "asks"), HASH_KEYS, ids=["header", "cookie", "query", "path"])
@pytest.mark.proves("LoadBalancer.hash_key", "HashKey.header", "HashKey.cookie", "HashKey.query", "HashKey.path")
async def test_a_caller_keeps_its_instance_while_others_come_and_go(algorithm: str, key: Any, asks: Any) -> None:
    async with (
        instances("1", "2", "3", "4") as books,
        compiled_gateway(*books, ROUTE, balanced(algorithm=algorithm, hash_key=key)) as gateway,
    ):
        placed = {}
        for user in range(16):
            (placed[user],) = await said(gateway, 2, *asks(user))
        assert len(set(placed.values())) > 1
        gateway.apply(left("books", "4"))
        stayed = sum([set(await said(gateway, 1, *asks(user))) == {placed[user]} for user in range(16)])
        assert stayed >= sum(instance != "4" for instance in placed.values()) - 2
        gateway.apply(books[3])
        for user in range(16):
            assert set(await said(gateway, 1, *asks(user))) == {placed[user]}


@pytest.mark.parametrize("algorithm", ["ring_hash", "maglev"])
@pytest.mark.proves("HashKey.source_ip")
async def test_callers_of_one_address_meet_at_one_instance(algorithm: str) -> None:
    hashing = balanced(algorithm=algorithm, hash_key={"source_ip": True})
    async with instances("1", "2", "3", "4") as books, compiled_gateway(*books, ROUTE, hashing) as gateway:
        assert len(await said(gateway, 10)) == 1


@pytest.mark.parametrize(
    "places",
    [
        {"algorithm": "ring_hash", "ring_hash": {"min_size": 60_000}},
        {"algorithm": "maglev", "maglev": {"table_size": 2}},
    ],
)
@pytest.mark.proves("LoadBalancer.ring_hash", "RingHash.min_size", "LoadBalancer.maglev", "Maglev.table_size")
async def test_the_number_of_places_decides_who_serves_whom(places: dict[str, Any]) -> None:
    """A table of two places cannot hold three instances; a ring of more points has other neighbours."""
    own = {"algorithm": places["algorithm"], "hash_key": {"query": "user"}}
    async with instances("1", "2", "3") as books, compiled_gateway(*books, ROUTE, balanced(**own)) as gateway:
        before = [await said(gateway, 1, f"/?user={user}") for user in range(60)]
        gateway.apply(balanced(**own | places))
        after = [await said(gateway, 1, f"/?user={user}") for user in range(60)]
        assert before != after
        assert len(sum(before, Counter())) == 3
        assert len(sum(after, Counter())) == (2 if "maglev" in places else 3)


@pytest.mark.parametrize(("choices", "least", "most"), [(8, 45, 60), (2, 5, 40)])
@pytest.mark.proves("LoadBalancer.choices")
async def test_of_more_choices_the_idle_one_is_found_more_often(choices: int, least: int, most: int) -> None:
    """Five of six are busy. Two of six leave the idle one out in two calls of three."""
    six = instances("1", "2", "3", "4", "5", "6")
    async with six as books, compiled_gateway(*books, ROUTE, balanced(choices=choices)) as gateway:
        for endpoint in gateway.compiler.tables.clusters["default/books"].endpoints[1:]:
            endpoint.in_flight += 3
        assert least <= (await said(gateway, 60))["1"] <= most


@pytest.mark.parametrize("algorithm", ["ring_hash", "maglev"])
@pytest.mark.proves("LoadBalancer.max_load_factor")
async def test_one_hot_caller_spills_over_the_bound(algorithm: str) -> None:
    servers = [await slow_server(0.2, name) for name in "123"]
    books = [running("books", str(at), port=s.sockets[0].getsockname()[1]) for at, s in enumerate(servers, 1)]
    bounded = balanced(algorithm=algorithm, hash_key={"path": True}, max_load_factor=1.2)
    async with compiled_gateway(*books, ROUTE, bounded) as gateway:
        answers = await asyncio.gather(*(gateway.ask("/hot") for _ in range(9)))
        counts = Counter(body for _, _, body in answers)
        assert len(counts) == 3
        assert max(counts.values()) <= 4
    for server in servers:
        server.close()


@pytest.mark.proves("TrafficPolicy.slow_start", "SlowStart.window", "SlowStart.min_percent")
async def test_a_new_instance_begins_slowly() -> None:
    slowly = policy(load_balancer={"algorithm": "round_robin"}, slow_start={"window": "60s", "min_percent": 10})
    async with instances("1", "2") as books, compiled_gateway(books[0], ROUTE, slowly) as gateway:
        (old,) = gateway.compiler.tables.clusters["default/books"].endpoints
        old.serving_since -= 60.0
        gateway.apply(books[1])
        assert (await said(gateway, 22))["2"] == pytest.approx(2, abs=1)
        (_, new) = gateway.compiler.tables.clusters["default/books"].endpoints
        new.serving_since -= 30.0
        gateway.apply(running("books", "1", port=old.port, tags=("told",)))  # looks at the ages again
        assert (await said(gateway, 30))["2"] == pytest.approx(10, abs=1)


@pytest.mark.parametrize(("aggression", "share"), [(1.0, 0.25 / 1.25), (2.0, 0.5 / 1.5)])
@pytest.mark.proves("SlowStart.aggression")
async def test_aggression_bends_the_slow_start(aggression: float, share: float) -> None:
    slowly = policy(
        load_balancer={"algorithm": "round_robin"},
        slow_start={"window": "60s", "min_percent": 1, "aggression": aggression},
    )
    async with instances("1", "2") as books, compiled_gateway(*books, ROUTE, slowly) as gateway:
        old, new = gateway.compiler.tables.clusters["default/books"].endpoints
        old.serving_since -= 60.0
        new.serving_since -= 15.0
        gateway.apply(running("books", "1", port=old.port, tags=("told",)))
        assert (await said(gateway, 60))["2"] == pytest.approx(60 * share, abs=2)


def in_zones(books: list[Change], *zones: str) -> list[Change]:
    """The instances again, each in its zone."""
    ports = [_port(change) for change in books]
    return [running("books", str(at), port=ports[at - 1], zone=zone) for at, zone in enumerate(zones, 1)]


def _port(change: Change) -> int:
    return int(msgspec.msgpack.decode(change.value)["port"])


RR = {"algorithm": "round_robin"}


@pytest.mark.parametrize(
    ("locality", "serving"),
    [
        (None, {"1", "2"}),
        ({"mode": "prefer_zone"}, {"1", "2"}),
        ({"mode": "ignore"}, {"1", "2", "3"}),
        ({"mode": "zone_only"}, {"1", "2"}),
    ],
)
@pytest.mark.proves("TrafficPolicy.locality", "Locality.mode")
async def test_the_gateways_zone_serves_its_calls(locality: Any, serving: set[str]) -> None:
    blocks = {"load_balancer": RR} | ({"locality": locality} if locality else {})
    async with instances("1", "2", "3") as books:
        placed = in_zones(books, "a", "a", "b")
        async with compiled_gateway(*placed, ROUTE, policy(**blocks), zone="a") as gateway:
            assert set(await said(gateway, 12)) == serving


@pytest.mark.proves("Locality.overprovisioning")
async def test_a_zone_keeps_what_its_healthy_share_can_take() -> None:
    """One of two left: 0.5 * 1.4 = 70 % stay, with 2.0 all do."""
    async with instances("1", "2", "3") as books:
        near, gone, far = in_zones(books, "a", "a", "b")
        ill = running("books", "2", port=_port(gone), zone="a", status="critical")
        async with compiled_gateway(near, ill, far, ROUTE, policy(load_balancer=RR), zone="a") as gateway:
            assert (await said(gateway, 100))["1"] == pytest.approx(70, abs=1)
            gateway.apply(policy(load_balancer=RR, locality={"overprovisioning": 2.0}))
            assert (await said(gateway, 10))["1"] == 10
            gateway.apply(left("books", "1"))
            assert set(await said(gateway, 10)) == {"3"}
            gateway.apply(policy(load_balancer=RR, locality={"mode": "zone_only"}))
            assert (await gateway.ask())[0] == 503


@pytest.mark.parametrize("order", ["failover first", "spare first"])
@pytest.mark.proves("TrafficPolicy.failover", "Failover.service")
async def test_another_service_serves_when_nobody_of_its_own_is_left(order: str) -> None:
    failing_over = policy(targets=[{"service": "books"}], failover=[{"service": "spare"}])
    async with instances("1") as books, instances("s", service="spare") as spare:
        changes = [*spare, failing_over] if order == "spare first" else [failing_over]
        async with compiled_gateway(*changes, ROUTE) as gateway:
            if order == "failover first":
                assert (await gateway.ask())[0] == 503
                gateway.apply(*spare)
            assert set(await said(gateway, 4)) == {"s"}
            gateway.apply(*books)
            assert set(await said(gateway, 4)) == {"1"}
            gateway.apply(left("books", "1"))
            assert set(await said(gateway, 4)) == {"s"}
            gateway.apply(left("spare", "s"))
            assert (await gateway.ask())[0] == 503


@pytest.mark.proves("Failover.namespace", "Failover.subset")
async def test_failover_goes_to_a_subset_in_another_namespace_in_order() -> None:
    levels = [{"service": "none"}, {"service": "spare", "namespace": "other", "subset": "v2"}]
    subsets = document("Service", "spare", {"subsets": [{"name": "v2", "match": {"version": "v2"}}]}, "other")
    failing_over = policy(targets=[{"service": "books"}], failover=levels)
    async with instances("s") as spare, instances("t") as wrong:
        changes = [
            running("spare", "s", "other", port=_port(spare[0]), version="v2"),
            running("spare", "t", "other", port=_port(wrong[0]), version="v1"),
        ]
        crossing = document("MeshSettings", "mesh", {"cross_namespace": "allow"}, "mesh")
        async with compiled_gateway(*changes, subsets, failing_over, ROUTE, crossing) as gateway:
            assert set(await said(gateway, 6)) == {"s"}


@pytest.mark.proves(
    "TrafficPolicy.panic",
    "Panic.when_healthy_below_percent",
    "Panic.action",
    "TrafficPolicy.outlier_detection",
    "OutlierDetection.consecutive_5xx",
)
async def test_panic_lets_suspects_serve_below_a_share_or_refuses() -> None:
    never = {"max_ejection_percent": 100, "consecutive_5xx": 1, "base_ejection": "60s"}
    async with AsyncExitStack() as stack:
        bad = [await stack.enter_async_context(saying(name, 500).running()) for name in "23"]
        good = await stack.enter_async_context(saying("1").running())
        books = [running("books", name, port=up.port) for name, up in zip("123", [good, *bad], strict=True)]
        blocks: dict[str, Any] = {"load_balancer": RR, "outlier_detection": never}
        async with compiled_gateway(*books, ROUTE, policy(**blocks)) as gateway:
            await said(gateway, 6)
            assert set(await said(gateway, 6)) == {"1"}
            gateway.apply(policy(**blocks, panic={"when_healthy_below_percent": 50}))
            assert set(await said(gateway, 6)) == {"1", "2", "3"}
            gateway.apply(policy(**blocks, panic={"when_healthy_below_percent": 50, "action": "fail"}))
            status, _, body = await gateway.ask()
            assert (status, "no_endpoint" in body) == (503, True)
            gateway.apply(policy(**blocks, panic={"when_healthy_below_percent": 30, "action": "fail"}))
            assert set(await said(gateway, 6)) == {"1"}
