"""Calls tell who lives, beside heartbeats: who answers them is not expired, who fails them is not called."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.parts.conditions import wait_until
from tests.parts.instances import EchoInstance
from tests.parts.planes import Gateway, Registry
from tests.parts.ports import free_port

TTL_S = 3
BOOKS = "/v1/namespaces/default/services/books/instances"


@pytest.fixture
def planes(tmp_path: Path) -> Iterator[tuple[Registry, Gateway]]:
    registry = Registry(tmp_path)
    gateway = Gateway(tmp_path, registry.url, workers=2)
    yield registry, gateway
    gateway.close()
    registry.close()


def instance(registry: Registry, identity: str) -> dict[str, Any]:
    shown: dict[str, Any] = registry.client.get(f"{BOOKS}/{identity}").json()
    return shown


def test_an_instance_that_answers_calls_outlives_its_heartbeats_and_one_that_fails_them_is_ejected(
    planes: tuple[Registry, Gateway], start_echo: Callable[..., EchoInstance]
) -> None:
    registry, gateway = planes
    registry.register("books", "silent", start_echo("silent").port, ttl_s=TTL_S)
    registry.register("books", "unheard", start_echo("unheard").port, ttl_s=TTL_S)
    lease = registry.client.put(f"{BOOKS}/liar", json={"port": free_port(), "ttl_s": TTL_S}).json()["lease_id"]
    registry.apply(
        "kind: TrafficPolicy\napiVersion: meshway/v1\nmetadata: {name: p}\n"
        "spec: {targets: [{service: books}], retry: {max_retries: 0}, outlier_detection: {base_ejection: 60s}}\n"
    )
    registry.client.patch(f"{BOOKS}/unheard", json={"weight": 0})
    wait_until(lambda: gateway.get("books.default.mesh").status_code == 200, 10)

    began = time.monotonic()
    while time.monotonic() - began < 2 * TTL_S:
        gateway.get("books.default.mesh")
        assert registry.client.post("/v1/heartbeats", json={"leases": [lease]}).json()["renewed"] == 1
        time.sleep(0.05)  # a caller's pace, no waiting for something
    assert {key: instance(registry, "silent")[key] for key in ("status", "unrenewed")} == {
        "status": "passing",
        "unrenewed": True,
    }
    assert instance(registry, "unheard")["status"] == "critical", "no heartbeat, no call: nothing speaks for it"
    assert instance(registry, "liar")["status"] == "passing"
    (state,) = registry.client.get("/v1/gateways").json()["items"]
    assert state["ejected"] == ["default/books/liar"]

    wait_until(lambda: instance(registry, "silent")["status"] == "critical", 3 * TTL_S, what="its answers to end")
