"""What the decisions of one call cost, in µs, without a socket: `python -m loadtest.micro.decisions`.

CPU time, best of several rounds, so that a busy machine does not change the figures much. Targets: docs of the
benchmark.
"""

import random
import time
from collections.abc import Callable
from typing import Final

import msgspec

from gateway.balancing.least_request import least_request
from gateway.balancing.random import random_pick
from gateway.balancing.round_robin import RoundRobin
from gateway.compiler.tables import Compiler
from gateway.exchange import EDGE, Exchange
from gateway.filters.headers import compile_request_filter
from gateway.limits.token_bucket import TokenBuckets
from gateway.plan import Parts
from gateway.routing.path import canonical
from gateway.upstream.cluster import Cluster
from gateway.upstream.endpoint import Endpoint
from meshway.http1.head import HeadLimits, RequestReader
from meshway.model.instance import Instance
from meshway.model.route import HeaderChanges
from meshway.snapshot import INSTANCE, Change
from tests.parts.endpoints import ready

ROUNDS: Final = 15
CALLS: Final = 20_000
HEAD: Final = (
    b"GET /shop77/items/1?q=a HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n"
    b"Accept: */*\r\nAccept-Encoding: gzip, br\r\nAccept-Language: en\r\nCookie: session=8d1f4e7a\r\n"
    b"Referer: http://shop.example/\r\nX-Team: shop\r\n\r\n"
)


def fastest_us(action: Callable[[], object], calls: int = CALLS) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(calls):
            action()
        best = min(best, time.process_time() - began)
    return best / calls * 1e6


def exchange() -> Exchange:
    head = RequestReader(HeadLimits()).read(HEAD)
    assert head is not None
    made = Exchange(head, EDGE, "127.0.0.1", 0.0)
    made.path, made.query = canonical(head.target)
    return made


def running(service: str, identity: str, weight: int = 1) -> Change:
    instance = Instance(namespace="default", service=service, id=identity, address="127.0.0.1", port=1, weight=weight)
    value = msgspec.Raw(msgspec.msgpack.encode(instance))
    return Change("put", INSTANCE, "default", f"{service}/{identity}", value)


def document(kind: str, name: str, spec: dict[str, object]) -> Change:
    value = {"kind": kind, "metadata": {"name": name}, "spec": spec}
    return Change("put", kind, "default", name, msgspec.Raw(msgspec.msgpack.encode(value)))


def compiler(routes: int, services: int, instances: int) -> Compiler:
    made = Compiler(Parts(now=time.monotonic, random=random.random))
    changes = [
        document(
            "Route",
            f"r{i}",
            {
                "hosts": ["shop.example"],
                "rules": [
                    {
                        "match": [{"path": {"prefix": f"/shop{i + 77 if routes == 1 else i}/items"}}],
                        "destinations": [{"service": f"s{i % services}"}],
                    }
                ],
            },
        )
        for i in range(routes)
    ]
    changes += [running(f"s{i % services}", f"i{i}") for i in range(instances)]
    began = time.perf_counter()
    assert made.snapshot(1, changes) == []
    print(f"snapshot of {routes} routes, {instances} instances: {(time.perf_counter() - began) * 1e3:.0f} ms")
    return made


def matching(routes: int, path: Callable[[int], dict[str, str]]) -> Compiler:
    """path: of each Route, the one of HEAD's path among them."""
    made = Compiler(Parts(now=time.monotonic, random=random.random))
    rules = [
        {"match": [{"path": path(i + 77 if routes == 1 else i)}], "redirect": {"scheme": "https"}}
        for i in range(routes)
    ]
    began = time.process_time()
    assert made.snapshot(1, [document("Route", f"r{i}", {"rules": [rule]}) for i, rule in enumerate(rules)]) == []
    print(f"snapshot of {routes} such routes: {(time.process_time() - began) * 1e3:.0f} ms of CPU")
    return made


