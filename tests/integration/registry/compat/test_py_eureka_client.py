"""py-eureka-client as it is, in processes of its own, against a registry process."""

from __future__ import annotations

import json
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.parts.conditions import wait_until
from tests.parts.planes import Registry
from tests.parts.ports import free_port
from tests.parts.processes import ROOT, python

INSTANCE = "/v1/namespaces/default/services/{}/instances"


class Program:
    """One tests/parts/eureka_program.py."""

    def __init__(self, registry: Registry, *arguments: str) -> None:
        command = python("-m", "tests.parts.eureka_program", "--server", f"{registry.url}/eureka/", *arguments)
        self.popen = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.read() == "started"

    def read(self) -> Any:
        assert self.popen.stdout is not None
        assert select.select([self.popen.stdout], [], [], 20.0)[0], "it says nothing"
        return json.loads(self.popen.stdout.readline())

    def ask(self, line: str) -> Any:
        assert self.popen.stdin is not None
        self.popen.stdin.write(line + "\n")
        self.popen.stdin.flush()
        return self.read()


@contextmanager
def program(registry: Registry, *arguments: str) -> Iterator[Program]:
    running = Program(registry, *arguments)
    try:
        yield running
    finally:
        running.popen.kill()
        running.popen.wait(10)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    running = Registry(Path(tmp_path_factory.mktemp("eureka")))
    yield running
    running.close()


def instances(registry: Registry, service: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = registry.client.get(INSTANCE.format(service)).json()["items"]
    return items


def statuses(registry: Registry, service: str) -> list[str]:
    return [instance["status"] for instance in instances(registry, service)]


def test_it_registers_renews_is_taken_out_put_back_and_cancels(registry: Registry) -> None:
    port = free_port()
    with program(registry, "--app", "orders", "--port", str(port), "--duration", "3") as orders:
        (instance,) = instances(registry, "orders")
        assert (instance["address"], instance["port"], instance["ttl_s"]) == ("127.0.0.1", port, 3)
        assert instance["status"] == "passing"
        assert instance["metadata"]["colour"] == "blue & green"
        revision = instance["revision"]

        def is_renewed() -> bool:
            return any(row["expires_in_s"] > 2.5 for row in instances(registry, "orders"))

        wait_until(lambda: instances(registry, "orders")[0]["expires_in_s"] < 2.4, what="some of its time has passed")
        wait_until(is_renewed, what="a heartbeat")
        assert instances(registry, "orders")[0]["revision"] == revision, "renewals take no revision"

        orders.ask("status OUT_OF_SERVICE")
        assert statuses(registry, "orders") == ["maintenance"]
        wait_until(is_renewed, what="it renews out of service too")
        assert statuses(registry, "orders") == ["maintenance"]
        orders.ask("end-override")
        assert statuses(registry, "orders") == ["passing"]
        orders.ask("cancel")
        assert instances(registry, "orders") == []
        # It renews on, is told 404, and registers again by itself.
        wait_until(lambda: statuses(registry, "orders") == ["passing"], what="it comes back")


def test_a_client_follows_others_by_deltas_alone(registry: Registry) -> None:
    registry.register("native", "native-1", 9001, version="v2")
    with program(registry) as watching:

        def seen() -> dict[str, Any]:
            return watching.ask("apps")["apps"]  # type: ignore[no-any-return]

        assert seen()["NATIVE"]["native-1"]["status"] == "UP"
        assert watching.ask("apps")["fulls"] == 1
        registry.register("native", "native-2", 9002)
        wait_until(lambda: "native-2" in seen()["NATIVE"], what="an instance that came")
        registry.client.patch(INSTANCE.format("native") + "/native-1", json={"status": "maintenance"})
        wait_until(lambda: seen()["NATIVE"]["native-1"]["status"] == "OUT_OF_SERVICE", what="one that changed")
        registry.client.delete(INSTANCE.format("native") + "/native-1")
        wait_until(lambda: "native-1" not in seen()["NATIVE"], what="one that went")
        assert watching.ask("apps")["fulls"] == 1, "the hash code was right each time"


def test_an_instance_that_dies_is_down_for_others(registry: Registry) -> None:
    with program(registry) as watching:
        with program(registry, "--app", "MORTAL", "--duration", "3"):
            assert statuses(registry, "mortal") == ["passing"]
        wait_until(lambda: statuses(registry, "mortal") == ["critical"], what="its lease ran out")

        def mortal() -> list[str]:
            return [row["status"] for row in watching.ask("apps")["apps"].get("MORTAL", {}).values()]

        wait_until(lambda: mortal() == ["DOWN"], what="the client knows")


def test_a_client_that_stops_is_gone(registry: Registry) -> None:
    with program(registry, "--app", "brief") as brief:
        assert statuses(registry, "brief") == ["passing"]
        brief.ask("stop")
        brief.popen.kill()
    wait_until(lambda: "passing" not in statuses(registry, "brief"), what="it cancelled")
