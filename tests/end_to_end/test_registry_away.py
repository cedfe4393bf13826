"""Static stability: the registry is dead, calls go on, also over a restart of the gateway."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.feed.last_good import load as load_last_good
from meshway.tasks import spawn
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


async def calls_while(port: int, seconds: float, steps: Callable[[Load], None], connections: int = 16) -> Load:
    """A load until all steps are done, and at least so long."""
    load = Load(port, connections, get("hello.default.mesh"))

    def disturb() -> None:
        end = time.monotonic() + seconds
        steps(load)
        wait_until(lambda: time.monotonic() > end, seconds + 1)

    running = spawn(load.run(), name="load")
    try:
        await asyncio.to_thread(disturb)
    finally:
        load.stopping.set()
        await running
    return load


def more_calls(load: Load, count: int) -> None:
    """Waits for so many more that were answered well."""
    before = sum(not call.error for call in load.calls)
    wait_until(lambda: sum(not call.error for call in load.calls) > before + count, 30, 0.1, "calls")


def live_gateways(registry: Registry) -> int:
    return sum(item["live"] for item in registry.client.get("/v1/gateways").json()["items"])


def prepare(planes: tuple[Registry, Gateway], start_echo: Callable[..., EchoInstance]) -> tuple[Registry, Gateway]:
    registry, gateway = planes
    for identity in ("a", "b"):
        registry.register("hello", identity, start_echo(identity).port, ttl_s=10)
    wait_until(lambda: gateway.get("hello.default.mesh").status_code == 200, 20)
    return registry, gateway


@pytest.mark.parametrize("seconds", [0.0, pytest.param(60.0, marks=pytest.mark.soak)])
def test_no_call_fails_while_the_registry_is_dead_and_the_gateway_reloads(
    planes: tuple[Registry, Gateway], start_echo: Callable[..., EchoInstance], seconds: float
) -> None:
    registry, gateway = prepare(planes, start_echo)

    def steps(load: Load) -> None:
        registry.process.kill()
        more_calls(load, 200)
        os.kill(gateway.process.pid, signal.SIGHUP)
        wait_until(lambda: gateway.process.text().count("takes over") == gateway.workers, 30, what="workers anew")
        more_calls(load, 300)

    load = asyncio.run(calls_while(gateway.mesh_port, seconds, steps))
    assert load.failures == []


@pytest.mark.parametrize("seconds", [0.0, pytest.param(60.0, marks=pytest.mark.soak)])
def test_a_gateway_restarted_without_registry_serves_from_its_last_good_snapshot(
    planes: tuple[Registry, Gateway], start_echo: Callable[..., EchoInstance], seconds: float
) -> None:
    registry, gateway = prepare(planes, start_echo)
    wait_until(lambda: is_kept(gateway, "hello/b"), 20, what="both instances on disk")
    down: list[float] = []
    up: list[float] = []

    def steps(load: Load) -> None:
        registry.process.kill()
        more_calls(load, 200)
        down.append(time.time())
        gateway.restart(signal.SIGKILL)
        wait_until(lambda: gateway.get("hello.default.mesh").status_code == 200, 20)
        up.append(time.time())
        more_calls(load, 200)

    load = asyncio.run(calls_while(gateway.mesh_port, seconds, steps))
    outside = [c for c in load.failures if not down[0] - 0.5 <= c.started_s <= up[0] + 0.5]
    assert outside == []
    refused = [
        c for c in load.failures if "Refused" not in c.error and "Reset" not in c.error and "Incomplete" not in c.error
    ]
    assert refused == []


def is_kept(gateway: Gateway, instance: str) -> bool:
    found, _ = load_last_good(gateway.data / "gateway" / "last_good")
    return found is not None and any(name == instance for _, _, name in found.entries)


def test_a_registry_that_comes_back_is_followed_again(
    planes: tuple[Registry, Gateway], start_echo: Callable[..., EchoInstance]
) -> None:
    registry, gateway = prepare(planes, start_echo)
    registry.restart(signal.SIGKILL)
    registry.register("late", "c", start_echo("c").port)
    wait_until(lambda: gateway.get("late.default.mesh").status_code == 200, 30)
    wait_until(lambda: live_gateways(registry) == 1, 10, what="the gateway reports to the registry that came back")
