"""Whatever comes as a body, a path or a query, Consul's surface answers in its own form and is not at fault."""

from __future__ import annotations

import json
import random
import secrets
from typing import Any, Final
from urllib.parse import quote

from meshway.model.registration import check_metadata
from registry.compat.consul.description import consul_operations
from registry.compat.consul.table import consul_rows
from registry.machine.guards import Guards
from tests.parts.conditions import until
from tests.parts.registry import RunningRegistry
from tests.parts.registry_wire import RawClient

BODIES: Final = 2_000
_WORDS: Final = (
    "Name", "ID", "Service", "Port", "Address", "Tags", "Meta", "Weights", "Passing", "Warning", "Check", "Checks",
    "TTL", "HTTP", "CheckID", "ServiceID", "Status", "Output", "Notes", "Node", "Datacenter", "Namespace",
    "TaggedAddresses", "Locality", "Zone", "EnableTagOverride",
    "DeregisterCriticalServiceAfter", "Kind", "Connect", "Interval", "TCP", "GRPC",
)  # fmt: skip
_TEXTS: Final = (
    "books", "books-1", "Books:1", "", "10s", "1h", "0", "-1s", "passing", "warning", "critical", "127.0.0.1",
    "0.0.0.0", "::1", "dc1", "default", "mesh", "x" * 300, "é☃", "\u0000", "consul-registration", "../..",
    "service:books-1", "%2f", "http://127.0.0.1:80/", "127.0.0.1:80",
)  # fmt: skip
_REGISTRATION: Final = {
    "Name": "books", "ID": "books-1", "Port": 80, "Address": "127.0.0.1", "Tags": ["v1"], "Meta": {"a": "b"},
    "Weights": {"Passing": 1, "Warning": 1}, "Check": {"TTL": "10s", "Status": "passing"},
}  # fmt: skip
_PUTS: Final = (
    "/v1/agent/service/register", "/v1/catalog/register", "/v1/catalog/deregister", "/v1/agent/check/register",
    "/v1/agent/check/update/service:books-1", "/v1/agent/service/register?ns=shop",
)  # fmt: skip


def _value(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(9 if depth < 3 else 6)
    if kind == 0:
        return chance.choice([None, True, False])
    if kind == 1:
        return chance.choice([0, 1, -1, 80, 70_000, 2**63, 2**64, 1e300, 0.5])
    if kind == 6:
        return [_value(chance, depth + 1) for _ in range(chance.randrange(4))]
    if kind > 6:
        return {chance.choice(_WORDS): _value(chance, depth + 1) for _ in range(chance.randrange(5))}
    return chance.choice(_TEXTS)


def _body(chance: random.Random) -> bytes:
    """A registration with some of it replaced, now and then anything at all, or no JSON."""
    if chance.random() < 0.1:
        return bytes(chance.randrange(256) for _ in range(chance.randrange(40)))
    if chance.random() < 0.2:
        return json.dumps(_value(chance)).encode()
    body: dict[str, Any] = json.loads(json.dumps(_REGISTRATION))
    for _ in range(chance.randrange(4)):
        body[chance.choice(_WORDS)] = _value(chance)
    if chance.random() < 0.5:
        body = {"Node": "n", "Address": "127.0.0.1", "Service": body, "ServiceID": chance.choice(_TEXTS)} | {
            chance.choice(_WORDS): _value(chance) for _ in range(chance.randrange(2))
        }
    return json.dumps(body).encode()


async def test_no_body_is_our_fault_and_none_makes_what_the_model_forbids(registry: RunningRegistry) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    taken = 0
    async with RawClient(registry.port) as client:
        for _ in range(BODIES):
            path, body = chance.choice(_PUTS), _body(chance)
            answer = await client.call("PUT", path, body)
            assert answer.status in (200, 400, 404), (path, body, answer)
            if answer.status != 200:
                assert answer.headers["content-type"] == "text/plain; charset=utf-8", (path, body, answer)
            taken += answer.status == 200
    assert taken > BODIES / 50
    for service in registry.core.view.services.values():
        for row in service.values():
            instance = row.instance
            assert 1 <= instance.port <= 65_535
            assert 0 <= instance.weight <= 1000
            assert instance.check is not None or 3 <= row.ttl_s <= 3600
            assert instance.namespace != "mesh"
            assert list(check_metadata(instance.metadata)) == []


async def test_no_path_or_query_is_our_fault(registry: RunningRegistry) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    await registry.call("PUT", "/v1/agent/service/register", _REGISTRATION)
    paths = [path for _, path, _ in consul_rows(registry.core, Guards(consul_operations()))]
    names = (
        "index",
        "wait",
        "ns",
        "dc",
        "passing",
        "tag",
        "near",
        "filter",
        "enable",
        "reason",
        "hash",
        "note",
        "format",
    )
    async with RawClient(registry.port) as client:
        for _ in range(500):
            path = chance.choice(paths)
            for part in path.split("/"):
                if part.startswith("{"):
                    path = path.replace(part, quote(chance.choice(_TEXTS) or "-", safe=""))
            query = "&".join(
                f"{chance.choice(names)}={quote(chance.choice((*_TEXTS, '1', 'true')))}"
                for _ in range(chance.randrange(4))
            )
            # A blocking query would hold the test; what an index may be is test_queries' matter.
            target = f"{path}?{query}".replace("index=", "stale=")
            answer = await client.call(chance.choice(("GET", "PUT", "POST")), target)
            assert answer.status in (200, 400, 404, 405, 429, 503), (target, answer)


async def test_a_family_answers_in_consul_s_form(registry: RunningRegistry) -> None:
    for method, path, status, text in (
        ("GET", "/v1/kv/app/config?recurse", 501, b"key/value store"),
        ("PUT", "/v1/kv/app", 501, b"key/value store"),
        ("PUT", "/v1/session/create", 501, b"Sessions"),
        ("GET", "/v1/connect/intentions", 501, b"intentions"),
        ("GET", "/v1/acl/tokens", 401, b"ACL support disabled"),
        ("GET", "/v1/agent/nothing/here", 404, b"not a recognized HTTP API endpoint"),
        ("POST", "/v1/agent/service/register", 405, b"method POST not allowed"),
        ("PUT", "/v1/agent/service/register", 400, b"Request decode failed"),
    ):
        answer = await registry.call(method, path)
        assert (answer.status, answer.headers["content-type"]) == (status, "text/plain; charset=utf-8"), answer
        assert text in answer.body
    assert (await registry.call("POST", "/v1/agent/service/register")).headers["allow"] == "GET, PUT"
    head = await registry.call("HEAD", "/v1/health/service/books")
    assert (head.status, head.headers["x-consul-index"]) == (200, "1")


async def test_the_first_change_of_all_ends_a_wait(registry: RunningRegistry) -> None:
    first = await registry.call("GET", "/v1/health/service/books")
    async with RawClient(registry.port) as client:
        client.send("GET", f"/v1/health/service/books?index={first.headers['x-consul-index']}&wait=30s")
        await until(lambda: len(registry.core.view.waiters), what="the call is held")
        await registry.call("PUT", "/v1/agent/service/register", _REGISTRATION)
        answer = await client.answer(within_s=5)
    assert [one["Service"]["ID"] for one in answer.json] == ["books-1"]
    assert int(answer.headers["x-consul-index"]) > int(first.headers["x-consul-index"])
