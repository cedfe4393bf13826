"""What callers feel while 10,000 routes are applied: open-loop p99 before and during."""

import asyncio
import random
import threading
import time
from typing import Final

from loadtest.open_loop import run
from loadtest.peers import Bench
from loadtest.targets import at_most

RATE_PER_S: Final = 500.0
MOST_MS: Final = 20.0


def section(_: int, seconds: int) -> str:
    """Its part of RESULTS.md, of one round. The registry runs on the load's core, as it would on another host."""
    seed = random.SystemRandom().randrange(1 << 32)
    bench = Bench()
    try:
        mesh = bench.meshway("bare")
        bench.pin(mesh.ready["pids"]["registry"], bench.load_core)

        def load() -> dict[str, float]:
            return asyncio.run(run("127.0.0.1", mesh.port, "/", rate_per_s=RATE_PER_S, seconds=seconds, seed=seed))

        quiet = load()
        taken_s: list[float] = []

        def change() -> None:
            time.sleep(1.0)
            start_s = time.monotonic()
            mesh.apply_routes(10_000)
            taken_s.append(time.monotonic() - start_s)

        writer = threading.Thread(target=change)
        writer.start()
        busy = load()
        writer.join()
    finally:
        bench.close()
    rise_ms = busy["p99_ms"] - quiet["p99_ms"]
    said = (
        f"Open loop, {RATE_PER_S:.0f} requests/s, seed {seed}: quiet p99 {quiet['p99_ms']:.1f} ms, "
        f"during p99 {busy['p99_ms']:.1f} ms (max {busy['max_ms']:.1f}), failed {busy['failed']:.0f}; "
        f"applied everywhere after {taken_s[0]:.1f} s."
    )
    return f"{said}\n\n{at_most('rise of p99', MOST_MS, rise_ms, 'ms')}"
