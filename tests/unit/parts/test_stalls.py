"""Two that share one processor wait for each other; one that sleeps waits for nobody."""

import os
import signal
import subprocess
import sys
import time

from tests.parts.conditions import wait_until
from tests.parts.stalls import StallWatch

_BUSY = "while True: pass"
_IDLE = "import time; time.sleep(60)"
_WATCHING = """
import time
from tests.parts.stalls import StallWatch
watch = StallWatch(dict)
watch.start()
print("watches", flush=True)
end_s = time.monotonic() + 30
while time.monotonic() < end_s and not any(span.until_s - span.from_s > 1 for span in watch.standstills):
    time.sleep(0.1)
print(max((span.until_s - span.from_s for span in watch.standstills), default=0.0), flush=True)
watch.end()
"""


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


def test_a_watch_that_came_late_itself_says_that_all_stood_still() -> None:
    with subprocess.Popen([sys.executable, "-c", _WATCHING], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "watches\n"
        child.send_signal(signal.SIGSTOP)
        time.sleep(1.5)
        child.send_signal(signal.SIGCONT)
        longest_s = float(child.stdout.readline())
    assert 1.0 < longest_s < 60
