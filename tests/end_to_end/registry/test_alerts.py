"""Alerts of a registry that is a process of its own, and is killed while they fire."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.parts.conditions import wait_until
from tests.parts.planes import Registry

TTL_S = 5


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    running = Registry(tmp_path)
    yield running
    running.close()


def no_instances(registry: Registry, state: str = "firing") -> list[dict[str, Any]]:
    items = registry.client.get("/v1/alerts", params={"state": state}).json()["items"]
    return [each for each in items if each["name"] == "builtin-no-instances"]


@pytest.mark.soak
def test_a_service_whose_instances_died_fires_within_seconds_outlives_a_kill_and_is_over(registry: Registry) -> None:
    registry.register("cart", "c-1", 9000, namespace="shop", ttl_s=TTL_S)
    instances = "/v1/namespaces/shop/services/cart/instances"
    wait_until(lambda: registry.client.get(instances).json()["items"][0]["status"] == "critical", within_s=60.0)
    died_at = time.monotonic()
    wait_until(lambda: no_instances(registry), within_s=120.0, every_s=0.2)
    took_s = time.monotonic() - died_at
    (before,) = no_instances(registry)
    print(f"fired {took_s:.1f} s after the last instance was known to be gone")
    assert before["labels"] == {"namespace": "shop", "service": "cart"}
    assert before["fired_at"] - before["active_at"] < 20.0, "two looks, however slow the machine"
    registry.restart(signal.SIGKILL)
    wait_until(lambda: len(no_instances(registry)) == 1, within_s=60.0)
    time_of_start = time.time()
    # One whole turn of the new process has looked at it.
    wait_until(lambda: no_instances(registry)[0].get("held_at", 0.0) > time_of_start, within_s=60.0, every_s=0.2)
    (after,) = no_instances(registry)
    assert [after[name] for name in ("id", "active_at", "fired_at")] == [
        before[name] for name in ("id", "active_at", "fired_at")
    ]
    registry.register("cart", "c-1", 9000, namespace="shop", ttl_s=300)
    wait_until(lambda: not no_instances(registry), within_s=120.0, every_s=0.2)
    (over,) = no_instances(registry, "resolved")
    assert over["id"] == before["id"]
