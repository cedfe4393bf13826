"""Four gateways of two workers each under one registry: which limits and which ejections they have in common, and which
are each one's own. Prints what it found (`pytest -s`)."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from tests.parts.answering_service import AnsweringService, Asked, answer
from tests.parts.conditions import until
from tests.parts.limited_mesh import LimitedMesh, load
from tests.parts.shared_limit import strict_bucket

pytestmark = pytest.mark.soak

GATEWAYS, WORKERS = 4, 2
RATE, BURST, SECONDS = 100, 100, 10.0
IN_A_ROW = 5
BASE_S = 30.0
BAD = "default/books/bad"
POLICY = f"""
apiVersion: meshway/v1
kind: TrafficPolicy
metadata: {{name: books}}
spec:
  targets: [{{service: books}}]
  load_balancer: {{algorithm: round_robin}}
  retry: {{max_retries: 0}}
  outlier_detection: {{consecutive_gateway_failures: {IN_A_ROW}, base_ejection: {BASE_S:.0f}s}}
"""


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[LimitedMesh]:
    running = LimitedMesh(tmp_path, GATEWAYS, WORKERS)
    yield running
    running.close()


def test_four_gateways_admit_together_what_one_limit_allows_however_the_calls_are_spread(mesh: LimitedMesh) -> None:
    mesh.limit(f"token_bucket: {{rate: {RATE}/s, burst: {BURST}}}")
    began, admitted, sent = time.monotonic(), 0, list[float]()
    for busy in (GATEWAYS, 1):
        tally = asyncio.run(load([gateway.edge_port for gateway in mesh.gateways[:busy]], 4 * RATE, SECONDS))
        before = len(strict_bucket(RATE, BURST, sorted(sent)))
        sent += tally.sent
        exact = len(strict_bucket(RATE, BURST, sorted(sent))) - before
        admitted += tally.count(200)
        print(f"{busy} of {GATEWAYS} gateways asked: {tally.count(200)} admitted, by one exact bucket {exact}")
        assert admitted <= BURST + RATE * (time.monotonic() - began)
        assert tally.count(200) >= 0.95 * exact
        assert set(tally.moments) == {200, 429}
    assert mesh.metric(0, "meshway_limits_lost_total") == 0.0


async def test_each_gateway_ejects_for_all_its_workers_alone_and_the_registry_tells_which_have(
    mesh: LimitedMesh,
) -> None:
    is_well = False

    def says(is_good: Callable[[], bool]) -> Callable[[Asked], Awaitable[bytes]]:
        async def reply(_: Asked) -> bytes:
            return answer("well") if is_good() else answer("ill", status=503)

        return reply

    good, bad = AnsweringService(says(lambda: True)), AnsweringService(says(lambda: is_well))
    async with good.running(), bad.running():
        for name, service in (("good", good), ("bad", bad)):
            await asyncio.to_thread(mesh.registry.register, "books", name, service.port, ttl_s=300)
        await asyncio.to_thread(mesh.registry.apply, POLICY)  # waits until all gateways have come so far
        everyone = range(GATEWAYS)

        # One gateway has the calls: it finds out, for both of its workers; the others are told nothing.
        failures = [await _failures(mesh, 0, 60)]
        assert IN_A_ROW <= failures[0] < IN_A_ROW * WORKERS, "the worker that finds out tells the other one"
        assert await _failures(mesh, 0, 20) == 0
        await until(lambda: _ejecting(mesh) == {"gw-0"}, 10, what="the registry knows of the first")
        before = _workers(mesh, 0)
        os.kill(before[0], signal.SIGKILL)
        await until(lambda: len(_workers(mesh, 0)) == WORKERS and before[0] not in _workers(mesh, 0), 15)
        assert await _failures(mesh, 0, 20) == 0, "a worker that comes anew is told as well"
        asked = len(bad.asked)

        # So each of the others finds out for itself, at the same price.
        for at in everyone[1:]:
            failures.append(await _failures(mesh, at, 60))
            assert IN_A_ROW <= failures[at] < IN_A_ROW * WORKERS
        assert len(bad.asked) == asked + sum(failures[1:])
        await until(lambda: _ejecting(mesh) == {f"gw-{at}" for at in everyone}, 10, what="the registry knows of all")
        print(f"failed calls until all workers of a gateway had ejected: {failures}")

        # And each takes it back when its time is over.
        is_well, served = True, len(bad.asked)
        await until(lambda: not _ejecting(mesh), BASE_S + 10, what="all have it back")
        assert [await _failures(mesh, at, 20) for at in everyone] == [0] * GATEWAYS
        assert len(bad.asked) > served


def _workers(mesh: LimitedMesh, at: int) -> list[int]:
    gateway = mesh.gateways[at]
    return [
        each["pid"] for each in gateway.client.get(f"http://127.0.0.1:{gateway.admin_port}/config").json()["workers"]
    ]


def _ejecting(mesh: LimitedMesh) -> set[str]:
    """Gateways that said so to the registry."""
    return {state["node"] for state in mesh.states() if BAD in state["ejected"]}


async def _failures(mesh: LimitedMesh, at: int, calls: int) -> int:
    """Of so many calls to one gateway, on a connection each, so that all its workers are asked."""
    failed = 0
    for _ in range(calls):
        async with asyncio.timeout(10.0):
            reader, writer = await asyncio.open_connection("127.0.0.1", mesh.gateways[at].mesh_port)
            writer.write(b"GET / HTTP/1.1\r\nHost: books.default.mesh\r\nConnection: close\r\n\r\n")
            failed += b" 503 " in (await reader.read()).partition(b"\r\n")[0]
            writer.close()
    return failed
