"""Several registries over one PostgreSQL, each with a view, a committer and connections of its own."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from meshway.problem import Problem
from meshway.sealing import make_key_file
from meshway.snapshot import FrameReader, SecretFrame
from registry.alerts.records import packed
from registry.core import Core
from registry.leases import company, place
from registry.leases.leases import SWEEP
from registry.revisions.draft import Once
from registry.running import open_core
from registry.settings import RegistrySettings, StartRefused
from registry.store.alerts import put_state
from tests.parts.alerts import Posted, firing, listening, resolved
from tests.parts.conditions import until
from tests.parts.fault_proxy import FaultProxy
from tests.parts.feed_bench import Mirror, truth
from tests.parts.postgres import Postgres
from tests.parts.registry import running_registry
from tests.parts.registry_bench import registration, route_to, written
from tests.parts.valkey import Valkey

Urls = dict[str, Any]


@pytest.fixture
def urls(database_url: str, valkey: Valkey) -> Urls:
    return {"database_url": database_url, "redis_url": valkey.url}


@asynccontextmanager
async def replicas(urls: Urls, folder: Path, count: int, **settings: Any) -> AsyncIterator[list[Core]]:
    died: list[int] = []
    async with AsyncExitStack() as stack:
        cores = [
            await stack.enter_async_context(
                open_core(RegistrySettings(data_dir=folder, **urls, **settings), die=lambda: died.append(1))
            )
            for _ in range(count)
        ]
        yield cores
    assert died == []


def _through(proxy: FaultProxy, postgres: Postgres, urls: Urls) -> Urls:
    return urls | {"database_url": urls["database_url"].replace(f":{postgres.port}/", f":{proxy.port}/")}


def at_head(*cores: Core) -> bool:
    return len({core.view.revision for core in cores}) == 1


async def test_what_one_commits_the_others_show_and_stream(urls: Urls, tmp_path: Path) -> None:
    async with replicas(urls, tmp_path, 2) as (one, other):
        mirror = Mirror()
        follower = mirror.follow(other.feed)
        mirror.drain(follower)
        begun = time.monotonic()
        first = await one.catalog.register(registration(ttl_s=10))
        await until(lambda: other.view.revision == 1)
        assert time.monotonic() - begun < 0.9  # woken, not polled
        await one.documents.apply([(route_to("books").document, route_to("books").spec)], (), by="me")
        await until(lambda: other.view.revision == 2)
        mirror.drain(follower)
        assert (mirror.seen[-2:], mirror.resets) == ([1, 2], [])
        assert truth(one) == truth(other)  # type: ignore[arg-type]
        shown = other.catalog.instance("default", "books", "b1")
        assert (shown.revision, shown.ttl_s) == (1, 10)
        renewal = other.catalog.heartbeat([first.lease_id])
        renewal = await renewal if isinstance(renewal, asyncio.Future) else renewal
        assert renewal.renewed == 1
        (document,) = other.documents.list("Route", "default").items
        assert (document.metadata.revision, document.metadata.updated_by) == (2, "me")
        with pytest.raises(Problem):  # what it claims is known here too
            await other.documents.apply([(route_to("books", "b").document, route_to("books", "b").spec)], (), by="me")


@pytest.mark.flaky(reruns=0)
async def test_many_writers_at_three_registries_make_one_order(urls: Urls, tmp_path: Path) -> None:
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    chance = random.Random(seed)
    async with replicas(urls, tmp_path, 3) as cores:
        mirrors = [Mirror() for _ in cores]
        followers = [mirror.follow(core.feed) for mirror, core in zip(mirrors, cores, strict=True)]
        for mirror, follower in zip(mirrors, followers, strict=True):
            mirror.drain(follower)
        answers: list[Any] = []

        async def write(writer: int) -> None:
            for turn in range(20):
                core = chance.choice(cores)
                answer = await core.catalog.register(registration(f"s{writer % 4}", f"i{writer}-{turn}"))
                answers.append(answer)
                if turn % 5 == 0:
                    await chance.choice(cores).catalog.deregister("default", f"s{writer % 4}", f"i{writer}-{turn}")

        await asyncio.gather(*(write(writer) for writer in range(24)))
        await until(lambda: at_head(*cores))
        revisions = sorted(answer.revision for answer in answers)
        assert len(set(revisions)) == len(revisions) == 480
        assert cores[0].view.revision == 480 + 24 * 4
        assert len({answer.lease_id.split("-")[0] for answer in answers}) == 480
        for mirror, follower in zip(mirrors, followers, strict=True):
            mirror.drain(follower)
            assert mirror.resets == []
            assert mirror.seen == list(range(1, 480 + 24 * 4 + 1))
        assert mirrors[0].entries == mirrors[1].entries == mirrors[2].entries
        assert truth(cores[0]) == truth(cores[1]) == truth(cores[2])  # type: ignore[arg-type]
        rows = await cores[0].store.changes(1, 100_000)
        assert sorted({row.revision for row in rows}) == list(range(1, cores[0].view.revision + 1))


async def test_what_was_answered_by_one_is_judged_by_the_next(urls: Urls, tmp_path: Path) -> None:
    """Answered before asked: a view that lags may refuse nothing, and find nothing gone, that it has not seen yet."""
    async with replicas(urls, tmp_path, 2) as (one, other):
        for turn in range(30):
            await one.catalog.register(registration("books", f"b{turn}"))
            await other.catalog.deregister("default", "books", f"b{turn}")
        await until(lambda: at_head(one, other))
        assert one.catalog.instances("default", "books").items == []
        assert one.view.revision == 60


async def test_a_key_sent_to_two_registries_at_once_is_done_once(urls: Urls, tmp_path: Path) -> None:
    async with replicas(urls, tmp_path, 2) as (one, other):
        for turn in range(10):
            once = Once(f"k{turn}", b"f")
            same = registration("books", f"b{turn}")
            first, second = await asyncio.gather(one.catalog.register(same, once), other.catalog.register(same, once))
            assert first == second
        assert one.view.revision == other.view.revision == 10
        with pytest.raises(Problem, match="another body"):
            await other.catalog.register(registration(), Once("k1", b"g"))


async def test_a_follower_goes_on_at_another_registry(urls: Urls, tmp_path: Path) -> None:
    mirror = Mirror()
    async with replicas(urls, tmp_path, 2) as (one, other):
        await one.catalog.register(registration())
        follower = mirror.follow(one.feed)
        mirror.drain(follower)
        follower.close()
        for port in range(1, 20):
            await one.catalog.register(registration(port=port))
        await until(lambda: at_head(one, other))
        follower = mirror.follow(other.feed)
        mirror.drain(follower)
        assert (mirror.revision, mirror.resets) == (20, [])


async def test_one_registry_shortens_the_log_and_a_late_follower_of_the_other_gets_a_snapshot(
    urls: Urls, tmp_path: Path
) -> None:
    mirror = Mirror()
    async with replicas(urls, tmp_path, 1, log_revisions=5, log_age_s=0.0) as (one,):
        await one.catalog.register(registration())
        follower = mirror.follow(one.feed)
        mirror.drain(follower)
        follower.close()
        for port in range(1, 20):
            await one.catalog.register(registration(port=port))
        async with replicas(urls, tmp_path, 1, log_revisions=5, log_age_s=0.0) as (other,):
            await one.retention.compact()
            await other.retention.compact()  # not its work while the first one lives
            assert (one.view.floor, other.view.floor) == (16, 1)
            follower = mirror.follow(other.feed)

            def is_whole() -> bool:
                mirror.drain(follower)
                return mirror.entries == truth(other) and mirror.revision == 20  # type: ignore[arg-type]

            await until(is_whole)
            assert mirror.resets == ["too slow, or away for too long"]


async def test_who_saw_a_revision_at_one_is_shown_no_less_by_the_other(urls: Urls, tmp_path: Path) -> None:
    async with (
        running_registry(tmp_path, **urls) as one,
        running_registry(tmp_path, **urls) as other,
    ):
        path = "/v1/namespaces/default/services/books/instances"
        for turn in range(30):
            revision = int((await one.register("books", f"b{turn}")).headers["meshway-revision"])
            shown = await other.call("GET", f"{path}?since={revision}&wait_s=0")
            assert int(shown.headers["meshway-revision"]) >= revision
            assert f"b{turn}" in {item["id"] for item in shown.json["items"]}
            assert "meshway-stale" not in shown.headers
        # A revision that nobody has given out is answered after a look, not waited for.
        beyond = await other.call("GET", f"{path}?since=9999&wait_s=0")
        assert beyond.status == 200


async def test_a_refused_read_is_refused_after_the_store_was_asked(urls: Urls, tmp_path: Path) -> None:
    async with running_registry(tmp_path, **urls) as running:
        for path in ("services/none?since=7&wait_s=0", "routes/none?since=7", "services?limit=x&since=7"):
            answer = await running.call("GET", f"/v1/namespaces/default/{path}")
            assert answer.status in (404, 422), answer


async def test_what_one_has_just_registered_is_known_to_the_other(urls: Urls, tmp_path: Path) -> None:
    """A balancer may send the next call anywhere; a 404 or an unknown lease is told only after a look at the store."""
    async with (
        running_registry(tmp_path, **urls) as one,
        running_registry(tmp_path, **urls) as other,
    ):
        for turn in range(40):
            lease = (await one.register("books", f"b{turn % 20}")).json["lease_id"]
            beaten = await other.call("POST", "/v1/heartbeats", {"leases": [lease]})
            assert beaten.json["renewed"] == 1, (turn, beaten.json)
        for turn in range(20):
            await one.register("films", f"f{turn}")
            path = f"/v1/namespaces/default/services/films/instances/f{turn}"
            assert (await other.call("GET", path)).status == 200
            await one.register("tunes", f"t{turn}")
            path = f"/v1/namespaces/default/services/tunes/instances/t{turn}/heartbeat"
            assert (await other.call("PUT", path)).status == 200
        assert (await other.call("GET", "/v1/namespaces/default/services/none")).status == 404
        unknown = await other.call("POST", "/v1/heartbeats", {"leases": ["99-1-aa", "1-9-aa", "x", "-1-2-3", "1"]})
        assert len(unknown.json["unknown"]) == 5


async def test_a_document_that_was_just_written_is_there_at_the_other(urls: Urls, tmp_path: Path) -> None:
    async with (
        running_registry(tmp_path, **urls) as one,
        running_registry(tmp_path, **urls) as other,
    ):
        for turn in range(40):
            path = f"/v1/namespaces/default/services/s{turn}"
            document = {"apiVersion": "meshway/v1", "kind": "Service", "metadata": {"name": f"s{turn}"}, "spec": {}}
            assert (await one.call("PUT", path, document)).status == 201
            path = f"/v1/revisions/{one.core.view.revision}/diff?to={one.core.view.revision}"
            assert (await other.call("GET", path)).status == 200, turn
            assert (await one.call("DELETE", f"/v1/namespaces/default/services/s{turn}")).status == 204
        assert (await other.call("GET", "/v1/namespaces/default/routes/none")).status == 404
        assert (await other.call("HEAD", "/v1/namespaces/default/routes/none")).status == 404


async def test_a_lease_that_cannot_be_looked_for_is_not_called_unknown(
    postgres: Postgres, urls: Urls, tmp_path: Path
) -> None:
    async with (
        FaultProxy(postgres.port) as proxy,
        running_registry(tmp_path, **urls) as one,
        running_registry(tmp_path, **_through(proxy, postgres, urls)) as other,
    ):
        known = (await one.register("books", "known")).json["lease_id"]
        await until(lambda: other.core.view.revision == 1)
        proxy.is_black_hole = True
        news = (await one.register("books", "news")).json["lease_id"]
        refused = await other.call("POST", "/v1/heartbeats", {"leases": [news]})
        assert (refused.status, refused.json["code"]) == (503, "behind")
        assert (await other.call("POST", "/v1/heartbeats", {"leases": [known]})).json["renewed"] == 1
        proxy.is_black_hole = False
        proxy.cut()
        await until(lambda: other.core.view.revision == 2, 10)
        assert (await other.call("POST", "/v1/heartbeats", {"leases": [news]})).json["renewed"] == 1


async def test_no_follower_is_ahead_of_its_registry(
    urls: Urls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it shows it must know of, or it could not tell when a failover has lost it."""
    monkeypatch.setattr("registry.view.recent.MAX_REVISIONS", 2)
    async with replicas(urls, tmp_path, 2) as (one, other):
        for port in range(1, 11):
            await one.catalog.register(registration(port=port))
        await until(lambda: at_head(one, other))
        assert other.following is not None
        monkeypatch.setattr(other.following, "catch_up", lambda: asyncio.sleep(0))  # it hears of nothing any more
        for port in range(11, 16):
            await one.catalog.register(registration(port=port))
        mirror = Mirror()
        mirror.revision, mirror.epoch = 3, other.view.epoch
        follower = mirror.follow(other.feed)

        def caught_up() -> bool:
            mirror.drain(follower)
            return (mirror.revision or 0) >= 10

        await until(caught_up)
        assert (mirror.revision, mirror.resets, other.view.revision) == (10, [], 10)
        follower.close()


