"""Live states with their tasks running, and leases for them; time is real, as Redis's is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from meshway.tasks import spawn
from registry.live.interface import CRITICAL, LIVE, Lease, Live
from registry.live.redis import RedisLive
from tests.parts.conditions import until

TTL_S = 1


class RecordingVeto:
    """refuses: the store does not answer. answers: it is slow, and answers when this is set."""

    def __init__(self) -> None:
        self.refuses = False
        self.is_held = False
        self.said: list[str] = []
        self.answers = asyncio.Event()
        self.answers.set()

    async def hold(self) -> bool:
        await self.answers.wait()
        if self.refuses:
            return False
        self.is_held = True
        self.said.append("hold")
        return True

    async def release(self) -> None:
        self.is_held = False
        self.said.append("release")


class Agreed:
    """refusal: what the store says of the next place, or of the one that is shared in. asked: the places."""

    def __init__(self, refusal: str | None = None) -> None:
        self.refusal = refusal
        self.asked: list[str] = []

    async def reach(self, place: str) -> str | None:
        self.asked.append(place)
        return self.refusal


def lease_of(live: Live, number: int, *, ttl_s: int = TTL_S, state: int = LIVE, since: int = 0) -> Lease:
    return Lease(
        lease_id=f"{number}-1-t{number}",
        number=number,
        generation=1,
        namespace="default",
        service="books",
        id=f"b{number}",
        zone="",
        ttl_s=ttl_s,
        expires_s=live.now() + ttl_s,
        state=state,
        since=since,
    )


def begin(live: Live, numbers: Iterable[int], *, ttl_s: int = TTL_S) -> None:
    for number in numbers:
        live.start(lease_of(live, number, ttl_s=ttl_s))


async def renew(live: Live, *numbers: int) -> list[int]:
    """Renews as a heartbeat does; the numbers of those that a sweep had claimed."""
    renewed = live.renew([f"{number}-1-t{number}" for number in numbers])
    assert (renewed.count, renewed.unknown) == (len(numbers), [])
    return [] if renewed.written is None else [claim.lease.number for claim in await renewed.written]


def left_s(live: Live, number: int) -> float:
    lease = live.find(number)
    assert lease is not None
    return lease.expires_s - live.now()


@asynccontextmanager
async def running(live: Live) -> AsyncIterator[Live]:
    task = spawn(live.run(), name="live state")
    try:
        yield live
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def redis_live(
    url: str, veto: RecordingVeto | None = None, numbers: Iterable[int] = (), *, agreement: Agreed | None = None
) -> AsyncIterator[RedisLive]:
    """One replica's end, with leases it knows from the store, connected."""
    live = RedisLive(url, time.monotonic, veto or RecordingVeto(), agreement or Agreed())
    begin(live, numbers)
    async with running(live):
        await until(lambda: live.missing() is None, 5, what="Redis is there")
        yield live


def critical(live: Live, number: int, *, since: int, remove_after_s: float) -> Lease:
    lease = lease_of(live, number, state=CRITICAL, since=since)
    lease.expires_s = live.now() + remove_after_s
    live.start(lease)
    return lease
