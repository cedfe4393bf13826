"""What the machine and the processes do while the soak runs: how busy, how much memory, how many descriptors."""

import asyncio
import statistics
from collections.abc import Callable, Sequence
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
    """Of one tree of processes. memory: bytes, descriptors: open, each second."""

    name: str
    root: Callable[[], int]
    memory: list[int] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def look(self) -> None:
        memory = descriptors = 0
        for pid in process_tree(self.root()):
            try:
                memory += rss_bytes(pid)
                descriptors += len(list(Path(f"/proc/{pid}/fd").iterdir()))
            except OSError:  # gone meanwhile
                continue
        self.memory.append(memory)
        self.descriptors.append(descriptors)

    def drift(self, settled: int, window: int) -> tuple[float, float, float]:
        """Memory after it had settled (samples), and at the end, and by how much that is more: medians of a window."""
        first = statistics.median(self.memory[settled : settled + window])
        last = statistics.median(self.memory[-window:])
        return first, last, last / first - 1.0

    def leak(self, settled: int, window: int) -> int:
        """Descriptors: the fewest at the end above the fewest after it had settled; connections come and go."""
        return min(self.descriptors[-window:]) - min(self.descriptors[settled : settled + window])


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
