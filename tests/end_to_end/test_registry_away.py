"""Static stability: the registry is dead, calls go on, also over a restart of the gateway."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.parts.conditions import wait_until
from tests.parts.instances import EchoInstance
from tests.parts.load import Load
from tests.parts.planes import Gateway, Registry


@pytest.fixture
def planes(tmp_path: Path) -> Iterator[tuple[Registry, Gateway]]:
    registry = Registry(tmp_path)
    gateway = Gateway(tmp_path, registry.url, workers=2)
    yield registry, gateway
    gateway.close()
    registry.close()


def get(host: str) -> Callable[[int], tuple[str, str, bytes]]:
    def request(number: int) -> tuple[str, str, bytes]:
        request_id = f"call-{number:08d}"
        return (
            "GET",
            request_id,
            f"GET /{number} HTTP/1.1\r\nHost: {host}\r\nx-request-id: {request_id}\r\n\r\n".encode(),
        )

    return request


async def calls_while(port: int, seconds: float, steps: Callable[[Load], Any], connections: int = 16) -> Load:
    load = Load(port, connections, get("hello.default.mesh"))
    running = asyncio.gather(load.for_seconds(seconds), asyncio.to_thread(steps, load))
    await running
    return load


def live_gateways(registry: Registry) -> int:
    return sum(item["live"] for item in registry.client.get("/v1/gateways").json()["items"])


def prepare(planes: tuple[Registry, Gateway], start_echo: Callable[..., EchoInstance]) -> tuple[Registry, Gateway]:
    registry, gateway = planes
    for identity in ("a", "b"):
        registry.register("hello", identity, start_echo(identity).port, ttl_s=10)
    wait_until(lambda: gateway.get("hello.default.mesh").status_code == 200, 20)
    return registry, gateway


@pytest.mark.parametrize("seconds", [8.0, pytest.param(60.0, marks=pytest.mark.soak)])
def test_no_call_fails_while_the_registry_is_dead_and_the_gateway_reloads(
    planes: tuple[Registry, Gateway], start_echo: Callable[..., EchoInstance], seconds: float
) -> None:
    registry, gateway = prepare(planes, start_echo)

    def steps(load: Load) -> None:
        registry.process.kill()
        wait_until(lambda: len(load.calls) > 200, 20)
        os.kill(gateway.process.pid, signal.SIGHUP)

    load = asyncio.run(calls_while(gateway.mesh_port, seconds, steps))
    assert len(load.calls) > 500
    assert load.failures == []


@pytest.mark.parametrize("seconds", [10.0, pytest.param(60.0, marks=pytest.mark.soak)])
def test_a_gateway_restarted_without_registry_serves_from_its_last_good_snapshot(
    planes: tuple[Registry, Gateway], start_echo: Callable[..., EchoInstance], seconds: float
) -> None:
    registry, gateway = prepare(planes, start_echo)
    wait_until(gateway.last_good_files, 20, what="a snapshot on disk")
    down: list[float] = []
    up: list[float] = []

    def steps(load: Load) -> None:
        registry.process.kill()
        wait_until(lambda: len(load.calls) > 200, 20)
        down.append(load.calls[-1].started_s)
        gateway.restart(signal.SIGKILL)
        wait_until(lambda: gateway.get("hello.default.mesh").status_code == 200, 20)
        up.append(max(call.started_s for call in load.calls))

    load = asyncio.run(calls_while(gateway.mesh_port, seconds, steps))
    outside = [c for c in load.failures if not down[0] - 0.5 <= c.started_s <= up[0] + 0.5]
    assert outside == []
    refused = [
        c for c in load.failures if "Refused" not in c.error and "Reset" not in c.error and "Incomplete" not in c.error
    ]
    assert refused == []
    assert sum(not c.error for c in load.calls if c.started_s > up[0]) > 200


def test_a_registry_that_comes_back_is_followed_again(
    planes: tuple[Registry, Gateway], start_echo: Callable[..., EchoInstance]
) -> None:
    registry, gateway = prepare(planes, start_echo)
    registry.restart(signal.SIGKILL)
    registry.register("late", "c", start_echo("c").port)
    wait_until(lambda: gateway.get("late.default.mesh").status_code == 200, 30)
    wait_until(lambda: live_gateways(registry) == 1, 10, what="the gateway reports to the registry that came back")
