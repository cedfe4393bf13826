"""Replicas that hear of each other over a real Valkey."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from meshway.tasks import spawn
from registry.checks.replicas import Replicas
from registry.live.redis_bus import RedisBus
from tests.parts.conditions import until
from tests.parts.valkey import Valkey


async def test_replicas_know_each_other_and_keep_what_they_knew_while_redis_is_away(tmp_path: Path) -> None:
    valkey = Valkey(tmp_path)
    buses = [RedisBus(valkey.url, time.monotonic) for _ in range(3)]
    replicas = [Replicas(bus, time.monotonic) for bus in buses]
    all_of_them = {replica.own for replica in replicas}
    tasks = [spawn(bus.run(), name="bus") for bus in buses]
    tasks += [spawn(replica.run(), name="replica") for replica in replicas]
    try:
        await until(lambda: all(replica.alive() == all_of_them for replica in replicas), within_s=10)
        valkey.kill()
        await until(lambda: all(bus.silent_since_s is not None for bus in buses), within_s=10)
        assert all(replica.alive() == all_of_them for replica in replicas)
        valkey.start()
        await until(lambda: all(bus.silent_since_s is None for bus in buses), within_s=10)
        assert all(replica.alive() == all_of_them for replica in replicas)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        valkey.close()
