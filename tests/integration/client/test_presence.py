"""Services join, stay and leave a real registry."""

import asyncio
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from meshway.client import AsyncMesh, Mesh, MeshSettings
from tests.integration.client.conftest import Start
from tests.parts.conditions import until, wait_until
from tests.parts.planes import Registry
from tests.parts.ports import free_port
from tests.parts.sdk_services import start_service


def instances(registry: Registry) -> list[dict[str, Any]]:
    answer = registry.client.get("/v1/namespaces/default/services/hello/instances")
    items: list[dict[str, Any]] = answer.json().get("items", [])
    return items


def states(registry: Registry) -> list[str]:
    return [item["status"] for item in instances(registry)]


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/", trust_env=False).text == "hello"
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("kind", ["asgi", "wsgi", "script"])
def test_a_service_registers_when_it_listens_and_leaves_on_sigterm(registry: Registry, start: Start, kind: str) -> None:
    process, port = start(registry.url, kind)
    wait_until(lambda: states(registry) == ["passing"], 15)
    assert answers(port), "it was registered before it answered"
    assert instances(registry)[0]["port"] == port
    process.send(signal.SIGTERM)
    assert process.popen.wait(15) in (0, -signal.SIGTERM, 128 + signal.SIGTERM), process.text()
    assert instances(registry) == []
    assert "Traceback" not in process.text()


@pytest.mark.parametrize("kind", ["asgi", "script"])
def test_a_service_starts_without_a_registry_and_registers_when_it_is_there(
    tmp_path: Path, start: Start, kind: str
) -> None:
    port_of_registry = free_port()
    process, port = start(f"http://127.0.0.1:{port_of_registry}", kind)
    wait_until(lambda: answers(port), 15)
    wait_until(lambda: "does not answer" in process.text(), 5)
    registry = Registry(tmp_path, port=port_of_registry)
    try:
        wait_until(lambda: states(registry) == ["passing"], 20)
        assert process.text().count("does not answer") == 1
        process.send(signal.SIGTERM)
        process.popen.wait(15)
    finally:
        registry.close()


def test_a_call_under_way_is_finished_after_sigterm(registry: Registry, start: Start) -> None:
    process, port = start(registry.url)
    wait_until(lambda: states(registry) == ["passing"], 15)
    with httpx.Client(timeout=20.0, trust_env=False) as client:
        request = client.build_request("GET", f"http://127.0.0.1:{port}/?wait_s=1.5")
        answer: list[httpx.Response] = []
        caller = threading.Thread(target=lambda: answer.append(client.send(request)))
        caller.start()
        wait_until(lambda: _has_connection(process.pid, port), 5)
        process.send(signal.SIGTERM)
        wait_until(lambda: states(registry) == ["draining"], 5)
        caller.join(20)
    assert answer[0].text == "hello"
    process.popen.wait(15)
    assert instances(registry) == []


def test_worker_processes_share_one_registration_and_the_next_takes_over(registry: Registry, start: Start) -> None:
    process, _ = start(registry.url, "asgi", workers=3)
    wait_until(lambda: states(registry) == ["passing"], 20)
    wait_until(lambda: len(_members(process.pid)) == 3, 20, what="three workers that joined")
    first = instances(registry)[0]
    assert first["generation"] == 1
    holder = next(pid for pid in _members(process.pid) if _locks(pid, "WRITE"))
    os.kill(holder, signal.SIGKILL)
    wait_until(lambda: any(_locks(pid, "WRITE") for pid in _members(process.pid) if pid != holder), 10)
    # Over the ttl of 3 s: without a successor that renews, the lease would run out.
    end = time.monotonic() + 4.0
    while time.monotonic() < end:
        found = [(item["id"], item["generation"], item["status"]) for item in instances(registry)]
        assert found == [(first["id"], 1, "passing")]
        time.sleep(0.1)
    process.send(signal.SIGTERM)
    process.popen.wait(20)
    wait_until(lambda: instances(registry) == [], 5)


