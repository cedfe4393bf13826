"""What it costs a registry to look at many rules over a large mesh, without sockets.

The calls are those of loadtest/micro/insight.py; over them 500 Alerts of all sorts and 50 Objectives. A turn is one
look at all of them and at what is built in; the longest stall is of the loop that answers heartbeats.

Run: python -m loadtest.micro.alerts [rules] [minutes of calls]
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import msgspec

from loadtest.micro.insight import EVERY_S, SERVICES, Mesh
from meshway.model.decode import decode_document
from meshway.model.document import API_VERSION
from meshway.tasks import spawn
from meshway.telemetry import Numbers
from registry.core import Core
from registry.running import open_core
from registry.settings import RegistrySettings

OBJECTIVES: Final = 50
TURNS: Final = 6
_QUERIES: Final = (
    "service={service} error_ratio > 2 % over 1m and service={service} rate > 5/s",
    "service={service} p99 > 2s over 5m",
    "service={service} p95 / p50 > 20",
    "service={service} error_ratio vs 24h > 3",
    "service={service} instances_passing < 1",
    "service={service} limited_ratio > 5 % over 1h",
    "service=* error_ratio > 50 %",
)
_TICK_S: Final = 0.001


def documents(rules: int) -> list[dict[str, Any]]:
    names = [(f"ns-{number % 20}", f"service-{number}") for number in range(SERVICES)]
    made = [_document("Service", namespace, name, {}) for namespace, name in names]
    for number in range(rules):
        namespace, name = names[number % SERVICES]
        query = _QUERIES[number % len(_QUERIES)].format(service=name)
        made.append(_document("Alert", namespace, f"rule-{number}", {"query": query}))
    for namespace, name in names[:OBJECTIVES]:
        spec = {"target": {"service": name}, "indicator": {"latency": {"under": "300ms"}}, "target_percent": 99}
        made.append(_document("Objective", namespace, f"slo-{name}", spec))
    return made


def _document(kind: str, namespace: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


class Clock:
    """Stands still but for what it is moved: a bench makes calls more slowly than a mesh."""

    def __init__(self) -> None:
        self.now = float(int(time.time()))

    def __call__(self) -> float:
        return self.now


async def report(core: Core, mesh: Mesh, clock: Clock, turn: int) -> None:
    """What two gateways counted in their last 2 s."""
    clock.now += EVERY_S
    for node in ("gw-1", "gw-2"):
        for body in mesh.reports(node, turn, clock.now):
            await core.watching.insight.ingest.take(_decode(body))


_decode: Final = msgspec.json.Decoder(Numbers).decode


async def fill(core: Core, rules: int) -> None:
    written = [decode_document(raw) for raw in documents(rules)]
    for at in range(0, len(written), 500):
        await core.documents.apply(await core.documents.prepared(written[at : at + 500]), (), by="bench")


class Stalls:
    """How late the loop was at worst, seconds."""

    def __init__(self) -> None:
        self.worst_s = 0.0
        self.turns_s: list[float] = []

    async def run(self) -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(_TICK_S)
            self.worst_s = max(self.worst_s, time.perf_counter() - began - _TICK_S)


async def measure(rules: int, minutes: float, folder: Path) -> None:
    clock, mesh, number = Clock(), Mesh(0.5), 0
    async with open_core(RegistrySettings(data_dir=folder, trusts_loopback=True), wall=clock) as core:
        await fill(core, rules)
        for number in range(1, int(minutes * 60 / EVERY_S) + 1):
            await report(core, mesh, clock, number)
            if number % 5 == 0:
                await core.watching.insight.rolling.turn()
        evaluator, stalls = core.watching.alerts.evaluator, Stalls()
        watching = spawn(stalls.run(), name="stalls")
        for turn in range(TURNS):
            stalls.worst_s, cpu_s = 0.0, time.process_time()
            await evaluator.turn()
            cpu_s = time.process_time() - cpu_s
            live = len(evaluator.live)
            print(
                f"turn {turn + 1}: {evaluator.turn_s:6.2f} s, {cpu_s:6.2f} s of CPU, "
                f"longest stall {stalls.worst_s * 1e3:5.0f} ms, {live} alerts",
                flush=True,
            )
            for _ in range(5):
                number += 1
                await report(core, mesh, clock, number)
            await core.watching.insight.rolling.turn()
        watching.cancel()


def main() -> None:
    rules = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    minutes = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(rules, minutes, Path(folder)))


if __name__ == "__main__":
    main()
