"""A registry that is killed again and again while a Rollout goes on: no step is lost, and none is done twice."""

from __future__ import annotations

import random
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from registry.store.session import FILE_NAME
from tests.parts.conditions import NeverTrueError, wait_until
from tests.parts.processes import Process, python

STEPS = (1, 2, 5, 10, 25, 50)
# Thirty times as fast as the clock: what a gateway would report, and a turn every 20 ms.
PROGRAM = """
import asyncio, pathlib, sys, time
from meshway.histogram import bucket_of
from meshway.telemetry import Numbers, Row
from registry.running import open_core
from registry.rollouts import rollouts
from registry.settings import RegistrySettings
from tests.integration.registry.test_rollouts import KEY, documents
folder, begun, weights = pathlib.Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3].split(",")
rollouts.EVERY_S = 0.02
def wall():
    return 1_800_000_000.0 + 30.0 * (time.time() - begun)
async def main():
    async with open_core(RegistrySettings(data_dir=folder), wall=wall, die=lambda: None) as core:
        if core.view.document(KEY) is None:
            steps = [{"weight_percent": float(weight), "hold": "10s"} for weight in weights]
            wanted = [(one.document, one.spec) for one in documents(steps=steps)]
            await core.documents.apply(wanted, (), by="ann")
        boot, sequence = f"boot-{time.time_ns()}", 0
        print("ready", flush=True)
        while True:
            sequence += 1
            rows = [Row(("shop/reviews", "all", track), 100, 0, buckets={bucket_of(0.1): 100})
                    for track in ("stable", "control", "canary")]
            now = wall()
            await core.watching.insight.ingest.take(Numbers(
                node="g", boot=boot, sequence=sequence, begun=now - 0.1, ended=now, tracks=tuple(rows)))
            state = core.watching.rollouts.state(core.view.document(KEY))
            if state is not None and state.is_over:
                print("over", [event.what for event in state.events], [one.step for one in state.passed], flush=True)
                return
            await asyncio.sleep(0.03)
asyncio.run(main())
"""


@pytest.mark.soak
def test_each_step_is_done_once_however_often_the_registry_is_killed(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance, kills, begun = random.Random(seed), 0, str(time.time())
    weights = ",".join(map(str, STEPS))
    while True:
        out = tmp_path / f"run-{kills}.out"
        process = Process(python("-c", PROGRAM, str(tmp_path), begun, weights), out)
        wait_until(lambda process=process: "ready" in process.text(), 30, what="ready")  # type: ignore[misc]
        try:
            wait_until(
                lambda process=process: "over" in process.text(),  # type: ignore[misc]
                chance.uniform(0.0, 0.25) if kills < 40 else 60.0,
            )
            break
        except NeverTrueError:
            process.send(signal.SIGKILL)
            process.popen.wait(10)
            kills += 1
    print(kills, "kills")
    process.popen.wait(20)
    assert kills >= 3
    told = "over " + str(["started", *["step"] * (len(STEPS) - 1), "promoted"]) + " " + str(list(range(len(STEPS))))
    assert told in process.text()
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        query = "select count(*) from document_history where kind = 'Route' and by = 'rollout/shop/reviews-v2'"
        assert database.execute(query).fetchone() == (len(STEPS) + 1,)
