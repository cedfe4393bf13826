"""The description and what is served are the same, and its examples work."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import jsonschema
import pytest
from starlette.routing import Route

from registry.compat.consul.description import consul_operations
from registry.compat.consul.table import consul_rows
from registry.insight.asking import Asking
from registry.machine.description import machine_operations
from registry.machine.guards import Guards
from registry.machine.live_topics import LiveTopics
from registry.machine.table import machine_routes
from tests.parts.registry_wire import RawClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.parts.registry import RunningRegistry

ORDER = ("put", "post", "get", "patch", "delete")
# Nobody asked a gateway, and none is there to be asked; nobody has a token, a key or a certificate, or was silenced.
CALLER_NEEDED = (
    "answerQuestion", "explain", "testReceiver", "resetBreakers", "purgeCache", "getRouteTraffic",
    "enrol", "renewCertificate", "createServiceToken", "revokeToken", "startSignIn", "finishSignIn", "endSignIn",
    "redeemSignIn", "signIn", "signOut", "setUp", "confirmSession", "changePassword", "offerTotp", "takeTotp",
    "dropTotp", "getPreferences", "putPreferences", "endUserSession", "endUserSessions", "removeUserTotp",
    "deleteBinding", "judgeChange", "endSilence",
    "getRollout", "promoteRollout", "holdRollout", "abortRollout", "skipRollout",
)  # fmt: skip
STREAMS = ("/v1/watch", "/v1/live", "/v1/feed", "/v1/tap", "/v1/logs/follow")


async def _description(registry: RunningRegistry) -> dict[str, Any]:
    answer = await registry.call("GET", "/openapi.json")
    assert answer.status == 200
    description: dict[str, Any] = answer.json
    return description


def _operations(description: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    rows = [(method, path, row) for path, methods in description["paths"].items() for method, row in methods.items()]
    yield from sorted(rows, key=lambda row: ORDER.index(row[0]))


async def test_every_route_is_described_and_every_description_is_a_route(registry: RunningRegistry) -> None:
    described = {(method.upper(), path) for method, path, _ in _operations(await _description(registry))}
    guards = Guards([*machine_operations(), *consul_operations()])
    asking = Asking(
        registry.core.watching.insight.reading,
        registry.core.view,
        registry.gateways.states,
        registry.core.watching.alerts.budget_left,
    )
    live = LiveTopics(asking, registry.gateways.states, registry.core.notices, time.time)
    machine = set(machine_routes(registry.core, registry.gateways, registry.surface.caps, guards, live).patterns)
    application: Any = registry.surface.application
    api = set(_api_routes(application.routes))
    consul = {(method, path) for method, path, _ in consul_rows(registry.core, guards)}
    assert len(machine) == 24
    assert len(consul) == 30
    assert len(api) >= 15
    assert machine | api | consul == described | {("GET", "/openapi.json")}
    names = [row["operationId"] for _, _, row in _operations(await _description(registry))]
    assert len(names) == len(set(names))


async def test_what_other_projects_describe_is_left_out_and_that_is_said(registry: RunningRegistry) -> None:
    description = await _description(registry)
    for family, path in (("/eureka", "/eureka/apps"), ("/nacos", "/nacos/v1/ns/operator/switches")):
        assert (await registry.call("GET", path)).status == 200, "it is served"
        assert not [path for path in description["paths"] if path.startswith(family)]
        assert f"below {family}" in description["info"]["description"]


def _api_routes(routes: Any) -> Iterator[tuple[str, str]]:
    """FastAPI keeps the routes of an included router behind an object of its own."""
    for route in routes:
        if isinstance(route, Route):
            yield from ((method, route.path) for method in route.methods or () if method != "HEAD")
        else:
            yield from _api_routes(route.original_router.routes)


async def test_every_example_succeeds_and_its_answer_fits_the_schema(registry: RunningRegistry) -> None:
    description = await _description(registry)
    sent = 0
    for method, path, row in _operations(description):
        if path in STREAMS:
            continue
        target, body = _example(path, row)
        answer = await registry.call(method.upper(), target, body)
        documented = {int(status) for status in row["responses"] if status != "default"}
        assert answer.status in documented, (method, target, answer)
        if row["operationId"] not in CALLER_NEEDED:
            assert answer.status < 300, (method, target, answer)
        _check_answer(description, row["responses"][str(answer.status)], answer.headers, answer.body)
        if body is not None:
            schema = row["requestBody"]["content"]["application/json"]["schema"]
            _validate(description, schema, body)
        sent += 1
    assert sent == len(list(_operations(description))) - len(STREAMS)


@pytest.mark.parametrize("path", STREAMS)
async def test_the_streams_answer_as_described(registry: RunningRegistry, path: str) -> None:
    row = (await _description(registry))["paths"][path]["get"]
    async with RawClient(registry.port) as client:
        client.send("GET", path)
        head = await client.head()
    assert head.status == 200
    assert head.headers["content-type"] in row["responses"]["200"]["content"]


async def test_references_lead_somewhere_and_schemas_are_schemas(registry: RunningRegistry) -> None:
    description = await _description(registry)
    assert description["openapi"].startswith("3.1")
    for reference in _references(description):
        at: Any = description
        for part in reference.removeprefix("#/").split("/"):
            at = at[part]
    for schema in description["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def _example(path: str, row: dict[str, Any]) -> tuple[str, Any]:
    query = {}
    for parameter in row["parameters"]:
        if parameter["in"] == "path":
            assert "example" in parameter, (path, parameter["name"])
            path = path.replace("{" + parameter["name"] + "}", parameter["example"])
        elif "example" in parameter:
            query[parameter["name"]] = parameter["example"]
    body = row.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
    return (f"{path}?{urlencode(query)}" if query else path), body


def _check_answer(description: dict[str, Any], answer: dict[str, Any], headers: dict[str, str], body: bytes) -> None:
    content = answer.get("content")
    if content is None:
        assert body == b""
        return
    kind = headers["content-type"].partition(";")[0]
    assert kind in content
    if kind == "application/json":
        _validate(description, content[kind]["schema"], json.loads(body))


def _validate(description: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    jsonschema.Draft202012Validator({**schema, "components": description["components"]}).validate(value)


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)
