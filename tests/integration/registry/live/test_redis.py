"""Several registries over one Valkey, and what each sees when Valkey, or its way there, fails."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from meshway.problem import Problem
from meshway.tasks import spawn
from registry.live.redis import RedisLive
from registry.live.redis_bus import RedisBus
from tests.parts.conditions import until
from tests.parts.fault_proxy import FaultProxy
from tests.parts.live import Agreed, RecordingVeto, begin, critical, left_s, redis_live, renew, running
from tests.parts.valkey import Valkey


@pytest.fixture
async def ends(valkey: Valkey) -> AsyncIterator[tuple[RedisLive, RedisLive]]:
    """Two registries that know leases 1 to 5, of ten seconds."""
    one, other = (RedisLive(valkey.url, time.monotonic, RecordingVeto(), Agreed()) for _ in range(2))
    for live in (one, other):
        begin(live, range(1, 6), ttl_s=10)
    async with running(one), running(other):
        await until(lambda: not (one.missing() or other.missing()), 5)
        yield one, other


def shorten(live: RedisLive, number: int, seconds: float) -> None:
    """As if that much time had passed for this registry."""
    lease = live.find(number)
    assert lease is not None
    lease.expires_s -= seconds


async def test_a_renewal_on_one_is_known_to_the_other(ends: tuple[RedisLive, RedisLive]) -> None:
    one, other = ends
    shorten(other, 1, 9.0)
    await renew(one, 1)
    await until(lambda: left_s(other, 1) > 9.5, 2)


async def test_one_that_catches_up_knows_every_answered_renewal(ends: tuple[RedisLive, RedisLive]) -> None:
    one, other = ends
    for _ in range(20):
        shorten(other, 1, 9.0)
        await renew(one, 1)
        assert await other.catch_up()
        assert left_s(other, 1) > 9.5


async def test_evidence_reaches_the_other(ends: tuple[RedisLive, RedisLive]) -> None:
    one, other = ends
    found, there = one.find(2), other.find(2)
    assert found is not None
    assert there is not None
    one.answered([found])
    await until(lambda: there.answers_until_s - other.now() > 9.0, 2)


async def test_what_another_renewed_is_not_claimed(valkey: Valkey) -> None:
    async with redis_live(valkey.url, numbers=[1, 2]) as one, redis_live(valkey.url, numbers=[1, 2]) as other:
        due = [lease for number in (1, 2) if (lease := other.find(number)) is not None]
        await until(lambda: left_s(other, 1) < 0, 3)
        await renew(one, 1)
        assert [claim.lease.number for claim in await other.claim(due)] == [2]


async def test_heartbeats_are_told_of_a_claim_until_it_is_settled(valkey: Valkey) -> None:
    """Whoever is told first may be killed before it has written, so the next is told as well."""
    async with redis_live(valkey.url, numbers=[1, 2]) as one, redis_live(valkey.url, numbers=[1, 2]) as other:
        due = [lease for number in (1, 2) if (lease := other.find(number)) is not None]
        await until(lambda: left_s(other, 1) < 0, 3)
        assert len(await other.claim(due)) == 2
        assert await renew(one, 1, 2) == [1, 2]
        told = one.renew(["1-1-t1", "2-1-t2"]).written
        assert told is not None
        claims = await told
        assert [claim.lease.number for claim in claims] == [1, 2]
        assert await other.claim(due) == []
        await one.settle(claims[:1])
        assert await renew(one, 1, 2) == [2]


async def test_a_claim_that_was_made_anew_outlives_the_end_of_the_one_before(valkey: Valkey) -> None:
    async with redis_live(valkey.url, numbers=[1]) as one, redis_live(valkey.url, numbers=[1]) as other:
        lease = other.find(1)
        assert lease is not None
        await until(lambda: left_s(other, 1) < 0, 3)
        first = await other.claim([lease])
        second = await other.claim([lease])
        await one.settle(first)
        assert await renew(one, 1) == [1]
        await one.settle(second)
        assert await renew(one, 1) == []


async def test_one_that_begins_late_sees_the_true_ends(ends: tuple[RedisLive, RedisLive], valkey: Valkey) -> None:
    one, _ = ends
    await until(lambda: left_s(one, 3) < 8.5, 4)
    await renew(one, 1)
    late = RedisLive(valkey.url, time.monotonic, RecordingVeto(), Agreed())
    begin(late, [1, 3, 99], ttl_s=10)
    assert await late.catch_up()
    assert abs(left_s(late, 1) - left_s(one, 1)) < 0.1
    assert abs(left_s(late, 3) - left_s(one, 3)) < 0.1
    assert left_s(late, 99) > 9.5, "Redis never heard of it: it counts as renewed"
    await late._link.close()


async def test_more_leases_than_a_page_are_all_heard(valkey: Valkey) -> None:
    many = range(1, 25_001)
    async with redis_live(valkey.url) as one:
        begin(one, many, ttl_s=60)
        await until(lambda: not one._handover.started, 10)
        await renew(one, *many)
        late = RedisLive(valkey.url, time.monotonic, RecordingVeto(), Agreed())
        begin(late, many, ttl_s=60)
        for number in many:
            shorten(late, number, 50)
        assert await late.catch_up()
        assert all(left_s(late, number) > 50 for number in many)
        await late._link.close()


async def test_when_a_lease_became_critical_outlives_the_registry_that_saw_it(valkey: Valkey) -> None:
    async with redis_live(valkey.url) as one:
        critical(one, 1, since=7, remove_after_s=300)
        await until(lambda: not one._handover.critical, 3)
        await until(lambda: left_s(one, 1) < 299, 4)
        late = RedisLive(valkey.url, time.monotonic, RecordingVeto(), Agreed())
        again = critical(late, 1, since=7, remove_after_s=300)
        anew = critical(late, 2, since=9, remove_after_s=300)
        assert await late.catch_up()
        assert abs((again.expires_s - late.now()) - left_s(one, 1)) < 0.3
        assert anew.expires_s - late.now() > 299.5
        await late._link.close()


async def test_a_lease_that_comes_back_from_critical_begins_anew(valkey: Valkey) -> None:
    async with redis_live(valkey.url, numbers=[1]) as one:
        await until(lambda: left_s(one, 1) < 0, 3)
        critical(one, 1, since=7, remove_after_s=300)
        await until(lambda: not one._handover.critical, 3)
        begin(one, [1])
        await until(lambda: not one._handover.started, 3)
        late = RedisLive(valkey.url, time.monotonic, RecordingVeto(), Agreed())
        begin(late, [1])
        assert await late.catch_up()
        assert left_s(late, 1) > 0.2, "not the end of its life before"
        await late._link.close()


async def test_a_killed_server_ends_no_lease_and_renewals_are_answered(tmp_path: Path) -> None:
    own = Valkey(tmp_path)
    veto = RecordingVeto()
    try:
        async with redis_live(own.url, veto, [1, 2]) as one:
            own.kill()
            assert await renew(one, 1) == [1], "a sweep may have claimed it: the store decides"
            assert one.missing()
            assert veto.is_held
            assert one.kept == 1
            assert not await one.catch_up()
            own.start()
            await until(lambda: one.missing() is None, 5)
            assert (one.kept, one.losses) == (0, 1)
            await until(lambda: not veto.is_held, 2)
            assert left_s(one, 2) > 0, "all count as renewed when an empty one is there"
    finally:
        own.close()


async def test_a_renewal_that_can_be_told_to_nobody_is_refused(tmp_path: Path) -> None:
    own = Valkey(tmp_path)
    veto = RecordingVeto()
    try:
        async with redis_live(own.url, veto, [1]) as one:
            veto.refuses = True
            own.kill()
            with pytest.raises(Problem) as refused:
                await renew(one, 1)
            assert (refused.value.status, refused.value.code) == (503, "live_unavailable")
    finally:
        own.close()


async def test_a_veto_that_is_answered_when_nobody_waits_for_it_any_more_ends_all_the_same(valkey: Valkey) -> None:
    """Left standing it keeps every registry from the sweep, until Redis is lost again."""
    veto = RecordingVeto()
    async with (
        FaultProxy(valkey.port) as proxy,
        redis_live(f"redis://127.0.0.1:{proxy.port}/0", veto, [1]) as one,
    ):
        veto.answers.clear()
        proxy.cut()
        await renew(one, 1)  # to Redis, which is back, after the wait for the veto
        veto.answers.set()
        await until(lambda: veto.said == ["hold", "release"], 5)


async def test_a_veto_that_is_answered_when_redis_is_back_keeps_no_renewal(valkey: Valkey) -> None:
    """Renewals that are answered before Redis has them are safe as long as the veto stands, and not a moment longer."""
    veto = RecordingVeto()
    async with (
        FaultProxy(valkey.port) as proxy,
        redis_live(f"redis://127.0.0.1:{proxy.port}/0", veto, [1]) as one,
        redis_live(valkey.url, numbers=[1]) as other,
    ):
        veto.answers.clear()
        proxy.cut()
        beaten = asyncio.gather(renew(one, 1))
        await until(lambda: one._sweep._holding is not None, 2)
        assert await one.catch_up()
        veto.answers.set()
        await beaten
        await until(lambda: not veto.is_held and not one._sweep._must_release, 2)
        for _ in range(5):
            shorten(other, 1, 0.9)
            await renew(one, 1)
            assert one.kept == 0
            assert await other.catch_up()
            assert left_s(other, 1) > 0.5


async def test_an_emptied_server_renews_all_at_that_moment(ends: tuple[RedisLive, RedisLive], valkey: Valkey) -> None:
    for live in ends:
        for number in range(1, 6):
            shorten(live, number, 9.0)
    valkey.flush()
    for live in ends:
        await until(lambda live=live: all(left_s(live, number) > 9 for number in range(1, 6)), 3)  # type: ignore[misc]
        assert live.losses == 0


async def test_after_a_time_in_which_nobody_looked_all_count_as_renewed(valkey: Valkey) -> None:
    async with redis_live(valkey.url, numbers=[1, 2]) as one:
        await renew(one, 1)
    await asyncio.sleep(2.2)  # the time itself is what is tested
    late = RedisLive(valkey.url, time.monotonic, RecordingVeto(), Agreed())
    begin(late, [1, 2])
    assert await late.catch_up()
    assert left_s(late, 1) > 0.7
    assert left_s(late, 2) > 0.7
    await late._link.close()


async def test_one_that_is_cut_off_keeps_its_renewals_and_hands_them_over_with_their_time(valkey: Valkey) -> None:
    veto = RecordingVeto()
    async with (
        FaultProxy(valkey.port) as proxy,
        redis_live(valkey.url) as one,
        redis_live(f"redis://127.0.0.1:{proxy.port}/0", veto) as other,
    ):
        for live in (one, other):
            begin(live, [1, 2], ttl_s=10)
        await until(lambda: not (one._handover.started or other._handover.started), 3)
        proxy.is_black_hole = True
        begun = time.monotonic()
        assert await renew(other, 1) == []
        assert time.monotonic() - begun < 4, "a heartbeat waits for Redis about a second"
        assert veto.is_held
        renewed_at = time.monotonic()
        assert one.missing() is None, "the other way is open"
        shorten(one, 1, 9.0)
        await until(lambda: time.monotonic() > renewed_at + 1.0)
        assert left_s(one, 1) < 1.0
        assert veto.is_held
        proxy.is_black_hole = False
        proxy.cut()
        await until(lambda: other.missing() is None and not veto.is_held, 5)
        await until(lambda: left_s(one, 1) > 5, 2)
        assert abs(left_s(one, 1) - (renewed_at + 10 - time.monotonic())) < 0.3, "as old as it was"
        assert other.kept == 0


async def test_a_slow_server_counts_as_away_and_is_back_when_it_is_quick(valkey: Valkey) -> None:
    async with (
        FaultProxy(valkey.port) as proxy,
        redis_live(f"redis://127.0.0.1:{proxy.port}/0", numbers=[1]) as one,
    ):
        proxy.delay_s = 2.0
        begun = time.monotonic()
        await renew(one, 1)
        assert time.monotonic() - begun < 4
        assert one.missing() == "no answer within 1 s"
        proxy.delay_s = 0.0
        await until(lambda: one.missing() is None and one.kept == 0, 6)


async def test_a_server_that_forgets_scripts_gets_them_again(ends: tuple[RedisLive, RedisLive], valkey: Valkey) -> None:
    one, other = ends
    assert valkey.ask("SCRIPT", "FLUSH") == b"+OK\r\n"
    await renew(one, 1)
    await until(lambda: not (one.missing() or other.missing()), 5)


async def test_a_message_of_the_sweeping_one_is_seen_by_others_and_goes_with_it(
    ends: tuple[RedisLive, RedisLive],
) -> None:
    one, other = ends
    one.notice = b"held"
    await until(lambda: other.noticed == b"held", 2)
    one.notice = b""
    await until(lambda: other.noticed == b"", 5)


async def test_what_has_gone_is_taken_out_of_the_server(ends: tuple[RedisLive, RedisLive], valkey: Valkey) -> None:
    one, _ = ends
    await until(lambda: valkey.ask("ZCARD", "{meshway}:leases") == b":5\r\n", 3)
    one.end(1)
    await until(lambda: valkey.ask("ZCARD", "{meshway}:leases") == b":4\r\n", 3)


async def test_what_others_publish_on_the_channel_deafens_no_bus(valkey: Valkey) -> None:
    buses = [RedisBus(valkey.url, time.monotonic) for _ in range(2)]
    heard: list[bytes] = []
    buses[1].subscribe("news", heard.append)
    tasks = [spawn(bus.run(), name="bus") for bus in buses]
    try:
        await until(lambda: all(bus.silent_since_s is None for bus in buses), 5)
        for message in ("", "x", "12345678\u0009"):
            valkey.ask("PUBLISH", "{meshway}:bus", message)
        buses[0].publish("news", b"heard")
        await until(lambda: heard == [b"heard"], 3)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_a_wrong_password_is_said_without_saying_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    own = Valkey(tmp_path, "--requirepass", "right")
    try:
        url = f"redis://user:hunter2@127.0.0.1:{own.port}/0"
        live = RedisLive(url, time.monotonic, RecordingVeto(), Agreed())
        with caplog.at_level(logging.INFO):
            assert not await live.catch_up()
        assert "password" in str(live.missing())
        assert "hunter2" not in caplog.text + str(live.missing())
        async with redis_live(f"redis://:right@127.0.0.1:{own.port}/0", numbers=[1]) as there:
            assert await renew(there, 1) == []
    finally:
        own.close()
