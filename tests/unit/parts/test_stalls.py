"""Two that share one processor wait for each other; one that sleeps waits for nobody."""

import os
import subprocess
import sys
import time

from tests.parts.conditions import wait_until
from tests.parts.stalls import StallWatch

_BUSY = "while True: pass"
_IDLE = "import time; time.sleep(60)"


def test_who_waits_for_the_processor_is_told_by_how_long_and_who_sleeps_is_not() -> None:
    processor = min(os.sched_getaffinity(0))
    children = [subprocess.Popen([sys.executable, "-c", code]) for code in (_BUSY, _BUSY, _IDLE)]
    try:
        for child in children:
            os.sched_setaffinity(child.pid, {processor})
        busy, idle = [child.pid for child in children[:2]], [children[2].pid]
        begun_s = time.monotonic()
        watch = StallWatch(lambda: {"busy": busy, "idle": idle})
        watch.start()
        wait_until(lambda: sum(stall.waited_s for stall in watch.stalls if stall.part == "busy") > 0.3, 20)
        watch.end()
        over_s = time.monotonic()
    finally:
        for child in children:
            child.kill()
            child.wait(10)
    assert all(begun_s <= stall.from_s < stall.until_s <= over_s for stall in watch.stalls)
    waited = {part: sum(stall.waited_s for stall in watch.stalls if stall.part == part) for part in ("busy", "idle")}
    assert waited["idle"] < waited["busy"] / 2
