"""Leases and reports over registries that share one PostgreSQL and one Valkey; TTLs are real time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from meshway.problem import Problem
from registry.leases.writes import Sweep
from registry.live.redis import RedisLive
from tests.parts.conditions import until
from tests.parts.fault_proxy import FaultProxy
from tests.parts.postgres import Postgres, running_postgres
from tests.parts.registry import RunningRegistry, running_registry
from tests.parts.registry_bench import registration
from tests.parts.registry_wire import Answer
from tests.parts.valkey import Valkey

# Below what the API takes, to wait less; where Redis fails a heartbeat may wait for a second, so there it is longer.
TTL_S = 1
LONG_TTL_S = 3
Registries = Sequence[RunningRegistry]


class Place:
    """Where registries begin: each over the same database, by its own way to Valkey if one is given."""

    def __init__(self, folder: Path, database_url: str, redis_url: str) -> None:
        self._folder = folder
        self._urls = {"database_url": database_url, "redis_url": redis_url}

    @asynccontextmanager
    async def registry(self, **settings: Any) -> AsyncIterator[RunningRegistry]:
        async with running_registry(self._folder, **(self._urls | settings)) as running:
            yield running


@pytest.fixture
def place(tmp_path: Path, database_url: str, valkey: Valkey) -> Place:
    return Place(tmp_path, database_url, valkey.url)


@pytest.fixture
async def pair(place: Place) -> AsyncIterator[list[RunningRegistry]]:
    async with place.registry() as one, place.registry() as other:
        yield [one, other]


async def beat(registry: RunningRegistry, *lease_ids: str) -> Answer:
    return await registry.call("POST", "/v1/heartbeats", {"leases": list(lease_ids)})


async def lease_of(registry: RunningRegistry, instance: str, ttl_s: int = TTL_S, **fields: Any) -> str:
    return (await registry.core.catalog.register(registration("books", instance, ttl_s=ttl_s, **fields))).lease_id


def status(registry: RunningRegistry, instance: str) -> str | None:
    row = registry.core.view.instance(("default", "books", instance))
    return None if row is None else row.instance.status


async def passes_for(seconds: float, registries: Registries, *instances: str) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert {status(registry, one) for registry in registries for one in instances} == {"passing"}
        await asyncio.sleep(0.05)


@asynccontextmanager
async def beating(registries: Registries, *lease_ids: str) -> AsyncIterator[list[int]]:
    """Heartbeats four times a second, to one registry after the other; gives the statuses they were answered with."""
    answers: list[int] = []

    async def go_on() -> None:
        at = 0
        while True:
            answer = await beat(registries[at % len(registries)], *lease_ids)
            answers.append(answer.status)
            at += 1
            await asyncio.sleep(0.25)

    task = asyncio.ensure_future(go_on())  # noqa: TID251  # ended below
    try:
        yield answers
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()


async def test_any_registry_renews_one_sweeps_and_all_see_it(pair: list[RunningRegistry]) -> None:
    one, other = pair
    kept, left = await lease_of(one, "kept"), await lease_of(one, "left")
    registered = time.monotonic()
    await until(lambda: status(other, "left") == "passing")
    async with beating(pair, kept):
        await until(lambda: status(other, "left") == status(one, "left") == "critical", TTL_S + 2)
        late_s = time.monotonic() - registered - TTL_S
        assert -0.1 < late_s < 1.3, late_s
        await passes_for(TTL_S, pair, "kept")
        for registry in pair:
            shown = (await registry.call("GET", "/v1/namespaces/default/services/books/instances/kept")).json
            assert shown["expires_in_s"] > TTL_S - 0.9
            assert not shown["unrenewed"]
        answer = await beat(other, left)
        assert (answer.status, answer.json["renewed"]) == (200, 1)
        assert status(other, "left") == "passing"
        await until(lambda: status(one, "left") == "passing")
        await passes_for(TTL_S - 0.3, pair, "left", "kept")


async def test_when_the_one_that_sweeps_goes_another_does(place: Place) -> None:
    async with place.registry() as one:
        async with place.registry() as other:
            await lease_of(other, "first")
            await until(lambda: status(one, "first") == "critical", TTL_S + 2)
            leads = [registry for registry in (one, other) if registry.core.leases._is_leading]
            assert len(leads) == 1
            await lease_of(one, "second")
        await until(lambda: status(one, "second") == "critical", TTL_S + 3)


async def test_a_critical_instance_goes_in_time_although_all_registries_began_anew(place: Place) -> None:
    short = {"remove_after_s": 3.0}
    async with place.registry(**short) as one:
        await lease_of(one, "gone")
        await until(lambda: status(one, "gone") == "critical", TTL_S + 2)
        critical_at = time.monotonic()
        await until(lambda: time.monotonic() > critical_at + 1.5)
    async with place.registry(**short) as again:
        assert status(again, "gone") == "critical"
        await until(lambda: status(again, "gone") is None, 5)
        assert 2.9 < time.monotonic() - critical_at < 4.3


async def test_without_redis_nobody_expires_and_it_is_said(tmp_path: Path, database_url: str) -> None:
    own = Valkey(tmp_path)
    place = Place(tmp_path, database_url, own.url)
    try:
        async with place.registry() as one, place.registry() as other:
            pair = [one, other]
            beaten = await lease_of(one, "beaten", LONG_TTL_S)
            await lease_of(one, "silent", LONG_TTL_S)
            await until(lambda: status(other, "silent") == "passing")
            own.kill()
            async with beating(pair, beaten) as answers:
                await until(lambda: one.core.missing() and other.core.missing(), 3)
                await passes_for(LONG_TTL_S + 1.5, pair, "beaten", "silent")
                ready = await one.call("GET", "/v1/health/ready")
                assert (ready.status, ready.json["status"], ready.json["missing"]) == (200, "degraded", ["live"])
                assert b"meshway_live_shared 0" in (await one.call("GET", "/metrics")).body
                shown = (await other.call("GET", "/v1/namespaces/default/services/books/instances/silent")).json
                assert (shown["expires_in_s"], shown["unrenewed"]) == (LONG_TTL_S, False)
                own.start()
                await until(lambda: not (one.core.missing() or other.core.missing()), 5)
                back = time.monotonic()
                await passes_for(LONG_TTL_S - 1, pair, "beaten", "silent")
                await until(lambda: status(one, "silent") == "critical", 3)
                assert time.monotonic() - back < LONG_TTL_S + 1.5
                assert status(one, "beaten") == "passing"
            assert set(answers) == {200}
            assert (await one.call("GET", "/v1/health/ready")).json == {"status": "ready", "missing": []}
    finally:
        own.close()


async def test_a_registry_cut_off_from_redis_alone_loses_no_renewal(place: Place, valkey: Valkey) -> None:
    async with (
        FaultProxy(valkey.port) as proxy,
        place.registry() as one,
        place.registry(redis_url=f"redis://127.0.0.1:{proxy.port}/0") as other,
    ):
        lease = await lease_of(one, "b1", LONG_TTL_S)
        await until(lambda: status(other, "b1") == "passing")
        async with beating([other], lease) as answers:
            proxy.is_black_hole = True
            await until(lambda: "live" in other.core.missing(), 4)
            await passes_for(LONG_TTL_S + 2.0, [one, other], "b1")
            assert not one.core.missing()
            proxy.is_black_hole = False
            proxy.cut()
            await until(lambda: not other.core.missing(), 5)
            await passes_for(LONG_TTL_S, [one, other], "b1")
        assert set(answers) == {200}
        await until(lambda: status(one, "b1") == "critical", LONG_TTL_S + 3)


async def test_what_a_registry_answered_that_lost_redis_and_then_the_store_is_not_undone(
    place: Place, postgres: Postgres, valkey: Valkey, database_url: str
) -> None:
    async with (
        FaultProxy(valkey.port) as to_valkey,
        FaultProxy(postgres.port) as to_postgres,
        place.registry() as one,
        place.registry(
            redis_url=f"redis://127.0.0.1:{to_valkey.port}/0",
            database_url=database_url.replace(f":{postgres.port}/", f":{to_postgres.port}/"),
        ) as other,
    ):
        lease = await lease_of(one, "b1", LONG_TTL_S)
        await until(lambda: status(other, "b1") == "passing")
        to_valkey.refuse()
        await until(lambda: "live" in other.core.missing(), 4)
        renewed_at, end = 0.0, time.monotonic() + LONG_TTL_S + 1
        while time.monotonic() < end:
            assert (await beat(other, lease)).json["renewed"] == 1
            renewed_at = time.monotonic()
            await asyncio.sleep(0.2)
        to_postgres.refuse()
        await until(lambda: status(one, "b1") == "critical", 3 * LONG_TTL_S)
        assert time.monotonic() - renewed_at > LONG_TTL_S - 0.2, "its TTL from the last answer on"
        assert (await beat(other, lease)).status == 503
        assert time.monotonic() - renewed_at < LONG_TTL_S + 4.0


async def test_evidence_given_to_one_registry_keeps_an_instance_on_all(pair: list[RunningRegistry]) -> None:
    one, other = pair
    await lease_of(one, "answers")
    await lease_of(one, "first-to-go")
    await until(lambda: status(other, "answers") == "passing")
    evidence = [{"namespace": "default", "service": "books", "id": "answers"}]
    end = time.monotonic() + TTL_S + 2
    while time.monotonic() < end:
        for registry in pair:
            if not registry.core.leases._is_leading:
                await registry.call("POST", "/v1/reports", {"node": "g", "revision": 1, "evidence": evidence})
                break
        await asyncio.sleep(0.2)
    assert (status(one, "answers"), status(one, "first-to-go")) == ("passing", "critical")
    for registry in pair:
        assert (await registry.call("GET", "/v1/namespaces/default/services/books/instances/answers")).json["unrenewed"]


async def test_a_hold_is_shown_by_all_and_goes_on_when_another_sweeps(place: Place) -> None:
    longest = {"self_preservation_max_s": 3.0}
    async with place.registry(**longest) as one:
        async with place.registry(**longest) as other:
            for at in range(6):
                await lease_of(one, f"b{at}", zone="z1")
            await until(lambda: one.core.leases.holds and other.core.leases.holds, TTL_S + 3)
            held_at = time.monotonic()
            for registry in (one, other):
                items = (await registry.call("GET", "/v1/namespaces")).json["items"]
                (default,) = [item for item in items if item["name"] == "default"]
                assert [(hold["zone"], hold["overdue"]) for hold in default["self_preservation"]] == [("z1", 6)]
                metrics = (await registry.call("GET", "/metrics")).body
                assert b'meshway_self_preservation_overdue{namespace="default",zone="z1"} 6' in metrics
        await until(lambda: status(one, "b0") == "critical", 6)
        assert time.monotonic() - held_at < 4.0, "the hold did not begin anew with the new sweep"


async def test_what_a_gateway_tells_one_registry_all_know(pair: list[RunningRegistry]) -> None:
    one, other = pair
    await until(lambda: one.core.bus.silent_since_s is None and other.core.bus.silent_since_s is None, 5)
    report = {"node": "g1", "version": "1", "workers": 2, "revision": 0}
    await one.call("POST", "/v1/reports", report)
    await until(lambda: other.gateways.live_count() == 1)
    assert (await other.call("GET", "/v1/gateways")).json["items"][0]["node"] == "g1"
    path = "/v1/namespaces/default/services/books/instances/b1"
    writing = asyncio.gather(other.call("PUT", path, {"port": 9000}, "Prefer: wait=10"))
    await until(lambda: status(one, "b1") == "passing")
    begun = time.monotonic()
    assert not writing.done()
    await one.call("POST", "/v1/reports", report | {"revision": one.core.view.revision})
    (answer,) = await writing
    assert answer.headers["meshway-applied"] == "1/1"
    assert time.monotonic() - begun < 1.0


async def test_a_gateway_of_another_registry_is_not_forgotten_when_redis_goes(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Valkey(tmp_path)
    place = Place(tmp_path, database_url, own.url)
    monkeypatch.setattr("registry.gateways.LIVE_S", 3.0)
    try:
        async with place.registry() as one, place.registry() as other:
            await until(lambda: one.core.bus.silent_since_s is None and other.core.bus.silent_since_s is None, 5)
            await one.call("POST", "/v1/reports", {"node": "g1", "revision": 0})
            await until(lambda: other.gateways.live_count() == 1)
            own.kill()
            await until(lambda: other.gateways.states()[0].unheard, 6)
            assert other.gateways.live_count() == 1
            path = "/v1/namespaces/default/services/books/instances/b1"
            answer = await other.call("PUT", path, {"port": 9000}, "Prefer: wait=1")
            assert (answer.headers["meshway-applied"], answer.headers["meshway-pending"]) == ("0/1", "g1")
            await until(lambda: one.gateways.live_count() == 0, 6, what="here it is known to be silent")
            own.start()
            await until(lambda: other.gateways.live_count() == 0, 10, what="it is gone on the other, too")
    finally:
        own.close()


async def test_a_heartbeat_where_the_end_of_the_lease_is_not_known_yet_brings_it_back(
    pair: list[RunningRegistry], monkeypatch: pytest.MonkeyPatch
) -> None:
    await lease_of(pair[0], "first")
    await until(lambda: {status(registry, "first") for registry in pair} == {"critical"}, TTL_S + 2)
    sweeping, behind = sorted(pair, key=lambda registry: not registry.core.leases._is_leading)
    lease = await lease_of(sweeping, "late")
    await until(lambda: status(behind, "late") == "passing")
    following = behind.core.revisions._following
    assert following is not None

    async def look_away() -> None:
        following.is_due = False

    before = sweeping.core.view.revision
    with monkeypatch.context() as patch:
        patch.setattr(following, "look", look_away)
        await until(lambda: status(sweeping, "late") == "critical", TTL_S + 2)
        await looked_twice(sweeping)
        assert status(behind, "late") == "passing", "it has not heard of it"
        answer = await beat(behind, lease)
        assert (answer.status, answer.json["renewed"]) == (200, 1)
        await until(lambda: status(sweeping, "late") == "passing", TTL_S / 2)
        answer = await beat(behind, lease)
        assert (answer.json["renewed"], behind.core.view.revision) == (1, before + 2), "the next one costs no write"
    await until(lambda: status(behind, "late") == "critical", TTL_S + 2)
    await looked_twice(behind)
    answer = await beat(behind, lease)
    assert (answer.json["renewed"], behind.core.view.revision) == (1, before + 4), (
        "where it is known, one write is enough"
    )


async def looked_twice(registry: RunningRegistry) -> None:
    """What it had to say to Redis, or to hear, when this began, is said and heard."""
    live = registry.core.live
    assert isinstance(live, RedisLive)
    for _ in range(2):
        looked_at = live._looked_at
        await until(lambda looked_at=looked_at: live._looked_at > looked_at)  # type: ignore[misc]  # a bound default


@asynccontextmanager
async def stopped_sweep(pair: Sequence[RunningRegistry]) -> AsyncIterator[RunningRegistry]:
    """A sweep has claimed what is overdue, and stands still before its commit until this ends, when it goes on and is
    answered. Gives the registry that does not sweep."""
    go_on, stopped, done = asyncio.Event(), asyncio.Event(), asyncio.Event()
    for registry in pair:
        leases, live = registry.core.leases, registry.core.live
        assert isinstance(live, RedisLive)
        submit = leases._submit

        async def stop_first(write: Any, submit: Any = submit, live: RedisLive = live) -> Any:
            async with live._looking:  # it hears of no renewal meanwhile
                stopped.set()
                await go_on.wait()
                try:
                    return await submit(write)
                finally:
                    done.set()

        def stopping(write: Any, submit: Any = submit, stop_first: Any = stop_first) -> Any:
            return asyncio.ensure_future(stop_first(write)) if isinstance(write, Sweep) else submit(write)  # noqa: TID251

        leases._submit = stopping
    async with asyncio.timeout(5):
        await stopped.wait()
    (awake,) = [registry for registry in pair if not registry.core.leases._is_leading]
    yield awake
    go_on.set()
    async with asyncio.timeout(5):
        await done.wait()


async def test_a_sweep_that_stands_still_before_its_commit_undoes_no_answered_renewal(
    pair: list[RunningRegistry],
) -> None:
    """As a registry that is stopped between its look at Redis and its commit, and then goes on."""
    one, other = pair
    lease = await lease_of(one, "b1")
    await until(lambda: status(other, "b1") == "passing")
    async with stopped_sweep(pair) as awake:
        answer = await beat(awake, lease)
        assert (answer.status, answer.json["renewed"]) == (200, 1)
        revision = awake.core.view.revision
    await passes_for(TTL_S - 0.2, pair, "b1")
    assert awake.core.view.revision == revision, "the sweep that stood still changed nothing"
    await until(lambda: status(one, "b1") == "critical", 4)


async def test_a_heartbeat_that_could_not_be_written_leaves_the_claim_to_the_next(pair: list[RunningRegistry]) -> None:
    """As one whose registry is killed, or whose store is overrun, between Redis and the write."""
    one, other = pair
    lease = await lease_of(one, "b1")
    await until(lambda: status(other, "b1") == "passing")
    async with stopped_sweep(pair) as awake:
        renewals = awake.core.leases._renewals
        submit = renewals._submit

        def refuse(write: Any) -> Any:
            raise Problem(503, "store_unavailable", "Not taking writes")

        renewals._submit = refuse
        assert (await beat(awake, lease)).status == 503
        renewals._submit = submit
        assert (await beat(awake, lease)).status == 200
    await passes_for(TTL_S - 0.2, pair, "b1")


async def test_a_registration_that_goes_on_with_its_lease_is_a_renewal_no_sweep_undoes(
    pair: list[RunningRegistry],
) -> None:
    one, other = pair
    held = await lease_of(one, "held")
    await lease_of(one, "known")
    await until(lambda: status(other, "known") == "passing")
    async with stopped_sweep(pair) as awake:
        again = registration("books", "held", ttl_s=TTL_S, lease_id=held)
        assert (await awake.core.catalog.register(again)).generation == 1
        known = registration("books", "known", ttl_s=TTL_S)
        announced = awake.core.catalog.announce(("default", "books", "known"), lambda _: (known, "passing"))
        assert (await announced).generation == 1
    await passes_for(TTL_S - 0.2, pair, "held", "known")


async def test_with_neither_redis_nor_the_store_heartbeats_are_refused_and_nobody_expires(tmp_path: Path) -> None:
    own = Valkey(tmp_path)
    with running_postgres() as server:
        try:
            async with Place(tmp_path, server.new_database(), own.url).registry() as one:
                lease = await lease_of(one, "b1", LONG_TTL_S)
                server.stop()
                own.kill()
                refused = await beat(one, lease)
                assert (refused.status, refused.json["code"]) == (503, "live_unavailable")
                assert refused.headers["retry-after"] in ("1", "2", "3")
                await until(lambda: "live" in one.core.missing())
                await passes_for(LONG_TTL_S, [one], "b1")
                await asyncio.to_thread(server.start)
                await asyncio.to_thread(own.start)
                await until(lambda: not one.core.missing(), 10)
                answer = await beat(one, lease)
                assert (answer.status, answer.json["renewed"]) == (200, 1)
        finally:
            own.close()
