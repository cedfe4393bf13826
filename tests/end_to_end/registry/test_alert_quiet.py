"""Thirty minutes of a mesh that is well, with a hundred calls a second: no alert fires."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.parts.conditions import wait_until
from tests.parts.processes import Process, python

if TYPE_CHECKING:
    from tests.parts.mesh import Mesh

QUIET_S = 1_800.0
# Each page is four calls: its own, and those that it makes itself.
PAGES_PER_S = 25
CALLERS = 6


def call(url: str, ends: threading.Event, seen: list[int]) -> None:
    due = time.monotonic()
    with httpx.Client(timeout=30.0, trust_env=False) as client:
        while True:
            due = max(due + CALLERS / PAGES_PER_S, time.monotonic())
            if ends.wait(due - time.monotonic()):
                return
            seen.append(client.get(url).status_code)


@pytest.mark.soak
@pytest.mark.flaky(reruns=0)
@pytest.mark.timeout(QUIET_S + 600.0)
def test_nothing_is_told_of_a_mesh_that_is_well_and_has_much_to_do(start_mesh: Callable[..., Mesh]) -> None:
    mesh = start_mesh()
    demo = Process(
        python("-m", "meshway.cli.main", "demo", "--data", str(mesh.data), "--registry", mesh.registry),
        mesh.folder / "demo.out",
    )
    ends, seen = threading.Event(), list[int]()
    callers = [threading.Thread(target=call, args=(f"{mesh.edge}/productpage", ends, seen)) for _ in range(CALLERS)]
    told: dict[str, dict[str, Any]] = {}
    try:
        wait_until(lambda: "Reload it" in demo.text(), within_s=120.0, every_s=0.2)
        for each in callers:
            each.start()
        begun = time.monotonic()
        while time.monotonic() - begun < QUIET_S:
            # Each look of the registry is seen: they are 10 s apart.
            time.sleep(2.0)
            answer = mesh.client.get(f"{mesh.registry}/v1/alerts")
            assert answer.status_code == 200, answer.text
            told |= {each["id"]: each for each in answer.json()["items"] if each["state"] != "pending"}
        took_s = time.monotonic() - begun
        print(f"{len(seen)} pages in {took_s:.0f} s, {len(seen) / took_s:.1f} a second")
        assert told == {}
        assert seen.count(200) == len(seen) > took_s
        past = mesh.client.get(f"{mesh.registry}/v1/alerts", params={"state": "resolved"}).json()["items"]
        assert past == []
    finally:
        ends.set()
        for each in callers:
            if each.is_alive():
                each.join(40)
        demo.stop()
