"""What leases ask of a live state, of the one in memory and of Redis alike."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from registry.live.interface import Bus, Live
from registry.live.memory import MemoryBus, MemoryLive
from registry.live.redis_bus import RedisBus
from tests.parts.conditions import until
from tests.parts.live import TTL_S, begin, critical, lease_of, left_s, redis_live, renew, running
from tests.parts.valkey import Valkey


@pytest.fixture(params=["memory", "redis"])
async def live(request: pytest.FixtureRequest, valkey: Valkey) -> AsyncIterator[Live]:
    if request.param == "memory":
        async with running(MemoryLive(time.monotonic)) as live:
            yield live
    else:
        async with redis_live(valkey.url) as live:
            yield live


@pytest.fixture(params=["memory", "redis"])
async def buses(request: pytest.FixtureRequest, valkey: Valkey) -> AsyncIterator[list[Bus]]:
    if request.param == "memory":
        ends: list[Any] = []
        yield [MemoryBus(ends), MemoryBus(ends), MemoryBus(ends)]
        return
    made = [RedisBus(valkey.url, time.monotonic) for _ in range(3)]
    async with running(made[0]), running(made[1]), running(made[2]):  # type: ignore[arg-type]  # a bus runs alike
        await until(lambda: all(bus.silent_since_s is None for bus in made), 5)
        yield list(made)


async def test_a_renewal_is_written_and_gives_the_whole_ttl(live: Live) -> None:
    begin(live, range(1, 4), ttl_s=10)
    lease = live.find(2)
    assert lease is not None
    lease.expires_s -= 5
    assert await renew(live, 2) == []
    assert 9.9 < left_s(live, 2) <= 10
    assert (live.kept, live.missing()) == (0, None)


async def test_each_lease_id_is_told_what_it_is(live: Live) -> None:
    begin(live, [1, 2])
    successor = lease_of(live, 1)
    successor.lease_id, successor.generation = "1-2-u", 2
    live.start(successor)
    lost = critical(live, 3, since=7, remove_after_s=300)
    live.end(2)
    renewed = live.renew(["1-1-t1", "1-2-u", "2-1-t2", "3-1-t3", "nonsense"])
    assert (renewed.count, renewed.superseded, renewed.unknown) == (1, ["1-1-t1"], ["2-1-t2", "nonsense"])
    assert renewed.critical == [lost]
    assert len(live) == 2


async def test_who_is_not_renewed_is_due_and_claimed_and_nobody_else_is(live: Live) -> None:
    begin(live, [1, 2])
    ends = time.monotonic() + TTL_S
    await until(lambda: time.monotonic() > ends - 0.5)
    await renew(live, 2)
    due: list[int] = []

    def is_due() -> bool:
        due.extend(lease.number for lease in live.due())
        return bool(due)

    await until(is_due, 3)
    assert 0 <= time.monotonic() - ends < 1.0
    assert due == [1]
    assert await live.catch_up()
    lease = live.find(1)
    assert lease is not None
    assert [claim.lease for claim in await live.claim([lease])] == [lease]


async def test_who_answers_calls_counts_as_alive_for_a_ttl(live: Live) -> None:
    begin(live, [1], ttl_s=10)
    lease = live.find(1)
    assert lease is not None
    live.answered([lease])
    assert 9.9 < lease.answers_until_s - live.now() <= 10


async def test_all_others_hear_a_message_once_and_in_order(buses: list[Bus]) -> None:
    heard: list[list[bytes]] = [[], [], []]
    for bus, into in zip(buses, heard, strict=True):
        bus.subscribe("news", into.append)
    for at in range(100):
        buses[0].publish("news", b"%d" % at)
        buses[0].publish("other", b"x")
    await until(lambda: len(heard[1]) == len(heard[2]) == 100, 5)
    assert heard == [[], [b"%d" % at for at in range(100)], [b"%d" % at for at in range(100)]]
