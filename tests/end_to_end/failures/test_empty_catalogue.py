"""Failure row "empty catalogue after a fault": rows are deleted under the registry, and calls go on."""

import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.parts.alert_faults import Watch
from tests.parts.conditions import wait_until
from tests.parts.instances import EchoInstance
from tests.parts.planes import Gateway, Registry

COUNT = 5


@pytest.fixture
def planes(tmp_path: Path) -> Iterator[tuple[Registry, Gateway]]:
    registry = Registry(tmp_path)
    gateway = Gateway(tmp_path, registry.url, workers=2)
    yield registry, gateway
    gateway.close()
    registry.close()


def lose_rows(registry: Registry) -> None:
    """What a store that was put together anew from half a backup looks like."""
    (store,) = (registry.folder / "data").rglob("registry.db")
    with closing(sqlite3.connect(store)) as connection:
        assert connection.execute("DELETE FROM instances").rowcount == COUNT
        connection.execute("UPDATE head SET epoch = 'after-the-fault'")
        connection.commit()


def test_instances_whose_rows_are_lost_are_called_on_while_they_answer(
    planes: tuple[Registry, Gateway], start_echo: Callable[..., EchoInstance]
) -> None:
    registry, gateway = planes
    port = start_echo("echo").port
    for number in range(COUNT):
        registry.register("hello", f"h{number}", port)
    wait_until(lambda: gateway.get("hello.default.mesh").status_code == 200, 20)
    registry.process.send(signal.SIGKILL)
    registry.process.popen.wait(20)
    lose_rows(registry)
    registry.start()

    def guarded() -> int:
        return sum(item["mass_removal_guard"] for item in registry.client.get("/v1/gateways").json()["items"])

    wait_until(lambda: guarded() == COUNT, 20, what="the guard")
    assert registry.client.get("/v1/namespaces/default/services/hello/instances").json()["items"] == []
    assert [gateway.get("hello.default.mesh").status_code for _ in range(30)] == [200] * 30
    for number in range(COUNT):
        registry.register("hello", f"h{number}", port)
    wait_until(lambda: guarded() == 0, 20, what="all are back")
    assert [gateway.get("hello.default.mesh").status_code for _ in range(10)] == [200] * 10


@pytest.mark.soak
def test_that_rows_were_lost_is_told_before_the_gateway_gives_up_and_is_over_then(
    planes: tuple[Registry, Gateway], start_echo: Callable[..., EchoInstance]
) -> None:
    registry, gateway = planes
    port = start_echo("echo").port
    for number in range(COUNT):
        registry.register("hello", f"h{number}", port)
    wait_until(lambda: gateway.get("hello.default.mesh").status_code == 200, 20)
    registry.process.send(signal.SIGKILL)
    registry.process.popen.wait(20)
    lose_rows(registry)
    registry.start()
    watch = Watch(registry)
    watch.fault("removals-held")
    alert = watch.fires("removals-held", rf"gateway .* calls {COUNT} instances that vanished at once")
    for number in range(COUNT):
        registry.register("hello", f"h{number}", port)
    watch.mended("removals-held")
    watch.ends("removals-held", alert, within_s=45.0)
