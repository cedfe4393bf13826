"""What it costs a registry to take, roll up and tell the numbers of a large mesh, without sockets.

500 services, 5,000 instances, 3,000 edges, and gateways that each carried calls of a share of them in their last 2 s.
Reports come at the pace of real ones, time itself is the bench's own. CPU is the process's, its threads' included.

Run: python -m loadtest.micro.insight [gateways] [share of edges and instances a gateway sees in 2 s, 0 to 1]
"""

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from meshway.histogram import bucket_of
from meshway.tasks import spawn
from meshway.telemetry import MOST_ROWS, Key, Numbers, Row
from registry.insight.asking import Asking, Span
from registry.insight.ingest import Ingest
from registry.insight.reading import Reading
from registry.insight.rolling import Rolling
from registry.insight.sight import Sight
from registry.insight.topology import Asked
from registry.store.insight_file import FILE_NAME, InsightFile
from registry.view.view import View

SERVICES: Final = 500
INSTANCES: Final = 5_000
EDGES: Final = 3_000
EVERY_S: Final = 2.0
MINUTES: Final = 5.0
BEGIN: Final = 1_800_000_000.0
_PART: Final = MOST_ROWS // 4


class Mesh:
    """chance: its seed stands, so that each run counts the same."""

    def __init__(self, share: float) -> None:
        self.chance = random.Random(1)
        self.share = share
        names = [f"ns-{number % 20}/service-{number}" for number in range(SERVICES)]
        self.edges: list[Key] = [(self.chance.choice(names), self.chance.choice(names)) for _ in range(EDGES)]
        self.routes: list[Key] = [(name, "all", name, status, "") for name in names for status in ("2xx", "5xx")]
        self.instances: list[Key] = [(names[at % SERVICES], f"i-{at}") for at in range(INSTANCES)]

    def reports(self, node: str, sequence: int, ended: float) -> list[bytes]:
        """Of one gateway's 2 s, as they are posted."""
        sections = [self._rows(keys) for keys in (self.edges, self.routes, self.instances)]
        count = max(-(-len(rows) // _PART) for rows in sections)
        return [
            msgspec.json.encode(
                Numbers(
                    node=node,
                    boot="boot-of-it",
                    sequence=sequence * 100 + part,
                    begun=ended - EVERY_S,
                    ended=ended,
                    edges=tuple(sections[0][part * _PART : (part + 1) * _PART]),
                    routes=tuple(sections[1][part * _PART : (part + 1) * _PART]),
                    instances=tuple(sections[2][part * _PART : (part + 1) * _PART]),
                )
            )
            for part in range(count)
        ]

    def _rows(self, keys: Sequence[Key]) -> list[Row]:
        found = []
        for key in keys:
            if self.chance.random() < self.share:
                row = Row(key)
                for _ in range(self.chance.randrange(1, 8)):
                    seconds = self.chance.lognormvariate(-5.0, 1.0)
                    row.calls, row.seconds = row.calls + 1, row.seconds + seconds
                    row.buckets[bucket_of(seconds)] = row.buckets.get(bucket_of(seconds), 0) + 1
                found.append(row)
        return found


async def measure(gateways: int, share: float, folder: Path) -> None:
    now = [BEGIN]
    store = InsightFile(folder)
    ingest, reading = Ingest(store, lambda _: "v1", lambda: now[0]), Reading(store, lambda: now[0])

    async def lead() -> bool:
        return True

    rolling = Rolling(store, lead, lambda: now[0])
    running = spawn(ingest.run(), name="reports of numbers")
    mesh, decode = Mesh(share), msgspec.json.Decoder(Numbers).decode
    taking_s = rolling_s = longest_s = 0.0
    reports = size = 0
    for turn in range(1, int(MINUTES * 60 / EVERY_S) + 1):
        now[0] += EVERY_S
        bodies = [body for at in range(gateways) for body in mesh.reports(f"gw-{at}", turn, now[0])]
        reports, size = reports + len(bodies), size + sum(map(len, bodies))
        began = time.process_time()
        for body in bodies:
            at = time.process_time()
            answer = ingest.take(decode(body))
            longest_s = max(longest_s, time.process_time() - at)
            await answer
        taking_s += time.process_time() - began
        if turn % 5 == 0:
            began = time.process_time()
            await rolling.turn()
            rolling_s += time.process_time() - began
    lasted_s = MINUTES * 60
    print(f"{gateways} gateways, {share:.0%} of edges and instances each: {reports / lasted_s:.1f} reports/s, ", end="")
    print(f"{size / lasted_s / 1e3:.0f} kB/s")
    print(f"take    {taking_s / lasted_s:7.2%} of a core, longest stall {longest_s * 1e3:.1f} ms")
    print(f"roll up {rolling_s / lasted_s:7.2%} of a core")
    print(f"file    {(folder / FILE_NAME).stat().st_size / 1e6:.0f} MB after {MINUTES:g} min")
    asking = Asking(reading, View(epoch="e", revision=0, floor=0, instance_number=0), tuple)
    for what in ("first", "again"):
        began = time.process_time()
        told = await asking.topology(Span(now[0] - 900, now[0]), Sight(), Asked())
        print(f"map of 15 min, {what}: {(time.process_time() - began) * 1e3:.0f} ms, {len(told.edges)} edges")
    running.cancel()
    await store.close()


def main(arguments: Sequence[str]) -> None:
    gateways = int(arguments[0]) if arguments else 4
    share = float(arguments[1]) if len(arguments) > 1 else 0.5
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(gateways, share, Path(folder)))


if __name__ == "__main__":
    main(sys.argv[1:])
