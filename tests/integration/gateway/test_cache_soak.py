"""The bound of a cache's memory, held for minutes under answers of random sizes, aborts and changes of the rule."""

import asyncio
import gc
import random
import time
from typing import Final

import pytest

from gateway.worker.overload import give_back, resident_bytes
from meshway.tasks import spawn
from tests.integration.gateway.test_caching import shop
from tests.parts.answering_service import Asked, answer
from tests.parts.changes import document, edge_route, to

MINUTES: Final = 2.0
MIB: Final = 1 << 20
ROOM: Final = 8 * MIB


@pytest.mark.soak
async def test_memory_stays_within_what_the_rule_allows() -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    cache = {"max_total": "8MiB", "max_object": "1MiB", "stale_while_revalidate": "5s", "default_ttl": "1s"}

    async def reply(asked: Asked) -> bytes:
        await asyncio.sleep(rng.random() * 0.02)
        fields = rng.choice(("", "Cache-Control: max-age=2\r\n", "Cache-Control: no-store\r\n", 'ETag: "a"\r\n'))
        size = rng.choice((10, 1_000, 60_000, 300_000, 1_500_000))
        return answer("x" * rng.randrange(size), fields)

    async with shop(reply, cache) as of:

        async def caller() -> int:
            calls = 0
            while time.monotonic() < until:
                target = f"/{int(rng.expovariate(0.02))}"
                asking = spawn(of.get(target), name="a call")
                if rng.random() < 0.1:
                    await asyncio.sleep(rng.random() * 0.01)
                    asking.cancel()
                    await asyncio.wait([asking])
                else:
                    assert (await asking)[0] == 200
                calls += 1
            return calls

        settled, most = 0, 0
        until = time.monotonic() + MINUTES * 60.0
        callers = [spawn(caller(), name="a caller") for _ in range(16)]
        turned = 0
        while time.monotonic() < until:
            await asyncio.sleep(1.0)
            turned += 1
            caches = [one for route in of.gateway.compiler.state.routes.values() for one in route.caches]
            assert sum(one.store.size for one in caches) <= ROOM
            assert sum(one.coming for one in caches) <= ROOM
            assert all(one.store.size == sum(stored.size for stored in one.store) for one in caches)
            if turned % 10 == 0:
                changed = cache | {"max_ttl": f"{turned}s"}
                of.gateway.apply(document("Route", "r", edge_route(to("books", cache=changed))))
            of.gateway.lines.clear()
            gc.collect()
            give_back()
            if turned == int(MINUTES * 15):  # a quarter of the time
                settled = resident_bytes()
            most = max(most, resident_bytes())
        calls = sum(await asyncio.gather(*callers))
        caches = [one for route in of.gateway.compiler.state.routes.values() for one in route.caches]
        assert [(one.coming, one.background, len(one.running)) for one in caches] == [(0, 0, 0)]
        print(f"{calls} calls, {settled / MIB:.1f} MiB after a quarter, at most {most / MIB:.1f} MiB")
        assert most < settled + 2 * ROOM
