"""What open consoles cost a registry in working out numbers, without sockets: `loadtest.console` measures all of it.

500 services, 5,000 instances, 3,000 edges, two gateways. Each console is shown the overview: signals by the live
stream, and every ten seconds what the page asks again for, at a moment of its own. Time is the bench's own; CPU is the
process's, its threads' included.

Run: python -m loadtest.micro.consoles [consoles ...]
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from loadtest.micro.insight import BEGIN, EVERY_S, Mesh
from meshway.tasks import spawn
from meshway.telemetry import Numbers
from registry.insight.asking import Asking, Span
from registry.insight.figures import Metric
from registry.insight.ingest import Ingest
from registry.insight.reading import Reading
from registry.insight.rolling import Rolling
from registry.insight.sight import Sight
from registry.insight.topology import Asked
from registry.store.insight_file import InsightFile
from registry.view.view import View

GATEWAYS: Final = 2
SHARE: Final = 0.5
# Minutes that are past have been rolled up when the measuring begins.
BEFORE_S: Final = 300.0
LOOK_S: Final = 60.0
WINDOW_S: Final = 900.0
ASK_EVERY_S: Final = 10.0
STEP_S: Final = 50
METRICS: Final[tuple[Metric, ...]] = ("rps", "error_share", "p50_ms", "p95_ms", "p99_ms")
_TICK_S: Final = 0.5
_encode: Final = msgspec.json.Encoder().encode


class Bench:
    """spent_s: CPU time of what consoles asked for."""

    def __init__(self, folder: Path) -> None:
        self.now = BEGIN
        self.store = InsightFile(folder)
        reading = Reading(self.store, lambda: self.now)
        self.ingest = Ingest(self.store, lambda _: "v1", lambda: self.now, reading.heard)
        self.rolling = Rolling(self.store, self._lead, lambda: self.now)
        self.asking = Asking(reading, View(epoch="e", revision=0, floor=0, instance_number=0), tuple)
        self.spent_s = 0.0
        self._decode = msgspec.json.Decoder(Numbers).decode
        # Again and again the same few turns: making numbers up costs more than counting them.
        mesh = Mesh(SHARE)
        self._turns = [[mesh.reports(f"gw-{at}", 1, BEGIN) for at in range(GATEWAYS)] for _ in range(3)]
        self._turn = 0

    async def _lead(self) -> bool:
        return True

    async def report(self) -> None:
        """What all gateways counted in two seconds."""
        self._turn += 1
        for bodies in self._turns[self._turn % len(self._turns)]:
            for part, body in enumerate(bodies):
                told = msgspec.structs.replace(
                    self._decode(body), sequence=self._turn * 100 + part, begun=self.now - EVERY_S, ended=self.now
                )
                await self.ingest.take(told)
        if self._turn % 5 == 0:
            await self.rolling.turn()

    async def show_signals(self) -> None:
        _encode(await self.asking.services(self._span(), Sight()))

    async def show_overview(self) -> None:
        span = self._span()
        asked = [self.asking.topology(span, Sight(), Asked(level="namespaces"))]
        await asyncio.gather(*asked, *(self._series(span, metric) for metric in METRICS))

    async def _series(self, span: Span, metric: Metric) -> None:
        _encode(await self.asking.series(span, Sight(), metric, "total", step_s=STEP_S))

    def _span(self) -> Span:
        return Span(self.now - WINDOW_S, self.now)

    async def look(self, consoles: int) -> float:
        """CPU time of the consoles alone, as a share of one core."""
        self.spent_s = 0.0
        due = [self.now + ASK_EVERY_S * number / consoles for number in range(consoles)]
        until = self.now + LOOK_S
        ticks = 0
        while self.now < until:
            if ticks % round(EVERY_S / _TICK_S) == 0:
                await self.report()
            began = time.process_time()
            if due and ticks % round(EVERY_S / _TICK_S) == 0:
                await self.show_signals()
            for number, at in enumerate(due):
                if at <= self.now:
                    due[number] = at + ASK_EVERY_S
                    await self.show_overview()
            self.spent_s += time.process_time() - began
            self.now += _TICK_S
            ticks += 1
        return self.spent_s / LOOK_S


async def measure(consoles: Sequence[int], folder: Path) -> None:
    bench = Bench(folder)
    running = spawn(bench.ingest.run(), name="reports of numbers")
    while bench.now < BEGIN + BEFORE_S:
        await bench.report()
        bench.now += EVERY_S
    for count in consoles:
        print(f"{count:3d} open: {await bench.look(count):7.2%} of a core", flush=True)
    running.cancel()
    await bench.store.close()


def main(arguments: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure([int(each) for each in arguments] or [1, 20], Path(folder)))


if __name__ == "__main__":
    main(sys.argv[1:])