def endpoints(count: int, weight: int | None = None) -> tuple[Endpoint, ...]:
    return tuple(
        Endpoint(
            Instance(namespace="d", service="s", id=f"i{i:03}", address="127.0.0.1", port=1, weight=weight or i % 3 + 1)
        )
        for i in range(count)
    )


def show(name: str, us: float, target_us: float | None = None) -> None:
    print(f"{name:<44} {us:7.2f} us" + (f"   (at most {target_us})" if target_us else ""))


def main() -> None:
    call, chance = exchange(), random.random
    one, many = compiler(1, 1, 1), compiler(10_000, 1000, 10_000)
    for name, made in (("match, 1 route", one), ("match, 10,000 routes", many)):
        tables = made.tables
        assert tables.match(call) is not None
        show(name, fastest_us(lambda tables=tables: tables.match(call)), 0.8)  # type: ignore[misc]
    for what, path in (
        ("template", lambda i: {"template": f"/shop{i}/items/{{id}}"}),
        ("expression", lambda i: {"regex": f"/shop{i}/items/[0-9]+"}),
        ("string_prefix", lambda i: {"string_prefix": f"/shop{i}/it"}),
    ):
        for count in (1, 10_000):
            tables = matching(count, path).tables
            assert tables.match(call) is not None
            show(f"match, {count:,} by {what}", fastest_us(lambda tables=tables: tables.match(call), 2_000))  # type: ignore[misc]
    show("path, plain", fastest_us(lambda: canonical(b"/shop77/items/1?q=a")))
    show("path, with an escape", fastest_us(lambda: canonical(b"/shop77/%41/../items/1?q=a")))
    for count in (3, 10, 100):
        show(
            f"least request, {count} equal",
            fastest_us(_bound(least_request(ready(endpoints(count, 1)), chance), call)),
            0.4,
        )
        show(
            f"least request, {count} weighted", fastest_us(_bound(least_request(ready(endpoints(count)), chance), call))
        )
    show("random, 100 weighted", fastest_us(_bound(random_pick(ready(endpoints(100)), chance), call)))
    show("round robin, 100 equal", fastest_us(_bound(RoundRobin(chance, 1)(ready(endpoints(100, 1))), call)))
    show("round robin, 100 weighted", fastest_us(_bound(RoundRobin(chance, 1)(ready(endpoints(100))), call)))
    buckets, now = TokenBuckets(1e9, 1e9), time.monotonic
    show("token bucket, one key", fastest_us(lambda: buckets.take("k", now())), 2.0)
    keys = iter([f"10.0.{i >> 8}.{i & 255}" for i in range(50_000)] * (ROUNDS * CALLS // 50_000 + 1))
    show("token bucket, 50,000 keys", fastest_us(lambda: buckets.take(next(keys), now())), 2.0)
    change = compile_request_filter(HeaderChanges(set={"X-Team": "web", "X-Env": "prod"}, remove=("Cookie",)))
    block = call.block
    show("header changes", fastest_us(lambda: _changed(change, call, block)), 2.0)
    cluster = next(iter(many.tables.clusters.values()))
    show("admit, pick, start, end, release", fastest_us(lambda: _attempt(cluster, call)))
    weights = iter(range(2, 10**6))
    delta = fastest_us(lambda: many.delta(2, [running("s7", "i7", next(weights) % 900 + 1)]), 20)
    show("delta of one instance among 10,000", delta, 1000.0)


def _bound(pick: Callable[[Exchange], Endpoint], call: Exchange) -> Callable[[], Endpoint]:
    return lambda: pick(call)


def _changed(change: Callable[[Exchange], object], call: Exchange, block: bytes) -> None:
    call.block = block
    change(call)


def _attempt(cluster: Cluster, call: Exchange) -> None:
    cluster.budget.count_request(1.0)
    cluster.admit(call, print)
    assert cluster.first_pick is not None
    endpoint = cluster.first_pick(call)
    endpoint.in_flight += 1
    cluster.attempt_ended(endpoint, "ok", 200, 1.0)
    cluster.release(call)


if __name__ == "__main__":
    main()
