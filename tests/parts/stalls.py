"""How long processes stood ready to run without a processor: the kernel's own count, read a few times a second.

On a machine that others use, too, something may come late by nobody's fault; this says by how much.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.parts.history import Span, Stall

_EVERY_S = 0.25
_STOOD_STILL_S = 0.5


class StallWatch(threading.Thread):
    """pids: of each part, by its name, as they are at the moment. stalls: what was found, until `end`.

    standstills: when the watch itself, which only waits, came late by half a second or more: a virtual machine that was
    paused, or clients and followers who could neither call nor see.
    """

    def __init__(self, pids: Callable[[], dict[str, Iterable[int]]]) -> None:
        super().__init__(daemon=True)
        self.stalls: list[Stall] = []
        self.standstills: list[Span] = []
        self._pids = pids
        self._is_over = threading.Event()

    def run(self) -> None:
        before: dict[int, float] = {}
        from_s = time.monotonic()
        while not self._is_over.wait(_EVERY_S):
            until_s = time.monotonic()
            if until_s - from_s >= _EVERY_S + _STOOD_STILL_S:
                self.standstills.append(Span("the machine stood still", from_s, until_s))
            found = {part: {pid: _waited_s(pid) for pid in pids} for part, pids in self._pids().items()}
            for part, waited in found.items():
                longest_s = max((at - before[pid] for pid, at in waited.items() if pid in before), default=0.0)
                if longest_s > 0:
                    self.stalls.append(Stall(part, from_s, until_s, longest_s))
            before = {pid: at for waited in found.values() for pid, at in waited.items()}
            from_s = until_s

    def end(self) -> None:
        self._is_over.set()
        self.join(10)
        assert not self.is_alive(), "the watch for stalls has not ended"


def _waited_s(pid: int) -> float:
    """Since the process began; its second number in nanoseconds (the kernel's sched-stats.rst). 0: it is gone."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0