def test_an_app_that_was_loaded_before_forking_is_registered_once(registry: Registry, start: Start) -> None:
    process, port = start(registry.url, "wsgi", workers=2)
    wait_until(lambda: states(registry) == ["passing"], 15)
    children = list(map(int, Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()))
    # A child joins with its first request; which one answers is the kernel's choice.
    wait_until(lambda: answers(port) and any(_locks(child, "READ") for child in children), 10)
    assert [item["generation"] for item in instances(registry)] == [1]
    process.send(signal.SIGTERM)
    process.popen.wait(20)
    assert instances(registry) == []
    assert "Traceback" not in process.text()


async def test_a_service_that_was_superseded_leaves_the_id_to_its_successor(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = MeshSettings(registry=registry.url)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    # Two folders stand for two hosts: on one host they would share the registration.
    monkeypatch.setenv("MESHWAY_RUNTIME_DIR", str(tmp_path / "one"))
    async with server, AsyncMesh(settings).register("hello", port, id="same", ttl_s=3) as first:
        await until(lambda: first.status().state == "passing", 15)
        monkeypatch.setenv("MESHWAY_RUNTIME_DIR", str(tmp_path / "other"))
        async with AsyncMesh(settings).register("hello", port, id="same", ttl_s=3) as second:
            await until(lambda: first.status().state == "superseded", 20)
            assert second.status().state == "passing"
            assert [item["generation"] for item in instances(registry)] == [2]
            await first.drain()
            assert states(registry) == ["passing"]


def test_a_restart_on_the_same_port_is_the_same_instance(registry: Registry, start: Start, tmp_path: Path) -> None:
    process, port = start(registry.url)
    wait_until(lambda: states(registry) == ["passing"], 15)
    identity = instances(registry)[0]["id"]
    process.kill()
    again, _ = start_service(tmp_path, registry.url, port=port)
    try:
        wait_until(lambda: [item["generation"] for item in instances(registry)] == [2], 15)
        assert instances(registry)[0]["id"] == identity
    finally:
        again.stop(10)


def test_a_registry_that_lost_everything_is_told_again(registry: Registry, start: Start, tmp_path: Path) -> None:
    start(registry.url)
    wait_until(lambda: states(registry) == ["passing"], 15)
    registry.process.kill()
    (tmp_path / "data").rename(tmp_path / "lost")
    registry.start()
    wait_until(lambda: states(registry) == ["passing"], 20)


def test_discovery_watch_and_apply_speak_with_a_real_registry(registry: Registry, tmp_path: Path) -> None:
    mesh = Mesh(MeshSettings(registry=registry.url))
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "limit.yaml").write_text(
        "apiVersion: meshway/v1\nkind: RateLimit\nmetadata: {name: hello}\n"
        "spec: {targets: [{service: hello}], token_bucket: {rate: 5/s}}\n"
    )
    registry.register("hello", "a", 80, version="v1")
    registry.register("hello", "b", 81, version="v2")
    assert [found.id for found in mesh.discover("hello")] == ["a", "b"]
    assert [found.port for found in mesh.discover("hello", version="v2")] == [81]
    plan = mesh.apply(tmp_path / "shop", dry_run=True)
    assert [(change.kind, change.name, change.result) for change in plan.changes] == [("RateLimit", "hello", "created")]
    events = mesh.watch(kind="Instance")
    assert {change.name for change in next(events).changes} == {"hello/a", "hello/b"}
    registry.register("hello", "c", 82)
    delta = next(events)
    assert (delta.type, delta.changes[0].name) == ("delta", "hello/c")
    mesh.apply(tmp_path / "shop")
    assert mesh.apply(tmp_path / "shop").changes == ()
    mesh.close()


def _members(pid: int) -> list[int]:
    """The worker processes that joined the registration."""
    children = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return [child for child in children if _locks(child, "READ")]


def _locks(pid: int, kind: str) -> bool:
    """Whether the process holds a lock by flock, as /proc/locks shows it."""
    lines = Path("/proc/locks").read_text().splitlines()
    return any(f" {pid} " in line and "FLOCK" in line and kind in line for line in lines)


def _has_connection(pid: int, port: int) -> bool:
    established = f":{port:04X} "
    lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    return any(established in line.split(maxsplit=2)[1] + " " and line.split()[3] == "01" for line in lines)
