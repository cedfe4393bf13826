"""The simulated mesh beside a real registry: what it says is read as a real mesh's, and it takes its own away again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.parts.conditions import wait_until
from tests.parts.planes import Registry
from tests.parts.processes import Process, python

SIZES = ("--services", "12", "--instances", "30", "--edges", "24", "--seed", "11")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    registry = Registry(tmp_path)
    yield registry
    registry.close()


def items(registry: Registry, path: str) -> list[dict[str, Any]]:
    answer = registry.client.get(path)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_a_simulated_mesh_is_seen_as_a_real_one_and_leaves_what_it_did_not_make(
    registry: Registry, tmp_path: Path
) -> None:
    registry.register("accounts", "accounts-1", 9, namespace="sim-01", ttl_s=3600)
    command = python("-m", "loadtest.simulator", "--registry", registry.url, *SIZES)
    simulator = Process(command, tmp_path / "simulator.out")
    try:
        wait_until(lambda: len(items(registry, "/v1/requests")) >= 20, 60, what="calls told one by one")
        topology = "/v1/insight/topology?level=services"
        wait_until(lambda: len(registry.client.get(topology).json()["edges"]) == 24, 60, what="all edges of the map")
        assert sum(sum(one["status"].values()) for one in items(registry, "/v1/namespaces/-/services")) == 30
        gateways = items(registry, "/v1/gateways")
        assert [(one["node"], one["live"]) for one in gateways] == [("sim-gateway-1", True), ("sim-gateway-2", True)]
        rates = {edge["source"]: edge["figures"]["rps"] for edge in registry.client.get(topology).json()["edges"]}
        assert all(rate > 0 for rate in rates.values())
        assert simulator.is_running(), simulator.text()
    finally:
        simulator.stop()
    assert "0 reports lost" in simulator.text()
    left = items(registry, "/v1/namespaces/sim-01/services/accounts/instances")
    assert [one["id"] for one in left] == ["accounts-1"]
    assert items(registry, "/v1/gateways") == []


def test_sizes_that_cannot_be_are_refused_in_one_line(tmp_path: Path) -> None:
    simulator = Process(python("-m", "loadtest.simulator", "--services", "3", "--instances", "1"), tmp_path / "out")
    assert simulator.popen.wait(30) == 2
    assert "3 services need as many instances at least" in simulator.text()
