"""What the machine and the processes do while the soak runs: how busy, how much memory."""

import asyncio
import statistics
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from loadtest.measure import process_tree, rss_bytes
from loadtest.soak.callers import Pace

EVERY_S: Final = 1.0
SHORTEST_S, LONGEST_S = 0.002, 2.0  # pauses
GAIN: Final = 0.5  # of the pause, for each whole machine that is too busy


@dataclass
class Watched:
    """Of one tree of processes. memory: bytes of each of them, the root first, each second."""

    name: str
    root: Callable[[], int]
    memory: list[tuple[int, ...]] = field(default_factory=list)

    def look(self) -> None:
        found = []
        for pid in process_tree(self.root()):
            with suppress(OSError):  # gone meanwhile
                found.append(rss_bytes(pid))
        self.memory.append(tuple(found))

    def drift(self, settled: int, window: int) -> tuple[float, float, float]:
        """Memory of all after it had settled (samples), and at the end, and by how much that is more: medians of a
        window."""
        first = statistics.median(map(sum, self.memory[settled : settled + window]))
        last = statistics.median(map(sum, self.memory[-window:]))
        return first, last, last / first - 1.0

    def of_each(self, sample: int, window: int) -> list[float]:
        """Memory of each process: medians of the window that begins there."""
        found = self.memory[sample : sample + window]
        most = max(map(len, found), default=0)
        return [statistics.median(each[at] for each in found if len(each) > at) for at in range(most)]


class Busyness:
    """Of all cores, 0 to 1, since it was last asked."""

    def __init__(self) -> None:
        self._before = _jiffies()

    def share(self) -> float:
        busy, total = _jiffies()
        was_busy, was_total = self._before
        self._before = busy, total
        return (busy - was_busy) / max(1, total - was_total)


def _jiffies() -> tuple[int, int]:
    """Busy and all: proc(5), /proc/stat, the first line; idle and waiting for disks are not busy."""
    fields = [int(each) for each in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)


async def watch(watched: Sequence[Watched], pace: Pace, target: float, seen: list[float]) -> None:
    """Keeps the machine as busy as it is to be. seen: how busy it was, each second."""
    busyness = Busyness()
    while not pace.stopping.is_set():
        await asyncio.sleep(EVERY_S)
        share = busyness.share()
        seen.append(share)
        pace.pause_s = min(max(pace.pause_s * (1.0 + GAIN * (share - target)), SHORTEST_S), LONGEST_S)
        for each in watched:
            each.look()
