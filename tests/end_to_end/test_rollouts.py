"""Two Rollouts under load, the registry killed twice: the bad version is taken back, the good one is promoted."""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from meshway.tasks import spawn
from tests.parts.conditions import wait_until
from tests.parts.load import Load
from tests.parts.planes import Gateway, Registry

# By these and the number of connections about 100 calls a second come of each Route.
ANSWERS_AFTER_S = 0.04
CONNECTIONS = 4
FAILS_EVERY = 20
_DOCUMENTS = """
apiVersion: meshway/v1
kind: Service
metadata: {name: reviews}
spec:
  subsets:
    - {name: v1, match: {version: v1}}
    - {name: bad, match: {version: bad}}
    - {name: good, match: {version: good}}
"""
_OF_ONE = """
---
apiVersion: meshway/v1
kind: Route
metadata: {name: NAME}
spec:
  hosts: [NAME.example]
  rules:
    - name: all
      destinations:
        - {service: reviews, subset: v1, weight: 100}
        - {service: reviews, subset: NAME, weight: 0}
---
apiVersion: meshway/v1
kind: Rollout
metadata: {name: NAME}
spec:
  route: NAME
  rule: all
  stable: {service: reviews, subset: v1}
  canary: {service: reviews, subset: NAME}
  steps: [{weight_percent: 25, hold: 10s}, {weight_percent: 50, hold: 10s}]
  judge: {p99_increase_percent: 400}
"""


@asynccontextmanager
async def version(name: str, fails: Callable[[], bool]) -> AsyncIterator[int]:
    """A service on a port of its own."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(ANSWERS_AFTER_S)
                status = b"500 Internal Server Error" if fails() else b"200 OK"
                body = name.encode()
                writer.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def told(registry: Registry, name: str) -> dict[str, Any]:
    answer = registry.client.get(f"/v1/rollouts/default/{name}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def weights(registry: Registry, name: str) -> list[int]:
    route = registry.client.get(f"/v1/namespaces/default/routes/{name}").json()
    return [each.get("weight", 1) for each in route["spec"]["rules"][0]["destinations"]]


@pytest.mark.soak
async def test_a_bad_version_is_taken_back_and_a_good_one_is_promoted_over_kills(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance, count = random.Random(seed), itertools.count()
    registry = Registry(tmp_path)
    gateway = Gateway(tmp_path, registry.url)
    loads = [
        Load(
            gateway.edge_port,
            CONNECTIONS,
            lambda _, name=name: ("GET", "", f"GET / HTTP/1.1\r\nHost: {name}.example\r\n\r\n".encode()),  # type: ignore[misc]
        )
        for name in ("bad", "good")
    ]
    try:
        async with (
            version("v1", lambda: False) as v1,
            version("bad", lambda: next(count) % FAILS_EVERY == 0) as bad,
            version("good", lambda: False) as good,
        ):
            for name, port in (("v1", v1), ("bad", bad), ("good", good)):
                registry.register("reviews", name, port, version=name, ttl_s=3600)
            registry.apply(_DOCUMENTS + "".join(_OF_ONE.replace("NAME", name) for name in ("bad", "good")))
            running = [spawn(load.run(), name="load") for load in loads]
            for _ in range(2):
                await asyncio.sleep(chance.uniform(5.0, 12.0))
                await asyncio.to_thread(registry.restart, signal.SIGKILL)

            for name in ("bad", "good"):
                is_over = lambda name=name: told(registry, name)["phase"] in ("promoted", "aborted")  # noqa: E731
                await asyncio.to_thread(wait_until, is_over, 120, 0.5, f"the end of {name}")
            bad_one, good_one = told(registry, "bad"), told(registry, "good")
            print(bad_one["reason"])
            print(good_one["steps"])
            assert (bad_one["phase"], weights(registry, "bad")) == ("aborted", [100, 0])
            assert (good_one["phase"], weights(registry, "good")) == ("promoted", [0, 100])
            assert [event["what"] for event in good_one["events"]] == ["started", "step", "promoted"]
            assert [step["state"] for step in good_one["steps"]] == ["passed", "passed"]
            by_it = registry.client.get("/v1/revisions", params={"kind": "Route", "name": "good"}).json()["items"]
            assert [entry["by"] for entry in by_it[:-1]] == ["rollout/default/good"] * 3
            for load in loads:
                load.stopping.set()
            await asyncio.gather(*running)
            assert all(call.status == 500 for load in loads for call in load.failures), loads[0].failures[:3]
            assert not loads[1].failures
            print(len(loads[0].calls), "calls, of which", len(loads[0].failures), "met the bad version's failures")
    finally:
        gateway.close()
        registry.close()
