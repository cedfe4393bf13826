"""Rows of the failure matrix about many at once: all register anew, a zone falls silent, all come back together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.parts.conditions import wait_until
from tests.parts.crowd import Crowd, Pulse, beat
from tests.parts.replicas import Cluster

StartCluster = Callable[..., Cluster]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartCluster]:
    running: list[Cluster] = []

    def begin(replicas: int) -> Cluster:
        running.append(Cluster(tmp_path, replicas))
        return running[-1]

    yield begin
    for cluster in running:
        cluster.close()


def direct(cluster: Cluster, at: int = 0) -> int:
    """The port of a registry itself: a proxy in Python would be what is measured."""
    return cluster.replicas[at].own_port


@pytest.mark.parametrize("replicas", [1, 2], ids=["sqlite", "postgresql"])
@pytest.mark.parametrize("count", [2_000, pytest.param(50_000, marks=pytest.mark.soak)])
async def test_when_all_register_at_once_heartbeats_go_on_and_no_lease_is_lost(
    start: StartCluster, replicas: int, count: int
) -> None:
    cluster = start(replicas)
    others = Crowd(direct(cluster), 500, ttl_s=6, namespace="others")
    crowd = Crowd(direct(cluster), count, ttl_s=60)
    await others.register_in_batches()
    await crowd.register_in_batches()
    before = list(crowd.lease_ids)
    is_over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        beating = group.create_task(beat([others], is_over, 0.5))
        began_s = time.monotonic()
        await crowd.register_each()
        took_s = time.monotonic() - began_s
        is_over.set()
    sent, renewed = beating.result()
    print(f"{count} in {took_s:.1f} s, {renewed} of {sent} heartbeats renewed")
    assert took_s <= 60
    assert renewed >= 0.999 * sent > 0
    assert not set(before) & set(crowd.lease_ids), "each began a generation"
    assert await crowd.renew_each() == count, "and holds its lease"
    assert (await crowd.count("passing"), await others.count("passing")) == (count, 500)


@pytest.mark.parametrize(("count", "ttl_s"), [(2_000, 3), pytest.param(10_000, 10, marks=pytest.mark.soak)])
async def test_when_a_zone_is_cut_off_it_is_held_and_others_expire_as_ever(
    start: StartCluster, count: int, ttl_s: int
) -> None:
    cluster = start(1)
    silent = Crowd(direct(cluster), count, ttl_s=ttl_s, zone="a")
    beating = Crowd(direct(cluster), count, ttl_s=ttl_s, zone="b")
    elsewhere = Crowd(direct(cluster), 100, ttl_s=ttl_s, namespace="elsewhere")
    alone = Crowd(direct(cluster), 1, ttl_s=ttl_s, zone="c", namespace="elsewhere")
    crowds = (silent, beating, elsewhere, alone)
    for crowd in crowds:
        await crowd.register_in_batches()
    is_over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(beat([beating, elsewhere], is_over, 0.5))
        end_s = time.monotonic() + 3 * ttl_s
        while not await alone.count("critical") or time.monotonic() < end_s - ttl_s:
            assert time.monotonic() < end_s, "the one that fell silent alone runs out"
            await asyncio.sleep(0.2)
        metrics = cluster.replicas[0].client.get("/metrics").text
        is_over.set()
    sent, renewed = sending.result()
    assert (await silent.count("passing"), await silent.count("critical")) == (count, 0)
    assert f'meshway_self_preservation_overdue{{namespace="default",zone="a"}} {count}' in metrics
    assert (await beating.count("passing"), await elsewhere.count("passing")) == (count, 100)
    assert renewed == sent
    assert await silent.renew_together() == count, "when it is back, it goes on with the leases it had"


@pytest.mark.alone
@pytest.mark.parametrize("way", ["cut off", "killed"])
@pytest.mark.parametrize(
    ("count", "ttl_s", "away_s"), [(2_000, 5, 7.0), pytest.param(30_000, 30, 300.0, marks=pytest.mark.soak)]
)
async def test_who_lost_the_registry_and_comes_back_at_once_is_not_expired(
    start: StartCluster, way: str, count: int, ttl_s: int, away_s: float
) -> None:
    cluster = start(1)
    replica = cluster.replicas[0]
    crowd = Crowd(direct(cluster), count, ttl_s=ttl_s)
    await crowd.register_in_batches()
    assert await crowd.renew_each() == count
    if way == "killed":
        replica.kill()
        await asyncio.sleep(away_s)
        replica.start()
        await asyncio.to_thread(wait_until, replica.is_ready, 30, what="ready again")
    else:
        await asyncio.sleep(away_s)
    assert await crowd.count("critical") == 0
    async with Pulse(direct(cluster)) as pulse:
        began_s = time.monotonic()
        renewed = await crowd.renew_each()
        took_s = time.monotonic() - began_s
    print(f"{count} after {away_s:.0f} s: renewed in {took_s:.1f} s, longest wait {pulse.longest_s * 1e3:.0f} ms")
    assert renewed == count
    assert took_s <= 30
    assert (pulse.failed, pulse.longest_s < 2.0) == ([], True)
    assert await crowd.count("passing") == count
    assert replica.head() == -(-count // 500), "nobody became critical in between: no revision was made"
