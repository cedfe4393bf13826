"""Bodies that are nearly right, by the thousand: what is accepted is what the description's schema accepts."""

from __future__ import annotations

import json
import os
import random
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from tests.parts.random_bodies import nearly_right
from tests.parts.registry_wire import RawClient

if TYPE_CHECKING:
    from tests.parts.registry import RunningRegistry

SEED = int(os.environ.get("MESHWAY_TEST_SEED") or random.randrange(2**32))
FEW, MANY = 300, 10_000
INSTANCE: dict[str, Any] = {
    "port": 9080,
    "address": "127.0.0.1",
    "ports": {"grpc": 9081},
    "protocol": "http",
    "version": "v1",
    "zone": "a",
    "weight": 10,
    "tags": ["blue", "canary"],
    "metadata": {"team": "shop"},
    "ttl_s": 30,
}
ROUTE: dict[str, Any] = {
    "apiVersion": "meshway/v1",
    "kind": "Route",
    "metadata": {"name": "shop", "namespace": "default", "labels": {"team": "shop"}},
    "spec": {
        "hosts": ["shop.example"],
        "listeners": ["edge", "mesh"],
        "rules": [
            {
                "name": "all",
                "match": [{"path": {"prefix": "/cart"}, "methods": ["GET"], "headers": {"x": "y"}}],
                "destinations": [{"service": "cart", "weight": 3}],
                "timeouts": {"deadline": "10s"},
            }
        ],
    },
}
POLICY: dict[str, Any] = {
    "apiVersion": "meshway/v1",
    "kind": "TrafficPolicy",
    "metadata": {"name": "cart"},
    "spec": {"targets": [{"service": "cart"}], "retry": {"on": ["reset"], "max_retries": 2}},
}
REPORT: dict[str, Any] = {
    "node": "g-1",
    "version": "1",
    "zone": "a",
    "workers": 2,
    "revision": 3,
    "refused": [{"kind": "Route", "namespace": "default", "name": "r", "path": "spec", "reason": "odd"}],
    "evidence": [{"namespace": "default", "service": "cart", "id": "c-1"}],
}
# method, path as it is called, path in the description, a sound body
ROUTES: dict[str, tuple[str, str, str, Any]] = {
    "register": (
        "PUT",
        "/v1/namespaces/default/services/cart/instances/c-1",
        "/v1/namespaces/{namespace}/services/{service}/instances/{id}",
        INSTANCE,
    ),
    "registrations": (
        "POST",
        "/v1/registrations",
        "/v1/registrations",
        {"instances": [INSTANCE | {"namespace": "default", "service": "cart", "id": f"c-{at}"} for at in range(3)]},
    ),
    "patch": (
        "PATCH",
        "/v1/namespaces/default/services/cart/instances/c-1",
        "/v1/namespaces/{namespace}/services/{service}/instances/{id}",
        {"weight": 3, "tags": ["a"], "metadata": {"team": None}, "status": "draining"},
    ),
    "heartbeats": ("POST", "/v1/heartbeats", "/v1/heartbeats", {"leases": ["1-1-abc", "2-1-def"]}),
    "reports": ("POST", "/v1/reports", "/v1/reports", REPORT),
    "apply": ("POST", "/v1/apply", "/v1/apply", {"documents": [ROUTE, POLICY], "delete": [], "if_match": []}),
    "document": (
        "PUT",
        "/v1/namespaces/default/routes/shop",
        "/v1/namespaces/{namespace}/{plural}/{name}",
        ROUTE,
    ),
}


@pytest.mark.parametrize("route", ROUTES)
async def test_what_the_description_forbids_is_refused(registry: RunningRegistry, route: str) -> None:
    assert await send_bodies(registry, route, FEW) > 0


@pytest.mark.soak
@pytest.mark.parametrize("route", ROUTES)
async def test_ten_thousand_bodies(registry: RunningRegistry, route: str) -> None:
    assert await send_bodies(registry, route, MANY) > 0


async def send_bodies(registry: RunningRegistry, route: str, count: int) -> int:
    """How many were accepted, each of which the schema accepts too. Nothing is a fault of ours."""
    print(f"MESHWAY_TEST_SEED={SEED}")
    chance = random.Random(f"{SEED} {route}")
    method, path, described, sound = ROUTES[route]
    await registry.register("cart", "c-1")
    description = (await registry.call("GET", "/openapi.json")).json
    body_schema = description["paths"][described][method.lower()]["requestBody"]["content"]
    schema = next(content["schema"] for kind, content in body_schema.items() if "json" in kind)
    validator = jsonschema.Draft202012Validator({**schema, "components": description["components"]})
    accepted = 0
    client = await RawClient(registry.port).__aenter__()
    try:
        answer = await client.call(method, path, json.dumps(sound).encode(), "Content-Type: application/json")
        assert answer.status < 300, answer
        for body in (nearly_right(chance, sound) for _ in range(count)):
            answer = await client.call(method, path, body, "Content-Type: application/json")
            assert answer.status < 500, (body, answer)
            if answer.status < 300:
                accepted += 1
                if body:
                    validator.validate(json.loads(body))
            else:
                assert answer.headers["content-type"] == "application/problem+json", (body, answer)
            if answer.headers.get("connection") == "close":
                client.writer.close()
                client = await RawClient(registry.port).__aenter__()
    finally:
        client.writer.close()
    return accepted
