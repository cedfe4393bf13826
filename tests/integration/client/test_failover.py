"""A service that knows two registries over one store does not notice the death of the one it speaks to."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meshway.client import AsyncMesh, Mesh, MeshSettings
from tests.integration.client.conftest import Start
from tests.parts.conditions import until, wait_until
from tests.parts.replicas import Cluster, Replica

TTL_S = 3.0  # of the service


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    running = Cluster(tmp_path, 2)
    yield running
    running.close()


def url(replica: Replica) -> str:
    return f"http://127.0.0.1:{replica.own_port}"


def hello(replica: Replica) -> dict[str, Any]:
    items = replica.client.get("/v1/namespaces/default/services/hello/instances").json()["items"]
    found: dict[str, Any] = items[0] if items else {}
    return found


def seen_by(mesh: Mesh) -> list[str]:
    """The names of instances as a watch tells them, from now on."""
    names: list[str] = []

    def follow() -> None:
        for event in mesh.watch(kind="Instance"):
            names.extend(change.name for change in event.changes)

    threading.Thread(target=follow, daemon=True).start()
    return names


def test_leases_watches_and_questions_go_on_at_the_other_registry(cluster: Cluster, start: Start) -> None:
    first, second = cluster.replicas
    process, _ = start(f"{url(first)},{url(second)}", "script")
    mesh = Mesh(MeshSettings(registry=url(first), further_registries=(url(second),)))
    names = seen_by(mesh)
    wait_until(lambda: hello(second).get("status") == "passing", 30, what="hello registered")
    wait_until(lambda: [name for name in names if name.startswith("hello/")], 15, what="hello seen by the watch")
    generation = hello(second)["generation"]
    first.kill()
    killed = time.monotonic()

    def lives_on() -> bool:
        """Renewed at the other one, well beyond what the lease had when its registry died."""
        item = hello(second)
        left_s = float(item["expires_in_s"])
        return item["status"] == "passing" and time.monotonic() + left_s > killed + 3.0 * TTL_S

    wait_until(lives_on, 30, what="renewals at the other registry")
    assert hello(second)["generation"] == generation, "renewed, not registered again"
    assert [item.id for item in mesh.discover("hello")] == [hello(second)["id"]]
    second.client.put(
        "/v1/namespaces/default/services/late/instances/late-1", json={"address": "127.0.0.1", "port": 9}
    ).raise_for_status()
    wait_until(lambda: "late/late-1" in names, 30, what="a change after the death, seen by the watch")
    assert "is not registered" not in process.text()
    process.send(signal.SIGTERM)
    process.popen.wait(20)
    assert hello(second) == {}, "it deregistered there"


def test_what_a_paused_registry_was_asked_and_does_late_takes_nobody_out_of_the_mesh(
    cluster: Cluster, start: Start
) -> None:
    first, second = cluster.replicas
    first.pause()
    process, _ = start(f"{url(first)},{url(second)}", "script")
    wait_until(lambda: hello(second).get("status") == "passing", 60, what="hello registered at the other registry")
    generation = hello(second)["generation"]
    first.go_on()
    wait_until(lambda: hello(second)["generation"] > generation + 1, 60, what="hello registered after the late one")
    wait_until(lambda: hello(second)["status"] == "passing", 30, what="hello in the mesh")
    assert "was taken over" not in process.text()


async def test_the_awaiting_client_goes_on_as_well_and_comes_back(cluster: Cluster) -> None:
    first, second = cluster.replicas
    mesh = AsyncMesh(MeshSettings(registry=url(first), further_registries=(url(second),)))
    names: list[str] = []

    async def is_seen(name: str) -> bool:
        async for event in mesh.watch(kind="Instance"):
            names.extend(change.name for change in event.changes)
            if name in names:
                return True
        return False

    for dies, stays, name in ((first, second, "one"), (second, first, "two")):
        dies.kill()
        stays.client.put(
            f"/v1/namespaces/default/services/books/instances/{name}", json={"address": "127.0.0.1", "port": 9}
        ).raise_for_status()
        assert name in {item.id for item in await mesh.discover("books")}
        assert await is_seen(f"books/{name}")
        dies.start()
        await until(dies.is_ready, 60)
    await mesh.close()
