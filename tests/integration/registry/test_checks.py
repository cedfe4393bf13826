"""Instances that are asked by the registry: real servers that fail, stop and come back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.parts.conditions import until
from tests.parts.grpc_health_server import NOT_SERVING, SERVING, grpc_health
from tests.parts.instances import EchoInstance
from tests.parts.plain_service import PlainService
from tests.parts.registry import RunningRegistry, running_registry
from tests.parts.valkey import Valkey

OFTEN = {"interval": "1s", "timeout": "300ms", "unhealthy_after": 1, "healthy_after": 1}


async def register(registry: RunningRegistry, at: int, **check: Any) -> Callable[[], str | None]:
    """at: the instance's port. Gives what its status is now; None: it is gone."""
    answer = await registry.register("books", "b1", at, check={**OFTEN, **check})
    assert answer.json["status"] == "critical"
    assert (answer.json["ttl_s"], answer.json["expires_in_s"]) == (None, None)

    def status() -> str | None:
        row = registry.core.view.instance(("default", "books", "b1"))
        return None if row is None else row.instance.status

    return status


async def test_an_http_check_decides_by_the_answers_status(registry: RunningRegistry) -> None:
    async with PlainService() as service:
        status = await register(registry, service.port, path="/healthz", host="books.example", expect=["200", "204"])
        await until(lambda: status() == "passing")
        assert service.calls[0].startswith("GET /healthz HTTP/1.1\r\nHost: books.example\r\n")
        service.status = 503
        await until(lambda: status() == "critical")
        service.status = 204
        await until(lambda: status() == "passing")
        service.is_stuck = True
        await until(lambda: status() == "critical")
        listed = (await registry.call("GET", "/v1/namespaces/default/services/books/instances/b1")).json
        assert listed["check"] == {
            "type": "http", "path": "/healthz", "host": "books.example", "expect": ["200", "204"], **OFTEN
        }  # fmt: skip
        assert (listed["ttl_s"], listed["expires_in_s"], listed["unrenewed"]) == (None, None, False)


async def test_neither_the_registry_nor_what_it_does_not_serve_is_asked(
    tmp_path: Path, valkey: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "registry.checks")
    async with PlainService() as service, running_registry(tmp_path, redis_url=valkey.url) as registry:
        places = {"own": registry.port, "store": valkey.port}
        for name, port in places.items():
            await registry.register("ssrf", name, port, address="127.0.0.1", check={**OFTEN, "type": "tcp"})
        await registry.register("ssrf", "far", 80, address="198.51.100.7", check={**OFTEN, "type": "tcp"})
        status = await register(registry, service.port, type="tcp")
        await until(lambda: status() == "passing")
        await until(lambda: registry.core.checks.asked >= 8)
        rows = registry.core.view.services["default", "ssrf"].values()
        assert {row.instance.status for row in rows} == {"critical"}
    told = "\n".join(record.message for record in caplog.records)
    assert "check of default/ssrf/own fails: forbidden_address" in told


async def test_a_process_that_is_killed_is_critical_then_gone(tmp_path: Path) -> None:
    instance = EchoInstance(tmp_path, "b1")
    try:
        async with running_registry(tmp_path / "registry", remove_after_s=1.0) as registry:
            status = await register(registry, instance.port, type="tcp")
            await until(lambda: status() == "passing")
            instance.kill()
            await until(lambda: status() == "critical")
            await until(lambda: status() is None)
            assert registry.core.checks.own == set()
    finally:
        instance.kill()


async def test_a_grpc_check_asks_the_health_service(registry: RunningRegistry) -> None:
    async with grpc_health(books=SERVING) as server:
        status = await register(registry, server.port, type="grpc", service="books")
        await until(lambda: status() == "passing")
        server.says["books"] = NOT_SERVING
        await until(lambda: status() == "critical")
    assert set(server.asked) == {"books"}


async def test_a_check_goes_to_its_own_port(registry: RunningRegistry) -> None:
    async with PlainService() as service:
        status = await register(registry, 1, port=service.port)
        await until(lambda: status() == "passing")


async def test_an_instance_that_is_never_up_is_critical_from_the_start_and_no_heartbeat_helps(
    registry: RunningRegistry,
) -> None:
    status = await register(registry, 1, type="tcp")
    await until(lambda: registry.core.checks.asked >= 1)
    beat = await registry.call("PUT", "/v1/namespaces/default/services/books/instances/b1/heartbeat")
    assert beat.status == 200
    assert status() == "critical"


async def test_after_a_restart_the_last_state_holds_until_checks_say_otherwise(tmp_path: Path) -> None:
    async with PlainService() as service:
        async with running_registry(tmp_path) as registry:
            status = await register(registry, service.port)
            await until(lambda: status() == "passing")
        async with running_registry(tmp_path) as registry:
            row = registry.core.view.instance(("default", "books", "b1"))
            assert row is not None
            assert row.instance.status == "passing"
            service.status = 500
            await until(lambda: _status(registry) == "critical")


def _status(registry: RunningRegistry) -> str | None:
    row = registry.core.view.instance(("default", "books", "b1"))
    return None if row is None else row.instance.status


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1"])
async def test_nobody_registers_where_nobody_may_be_called(registry: RunningRegistry, address: str) -> None:
    path = "/v1/namespaces/default/services/books/instances/b1"
    answer = await registry.call("PUT", path, {"port": 80, "address": address, "check": {}})
    assert (answer.status, answer.json["errors"][0]["code"]) == (422, "bad_address")


async def test_a_registry_that_others_reach_asks_nothing_on_its_own_loopback(tmp_path: Path) -> None:
    async with (
        PlainService() as service,
        running_registry(tmp_path, bind="0.0.0.0", insecure=True) as registry,
    ):
        status = await register(registry, service.port)
        await until(lambda: registry.core.checks.asked >= 1)
        assert status() == "critical"
        assert service.calls == []
