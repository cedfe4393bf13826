"""A row of the failure matrix: the wall clock jumps or stands still, and leases, watches and commits do not care."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.parts.conditions import wait_until
from tests.parts.ports import free_port
from tests.parts.processes import Process, python
from tests.parts.witnesses import Follower

TTL_S = 3
_HOUR_S = 3600.0

# The wall clock of the whole process is what a file says: `shift SECONDS` or `frozen SECONDS_SINCE_1970`.
_SERVE = """
import sys, time
from pathlib import Path
real, told = time.time, Path(sys.argv[2])
def wall():
    word, _, value = told.read_text().partition(" ")
    return float(value) if word == "frozen" else real() + float(value)
time.time = wall
from registry.app import serve
from registry.settings import RegistrySettings
serve(RegistrySettings(data_dir=Path(sys.argv[1]), trusts_loopback=True, port=int(sys.argv[3])))
"""


class ShiftedRegistry:
    """One on a clock of its own."""

    def __init__(self, folder: Path) -> None:
        self._told = folder / "clock"
        self.port = free_port()
        self.tell("shift 0")
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=10.0, trust_env=False)
        command = python("-c", _SERVE, str(folder / "data"), str(self._told), str(self.port))
        self.process = Process(command, folder / "registry.out")
        wait_until(self._answers, 30, what="registry ready")

    def tell(self, clock: str) -> None:
        """Whole or not at all, for who reads meanwhile."""
        beside = self._told.with_suffix(".new")
        beside.write_text(clock)
        beside.replace(self._told)

    def register(self, name: str) -> str:
        path = f"/v1/namespaces/default/services/books/instances/{name}"
        answer = self.client.put(path, json={"port": 9000, "ttl_s": TTL_S})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["lease_id"])

    def statuses(self) -> dict[str, str]:
        items = self.client.get("/v1/namespaces/default/services/books/instances").json()["items"]
        return {item["id"]: item["status"] for item in items}

    def close(self) -> None:
        self.client.close()
        self.process.stop()

    def _answers(self) -> bool:
        assert self.process.is_running(), self.process.text()
        return self.client.get("/v1/health/ready").status_code == 200


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[ShiftedRegistry]:
    running = ShiftedRegistry(tmp_path)
    yield running
    running.close()


@pytest.mark.parametrize("clock", [f"shift {_HOUR_S}", f"shift -{_HOUR_S}", "frozen 1700000000"])
def test_a_wall_clock_that_jumps_or_stands_ends_no_lease_and_keeps_none(registry: ShiftedRegistry, clock: str) -> None:
    leases = [registry.register(f"i{at}") for at in range(20)]
    follower = Follower()
    reading = threading.Thread(target=lambda: follower.read(registry.port, 2))
    reading.start()
    wait_until(lambda: follower.held == 20, what="the follower has the snapshot")
    date = registry.client.get("/v1/health/live").headers["Date"]
    registry.tell(clock)
    told_s = time.monotonic()
    registry.register("silent")
    silent_until_s = time.monotonic() + TTL_S
    while time.monotonic() < told_s + 3 * TTL_S:
        answer = registry.client.post("/v1/heartbeats", json={"leases": leases})
        assert (answer.status_code, answer.json()["renewed"]) == (200, 20)
        if registry.statuses()["silent"] == "critical":
            break
        time.sleep(0.25)
    assert silent_until_s - 0.5 <= time.monotonic() <= silent_until_s + 2.0, "it ran out in its time"
    assert registry.statuses() == {f"i{at}": "passing" for at in range(20)} | {"silent": "critical"}
    reading.join(5)
    assert [sight.revision for sight in follower.sights] == [20, 21, 22]
    assert registry.client.get("/v1/health/live").headers["Date"][:22] != date[:22], "the clock did jump"
