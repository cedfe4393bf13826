"""Nacos's routes over a real socket: what its clients send and what they are told."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from tests.parts.conditions import until
from tests.parts.plain_service import PlainService
from tests.parts.random_bodies import JUNK, nearly_right

if TYPE_CHECKING:
    from tests.parts.registry import RunningRegistry
    from tests.parts.registry_wire import Answer

NS = "/nacos/v1/ns"
HOST = {"serviceName": "orders", "ip": "10.0.0.7", "port": 8080}


async def _call(registry: RunningRegistry, method: str, path: str, **parameters: Any) -> Answer:
    return await registry.call(method, f"{path}?{urlencode(parameters)}")


async def _register(registry: RunningRegistry, **changed: Any) -> None:
    answer = await _call(registry, "POST", f"{NS}/instance", **(HOST | changed))
    assert (answer.status, answer.body) == (200, b"ok"), answer


async def _hosts(registry: RunningRegistry, **filters: Any) -> list[dict[str, Any]]:
    answer = await _call(registry, "GET", f"{NS}/instance/list", **({"serviceName": "orders"} | filters))
    assert answer.status == 200, answer
    hosts: list[dict[str, Any]] = answer.json["hosts"]
    return hosts


async def test_a_form_is_as_good_as_a_query(registry: RunningRegistry) -> None:
    body = urlencode(HOST | {"metadata": '{"a":"ä=&"}'}).encode()
    answer = await registry.call(
        "POST", f"{NS}/instance", body, "Content-Type: application/x-www-form-urlencoded; charset=UTF-8"
    )
    assert answer.body == b"ok"
    (host,) = await _hosts(registry)
    assert host["metadata"] == {"a": "ä=&"}


async def test_a_list_says_when_it_was_made_and_when_to_ask_again(registry: RunningRegistry) -> None:
    await _register(registry)
    answer = (await _call(registry, "GET", f"{NS}/instance/list", serviceName="DEFAULT_GROUP@@orders")).json
    assert (answer["name"], answer["groupName"], answer["cacheMillis"]) == (
        "DEFAULT_GROUP@@orders",
        "DEFAULT_GROUP",
        3000,
    )
    assert answer["lastRefTime"] > 1_700_000_000_000
    empty = (await _call(registry, "GET", f"{NS}/instance/list", serviceName="nobody")).json
    assert empty["hosts"] == []


async def test_a_light_beat_renews_and_one_of_a_stranger_is_told_to_register(registry: RunningRegistry) -> None:
    unknown = await _call(registry, "PUT", f"{NS}/instance/beat", **HOST)
    assert (unknown.status, unknown.json["code"]) == (200, 20404)
    await _register(registry)
    before = (await registry.call("GET", "/v1/namespaces/default/services/orders/instances")).json["items"][0]
    beaten = await _call(registry, "PUT", f"{NS}/instance/beat", **HOST)
    assert beaten.json == {"clientBeatInterval": 5000, "code": 10200, "lightBeatEnabled": True}
    after = (await registry.call("GET", "/v1/namespaces/default/services/orders/instances")).json["items"][0]
    assert after["revision"] == before["revision"]
    assert after["expires_in_s"] > 14


async def test_a_patch_changes_what_it_names_and_an_instance_of_ours_is_one_of_theirs(
    registry: RunningRegistry,
) -> None:
    await registry.register("orders", "orders-1", 9001, weight=3, metadata={"a": "b"})
    place = {"serviceName": "orders", "ip": "127.0.0.1", "port": 9001}
    assert (await _call(registry, "PATCH", f"{NS}/instance", **place, weight=5)).body == b"ok"
    (host,) = await _hosts(registry)
    assert (host["weight"], host["metadata"], host["clusterName"]) == (5.0, {"a": "b"}, "DEFAULT")
    assert (await _call(registry, "PUT", f"{NS}/instance/beat", **place)).json["code"] == 10200
    assert (await _call(registry, "DELETE", f"{NS}/instance", **place)).body == b"ok"
    assert await _hosts(registry) == []


async def test_a_persistent_instance_is_asked_by_the_registry(registry: RunningRegistry) -> None:
    async with PlainService() as service:
        place = {"serviceName": "orders", "ip": "127.0.0.1", "port": service.port}
        assert (await _call(registry, "POST", f"{NS}/instance", **place, ephemeral="false")).body == b"ok"
        assert [host["ephemeral"] for host in await _hosts(registry)] == [False]

        def status() -> list[str]:
            return [row.instance.status for row in registry.core.view.services["default", "orders"].values()]

        await until(lambda: status() == ["passing"], what="its port answers")
        assert [host["healthy"] for host in await _hosts(registry, healthyOnly="true")] == [True]
        beaten = await _call(registry, "PUT", f"{NS}/instance/beat", **place)
        assert beaten.json["code"] == 10200


async def test_services_are_documents(registry: RunningRegistry) -> None:
    place = {"serviceName": "orders", "groupName": "blue"}
    assert (await _call(registry, "GET", f"{NS}/service", **place)).status == 404
    made = await _call(registry, "POST", f"{NS}/service", **place, metadata="owner=shop", protectThreshold="0.0")
    assert made.body == b"ok"
    assert (await _call(registry, "POST", f"{NS}/service", **place)).status == 400
    shown = (await _call(registry, "GET", f"{NS}/service", **place)).json
    assert (shown["groupName"], shown["name"], shown["metadata"]) == ("blue", "orders", {"owner": "shop"})
    assert (await _call(registry, "PUT", f"{NS}/service", **place, metadata="owner=till")).body == b"ok"
    assert (await _call(registry, "GET", f"{NS}/service", **place)).json["metadata"] == {"owner": "till"}
    listed = (await _call(registry, "GET", f"{NS}/service/list", pageNo=1, pageSize=10, groupName="blue")).json
    assert listed == {"count": 1, "doms": ["orders"]}
    await _register(registry, groupName="blue")
    assert (await _call(registry, "GET", f"{NS}/service", **place)).json["clusters"][0]["name"] == "DEFAULT"
    refused = await _call(registry, "DELETE", f"{NS}/service", **place)
    assert (refused.status, refused.body) == (
        400,
        b"caused: specified service has instances, serviceName : blue@@orders;",
    )
    await _call(registry, "DELETE", f"{NS}/instance", **HOST, groupName="blue")
    assert (await _call(registry, "DELETE", f"{NS}/service", **place)).body == b"ok"
    assert (await _call(registry, "DELETE", f"{NS}/service", **place)).status == 400


async def test_pages_of_services_begin_where_the_one_before_ends(registry: RunningRegistry) -> None:
    for number in range(5):
        await _register(registry, serviceName=f"s{number}")
    pages = [
        (await _call(registry, "GET", f"{NS}/service/list", pageNo=page, pageSize=2)).json["doms"]
        for page in (1, 2, 3, 4)
    ]
    assert pages == [["s0", "s1"], ["s2", "s3"], ["s4"], []]


async def test_what_clients_and_consoles_ask_of_the_server(registry: RunningRegistry) -> None:
    await _register(registry, namespaceId="n1")
    metrics = (await _call(registry, "GET", f"{NS}/operator/metrics")).json
    assert (metrics["status"], metrics["serviceCount"], metrics["instanceCount"]) == ("UP", 1, 1)
    assert (await _call(registry, "GET", f"{NS}/operator/switches")).json["lightBeatEnabled"] is True
    for probe in ("liveness", "readiness"):
        assert (await _call(registry, "GET", f"/nacos/v1/console/health/{probe}")).status == 200
    namespaces = (await _call(registry, "GET", "/nacos/v1/console/namespaces")).json["data"]
    assert [row["namespaceShowName"] for row in namespaces] == ["public", "n1"]
    for path in ("/nacos/v1/auth/login", "/nacos/v1/auth/users/login"):
        assert (await _call(registry, "POST", path, username="a", password="b")).json["accessToken"]


@pytest.mark.parametrize(
    ("method", "path", "parameters", "status"),
    [
        ("POST", "/instance", {}, 400),
        ("POST", "/instance", HOST | {"ephemeral": "maybe"}, 400),
        ("POST", "/instance", HOST | {"namespaceId": "mesh"}, 400),
        ("GET", "/instance", HOST, 404),
        ("PUT", "/instance", HOST, 400),
        ("GET", "/instance/list", {}, 400),
        ("PUT", "/instance/beat", HOST | {"beat": "{"}, 400),
        ("PUT", "/health/instance", HOST | {"healthy": "true"}, 400),
        ("POST", "/service", {"serviceName": "a", "protectThreshold": "0.5"}, 400),
        ("POST", "/service", {"serviceName": "a", "selector": '{"type":"label"}'}, 400),
        ("GET", "/service/list", {"pageNo": "1", "pageSize": "0"}, 400),
        ("PUT", "/operator/switches", {}, 404),
        ("GET", "/instance/nothing", {}, 404),
    ],
)
async def test_what_cannot_be_done_is_said_in_nacos_form(
    registry: RunningRegistry, method: str, path: str, parameters: dict[str, Any], status: int
) -> None:
    answer = await _call(registry, method, NS + path, **parameters)
    assert (answer.status, answer.headers["content-type"]) == (status, "text/plain; charset=utf-8")
    assert answer.body.startswith(b"caused: ")
    assert answer.body.endswith(b";")


async def test_configurations_are_not_kept_and_that_is_said(registry: RunningRegistry) -> None:
    for path in ("/nacos", "/nacos/v1/cs/configs", "/nacos/v2/ns/instance"):
        answer = await registry.call("GET", path)
        assert (answer.status, answer.body[:8]) == (404, b"caused: ")


@pytest.mark.flaky(reruns=0)
async def test_nonsense_is_never_our_fault(registry: RunningRegistry) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    sent = HOST | {
        "weight": "1.5",
        "metadata": '{"a":"b"}',
        "clusterName": "c1",
        "groupName": "g",
        "enabled": "true",
        "ephemeral": "true",
        "healthyOnly": "false",
        "pageNo": "1",
        "pageSize": "5",
        "namespaceId": "",
    }
    beat = {"ip": "10.0.0.7", "port": 8080, "weight": 1.0, "cluster": "c1", "metadata": {"a": "b"}, "ephemeral": True}
    accepted = 0
    for _ in range(700):
        parameters = dict(sent)
        for _ in range(chance.randint(0, 2)):
            parameters[chance.choice(sorted(parameters))] = _text(chance.choice(JUNK))
        path = chance.choice(["/instance", "/instance/list", "/instance/beat", "/service", "/service/list"])
        if path == "/instance/beat":
            parameters["beat"] = nearly_right(chance, beat).decode("latin-1")
        method = chance.choice(["GET", "POST", "PUT", "PATCH", "DELETE"])
        body = None if chance.random() < 0.9 else chance.randbytes(20)
        query = urlencode(parameters, errors="replace")
        answer = await registry.call(method, f"{NS}{path}?{query}", body)
        assert answer.status in (200, 400, 404), (method, path, parameters, answer)
        accepted += answer.status == 200
    assert 50 < accepted < 700


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