async def test_a_lease_in_a_page_of_the_log_that_is_still_to_come_is_news(
    urls: Urls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.store.postgres.store._PAGE_ROWS", 3)
    async with replicas(urls, tmp_path, 2) as (one, other):
        assert other.following is not None
        seen: list[tuple[int, int]] = []
        other.view.on_commit.append(lambda: seen.append((other.view.revision, other.view.instance_number)))
        with monkeypatch.context() as deaf:
            deaf.setattr(other.following, "catch_up", lambda: asyncio.sleep(0))
            for turn in range(10):
                await one.catalog.register(registration("books", f"b{turn}"))
        await until(lambda: at_head(one, other))
        assert [revision for revision, _ in seen] == [3, 6, 9, 10]
        assert all(number <= revision for revision, number in seen), seen
        assert other.view.instance_number == 10


async def test_no_number_of_a_lost_history_is_given_out_again(postgres: Postgres, urls: Urls, tmp_path: Path) -> None:
    async with replicas(urls, tmp_path, 2) as (one, other):
        epoch = one.view.epoch
        for turn in range(5):
            await one.catalog.register(registration("books", f"b{turn}"))
        await until(lambda: at_head(one, other))
        # What a failover to a copy that lacks the last two looks like.
        database = urls["database_url"].rpartition("/")[2]
        postgres.sql(
            "BEGIN; UPDATE head SET revision = 3, instances = 3; DELETE FROM changes WHERE revision > 3; "
            "DELETE FROM instances WHERE revision > 3; COMMIT",
            database,
        )
        await until(lambda: one.view.epoch == other.view.epoch != epoch and at_head(one, other))
        assert {item.id for item in other.catalog.instances("default", "books").items} == {"b0", "b1", "b2"}
        assert one.leases.count == 3
        after = await other.catalog.register(registration("books", "c0"))
        assert after.revision > 5
        assert int(after.lease_id.split("-")[0]) > 5
        await until(lambda: at_head(one, other))
        assert truth(one) == truth(other)  # type: ignore[arg-type]
        assert one.following is not None
        assert one.following.histories == 1


async def test_without_redis_a_second_registry_does_not_start_while_the_first_one_lives(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(company, "_WAIT_S", 0.2)
    without = {"database_url": database_url}
    async with replicas(without, tmp_path, 1):
        with pytest.raises(StartRefused) as refused:
            async with replicas(without, tmp_path, 1):
                raise AssertionError("it started")
        assert "give all of them the same --redis-url" in str(refused.value)
    async with replicas(without, tmp_path, 1):
        pass


async def test_registries_with_redis_and_one_without_do_not_serve_the_same_database(
    urls: Urls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(company, "_WAIT_S", 0.2)
    without = {"database_url": urls["database_url"]}
    async with replicas(urls, tmp_path, 2):
        with pytest.raises(StartRefused, match="another registry serves this database"):
            async with replicas(without, tmp_path, 1):
                raise AssertionError("it started")
    monkeypatch.setattr(company, "_WAIT_S", 5.0)  # the server ends their sessions in its own time
    async with replicas(without, tmp_path, 1):
        monkeypatch.setattr(company, "_WAIT_S", 0.2)
        with pytest.raises(StartRefused, match="a registry without Redis serves this database"):
            async with replicas(urls, tmp_path, 1):
                raise AssertionError("it started")


async def test_one_with_another_redis_does_not_start_and_says_so(
    urls: Urls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two databases of one server are two places, too; another spelling of its address is not."""
    monkeypatch.setattr(place, "_WAIT_S", 0.5)
    elsewhere = urls | {"redis_url": urls["redis_url"].removesuffix("/0") + "/1"}
    async with replicas(urls, tmp_path, 1):
        with pytest.raises(StartRefused, match="another Redis") as refused:
            async with replicas(elsewhere, tmp_path, 1):
                raise AssertionError("it started")
        assert "give all of them the same --redis-url" in str(refused.value)
        assert "\n" not in str(refused.value)
        async with replicas(urls | {"redis_url": urls["redis_url"].replace("127.0.0.1", "localhost")}, tmp_path, 1):
            pass
    monkeypatch.setattr(place, "_WAIT_S", 7.0)  # the server ends their sessions in its own time
    async with replicas(elsewhere, tmp_path, 1):
        pass


async def test_one_that_finds_another_redis_later_keeps_its_renewals_and_lets_nobody_expire(
    urls: Urls, tmp_path: Path
) -> None:
    """Its Redis was away when it began, so it could not be refused."""
    elsewhere = Valkey(tmp_path)
    try:
        elsewhere.kill()
        theirs = urls | {"redis_url": elsewhere.url}
        async with replicas(urls, tmp_path, 1) as (one,), replicas(theirs, tmp_path, 1) as (other,):
            assert "live" in other.missing()
            instance = await one.catalog.register(registration(ttl_s=3))
            elsewhere.start()
            await until(lambda: "another Redis" in other.missing().get("live", ""), 15)
            assert one.missing() == {}
            await until(lambda: at_head(one, other))
            renewal = other.catalog.heartbeat([instance.lease_id])
            assert (await renewal if isinstance(renewal, asyncio.Future) else renewal).renewed == 1
            assert not await one.store.lead(SWEEP)
            assert not await other.live.catch_up()
        async with replicas(theirs, tmp_path, 1) as (alone,):
            await until(lambda: alone.missing() == {}, 15)
    finally:
        elsewhere.close()


async def test_registries_whose_redis_is_emptied_agree_again(urls: Urls, valkey: Valkey, tmp_path: Path) -> None:
    async with replicas(urls, tmp_path, 2) as (one, other):
        await until(lambda: one.missing() == other.missing() == {})
        name = valkey.ask("HGET", "{meshway}:presence", "place")
        assert name != b"$-1\r\n"
        valkey.flush()
        await until(lambda: valkey.ask("HGET", "{meshway}:presence", "place") not in (name, b"$-1\r\n"), 10)
        async with asyncio.timeout(15):
            while not (await one.live.catch_up() and await other.live.catch_up()):
                await asyncio.sleep(0.05)
            assert one.missing() == other.missing() == {}
            while not await one.store.lead(SWEEP):  # the hold on the sweep is let go behind the look
                await asyncio.sleep(0.05)


async def test_a_registry_without_redis_takes_its_place_again_after_a_loss_of_the_session(
    postgres: Postgres, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(company, "_WAIT_S", 0.2)
    monkeypatch.setattr(company, "_LOOK_EVERY_S", 0.05)
    without = {"database_url": database_url}
    holders = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND mode = 'ExclusiveLock'"
    holders += f" AND database = (SELECT oid FROM pg_database WHERE datname = '{database_url.rpartition('/')[2]}')"
    async with replicas(without, tmp_path, 1):
        postgres.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted "
            f"AND database = (SELECT oid FROM pg_database WHERE datname = '{database_url.rpartition('/')[2]}')"
        )
        await until(lambda: postgres.sql(holders) != "0")
        with pytest.raises(StartRefused):
            async with replicas(without, tmp_path, 1):
                raise AssertionError("it started")


def _keys_of(core: Core) -> dict[tuple[str, str], list[Any]]:
    """What a gateway that follows this registry is told of Secrets."""
    follower = core.feed.follow(since=None, epoch=None, node="g", wake=lambda: None, is_gateway=True)
    told = b"".join(iter(follower.take, b""))
    follower.close()
    frames = [frame for frame in FrameReader().feed(told) if isinstance(frame, SecretFrame)]
    return {frame.key: [version.data for version in frame.versions] for frame in frames}


async def test_what_one_seals_the_others_open_by_the_same_master_key_and_nobody_without(
    urls: Urls, tmp_path: Path
) -> None:
    key_file = tmp_path / "master.key"
    make_key_file(key_file)
    keys = written("Secret", "keys", {"type": "api_key_set", "data": []})
    asking = written("Authentication", "partners", {"methods": [{"api_key": {"secret": "keys"}}]})
    both = [(one.document, one.spec) for one in (keys, asking)]
    async with replicas(urls, tmp_path, 1) as (without,):
        with pytest.raises(Problem) as refused:
            await without.documents.apply(both, (), by="me")
        assert (refused.value.status, refused.value.code) == (409, "no_master_key")
    async with replicas(urls, tmp_path, 2, master_key_file=key_file) as (one, other):
        await one.documents.apply(both, (), by="me")
        await until(lambda: at_head(one, other))
        assert _keys_of(other) == {("default", "keys"): [[]]}
        fresh = [{"id": "acme0001", "hash": "sha256:" + "0" * 64}]
        changed = written("Secret", "keys", {"type": "api_key_set", "data": fresh, "drop_old": True})
        await other.documents.apply([(changed.document, changed.spec)], (), by="me")
        await until(lambda: at_head(one, other))
        assert _keys_of(one) == _keys_of(other) == {("default", "keys"): [fresh]}
    for another in (None, tmp_path / "another.key"):
        if another is not None:
            make_key_file(another)
        with pytest.raises(StartRefused, match="MESHWAY_MASTER_KEY_FILE"):
            async with replicas(urls, tmp_path, 1, master_key_file=another):
                pass


async def test_what_one_registry_did_not_get_told_the_next_one_tells(
    urls: Urls, postgres: Postgres, tmp_path: Path
) -> None:
    """The one that sends loses its database between an alert and its message; another takes over. Nothing is lost."""
    key = tmp_path / "master.key"
    make_key_file(key)
    shared = urls | {"master_key_file": key}
    async with listening() as hook, FaultProxy(postgres.port) as proxy:
        away = _through(proxy, postgres, shared)
        async with (
            running_registry(tmp_path / "one", **away) as first,
            running_registry(tmp_path / "two", **shared) as second,
        ):
            spec = {"webhook": {"url": hook.url}, "group_wait": "0s", "group_interval": "1s"}
            body = {"kind": "Receiver", "metadata": {"name": "oncall", "namespace": "shop"}, "spec": spec}
            answer = await second.call("PUT", "/v1/namespaces/shop/receivers/oncall", body)
            assert answer.status == 201, answer.json
            await until(lambda: len(first.core.view.documents.get("Receiver", {})) == 1)
            hook.answers = [500, 500]
            alert = firing(at=time.time())
            steps = [put_state(alert.id, alert.state, alert.updated_at, packed(alert))]
            await second.core.store.do([*steps, *second.core.watching.notifications.also([alert])])
            await until(lambda: len(hook.posted) >= 1, within_s=20.0)
            over = resolved(alert, time.time())
            steps = [put_state(over.id, over.state, over.updated_at, packed(over))]
            await second.core.store.do([*steps, *second.core.watching.notifications.also([over])])
            proxy.refuse()  # whoever of the two sent: only the second one has the database from here on
            await until(lambda: any(_states(each) == ["resolved"] for each in hook.posted), within_s=60.0)
    told = [_states(each) for each in hook.posted]
    assert told[0] == ["firing"]


def _states(posted: Posted) -> list[str]:
    return [alert["status"] for alert in posted.body["alerts"]]
