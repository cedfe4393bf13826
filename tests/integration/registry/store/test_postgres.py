"""PostgreSQL as a store that several registries share."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from meshway.tasks import spawn
from registry.settings import StartRefused
from registry.store.interface import ChangeRecord, HeadMoved, Moves, OnceRecord, StoreGone, StoreUnavailable
from registry.store.postgres import connections, reading
from registry.store.postgres.address import shown
from registry.store.postgres.migrate import prepare
from registry.store.postgres.store import PostgresStore, open_postgres
from registry.store.tables.whole import WHOLE
from tests.parts.conditions import until
from tests.parts.postgres import Postgres, running_postgres
from tests.parts.store_records import batch, change, history, instance


async def test_the_migrations_make_exactly_the_tables(database_url: str) -> None:
    await prepare(database_url)

    def differences(connection: Connection) -> object:
        return compare_metadata(MigrationContext.configure(connection), WHOLE)

    engine = create_async_engine(database_url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_registries_that_start_at_once_migrate_once(database_url: str) -> None:
    await asyncio.gather(*(prepare(database_url) for _ in range(4)))
    await prepare(database_url, migrate=False)


async def test_another_schema_refuses_with_one_line(database_url: str) -> None:
    with pytest.raises(StartRefused, match="meshway registry migrate"):
        await prepare(database_url, migrate=False)
    await prepare(database_url)
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await connection.close()
    with pytest.raises(StartRefused, match="has schema 9999, this registry knows") as refused:
        await prepare(database_url)
    assert "\n" not in str(refused.value)


async def test_no_line_holds_the_password(postgres: Postgres) -> None:
    url = f"postgresql://me:s3cret@127.0.0.1:{postgres.port}/none"
    with pytest.raises(StartRefused) as refused:
        await prepare(url)
    assert "s3cret" not in str(refused.value)
    assert shown(url) == f"postgresql://127.0.0.1:{postgres.port}/none"
    for bad in ("mysql://me:s3cret@h/d", "postgresql://me:s3cret@h", "s3cret"):
        with pytest.raises(StartRefused, match="write postgresql://"):
            await prepare(bad)


async def test_of_two_who_judged_on_the_same_head_one_commits(database_url: str) -> None:
    async with open_postgres(database_url) as one, open_postgres(database_url) as other:
        epoch = (await one.load()).epoch
        assert (await other.load()).epoch == epoch
        done = await asyncio.gather(
            one.commit(batch(epoch, 0, 1, instances=[instance(1, "a")], changes=[change(1)])),
            other.commit(batch(epoch, 0, 1, instances=[instance(1, "b")], changes=[change(1)])),
            return_exceptions=True,
        )
        assert sorted(type(one).__name__ for one in done) == ["HeadMoved", "NoneType"]
        assert len((await one.load()).instances) == 1


async def test_the_same_key_at_two_registries_is_done_once(database_url: str) -> None:
    async with open_postgres(database_url) as one, open_postgres(database_url) as other:
        epoch = (await one.load()).epoch
        await other.load()
        await one.commit(batch(epoch, 0, 0, onces=[OnceRecord("k", b"f", 1.0, b"a")]))
        with pytest.raises(HeadMoved):
            await other.commit(batch(epoch, 0, 0, onces=[OnceRecord("k", b"f", 1.0, b"b")]))
        assert [record.answer for record in await other.onces(["k", "l"])] == [b"a"]


async def test_who_holds_the_head_commits_alone(database_url: str) -> None:
    async with open_postgres(database_url) as one, open_postgres(database_url) as other:
        epoch = (await one.load()).epoch
        await other.load()
        async with one.hold():
            late = spawn(other.commit(batch(epoch, 0, 1, changes=[change(1)])), name="late commit")
            assert (await one.moves(0)).changes == []
            await one.commit(batch(epoch, 0, 1, changes=[change(1)]))
            assert not late.done()
        with pytest.raises(HeadMoved):
            await late
        moves = await other.moves(0)
        assert (moves.revision, moves.changes) == (1, [change(1)])
        with pytest.raises(StoreUnavailable):
            await hold_and_fail(other, epoch)
        assert (await one.moves(1)).revision == 1


async def test_what_is_committed_between_head_and_log_comes_with_the_next_look(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the view is at a revision with an older number of instances, and two registries give one number twice."""
    async with open_postgres(database_url) as one, open_postgres(database_url) as other:
        epoch = (await one.load()).epoch
        await other.load()
        await one.commit(batch(epoch, 0, 1, changes=[change(1)]))
        read = reading.whole_revisions

        async def read_late(*arguments: Any) -> list[ChangeRecord]:
            monkeypatch.setattr("registry.store.postgres.store.whole_revisions", read)
            await one.commit(batch(epoch, 1, 2, changes=[change(2)]))
            return await read(*arguments)

        monkeypatch.setattr("registry.store.postgres.store.whole_revisions", read_late)
        moves = await other.moves(0)
        assert (moves.revision, moves.instance_number, moves.changes) == (1, 1, [change(1)])
        moves = await other.moves(1)
        assert (moves.revision, moves.instance_number, moves.changes) == (2, 2, [change(2)])


async def test_a_commit_wakes_the_others(database_url: str) -> None:
    async with open_postgres(database_url) as one, open_postgres(database_url) as other:
        epoch = (await one.load()).epoch
        heard: list[int] = []
        other.on_wake(heard.append)
        assert await other.lead("x")  # its session is open, so it listens
        await one.commit(batch(epoch, 0, 1, changes=[change(1)]))
        await until(lambda: heard == [1])


async def test_one_of_three_leads_and_another_follows_when_it_is_gone(database_url: str) -> None:
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(open_postgres(database_url)) for _ in range(2)]
        async with open_postgres(database_url) as leader:
            assert await leader.lead("sweep")
            assert [await store.lead("sweep") for store in stores] == [False, False]
            assert await stores[1].lead("retention")
            assert await leader.lead("sweep")
        assert await stores[0].lead("sweep")
        assert not await stores[1].lead("sweep")


async def test_who_lost_its_session_does_not_believe_that_it_leads(database_url: str) -> None:
    async with open_postgres(database_url) as one, open_postgres(database_url) as other:
        assert await one.lead("sweep")
        connection = await asyncpg.connect(database_url)
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'meshway session' "
            "AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')"
        )
        await connection.close()
        assert await other.lead("sweep")
        assert not await one.lead("sweep")
        await until(lambda: one._session._link.is_open)  # it has come back, and knows better than to claim it
        assert not await one.lead("sweep")


async def test_nobody_leads_what_a_registry_holds_off(database_url: str) -> None:
    async with AsyncExitStack() as stack:
        leader, other = [await stack.enter_async_context(open_postgres(database_url)) for _ in range(2)]
        assert await leader.lead("sweep")
        async with open_postgres(database_url) as gone:
            assert [await gone.hold_off("sweep"), await other.hold_off("sweep")] == [True, True]
            assert not await leader.lead("sweep")
            assert await leader.lead("retention")
            assert await other.hold_off("sweep")
            await other.let_go("sweep")
            assert not await leader.lead("sweep")
        async with asyncio.timeout(5):  # the server ends the session in its own time
            while not (await leader.lead("sweep") or leader.abandoned("sweep")):
                await asyncio.sleep(0.01)
        await leader.forget_abandoned("sweep")
        assert await leader.lead("sweep")
        await other.let_go("sweep")
        assert await leader.hold_off("sweep")
        assert not await leader.lead("sweep")


async def test_a_hold_whose_session_is_lost_is_abandoned_and_one_that_is_let_go_is_not(
    postgres: Postgres, database_url: str
) -> None:
    async with open_postgres(database_url) as leader, open_postgres(database_url) as other:
        assert await leader.lead("sweep")
        async with open_postgres(database_url) as gone:
            assert await gone.hold_off("sweep")
            assert not await leader.lead("sweep")
            assert not leader.abandoned("sweep")
        await until(lambda: not _has_veto(postgres, database_url), what="its session has ended")
        assert not await leader.lead("sweep")
        assert leader.abandoned("sweep")
        assert await other.hold_off("sweep")
        await leader.forget_abandoned("sweep")
        await other.let_go("sweep")
        assert not await leader.lead("sweep"), "while somebody holds it off nothing is forgotten"
        await leader.forget_abandoned("sweep")
        assert await leader.lead("sweep")
        assert not leader.abandoned("sweep")
        assert await other.hold_off("sweep")
        other._session._link.drop()
        await until(lambda: not _has_veto(postgres, database_url), what="its session has ended")
        assert not await leader.lead("sweep")
        await other.let_go("sweep")  # it has come back before anybody missed it, and has nothing to tell
        assert await leader.lead("sweep")


def _has_veto(postgres: Postgres, url: str) -> bool:
    return (
        postgres.sql(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND mode = 'ShareLock' "
            f"AND database = (SELECT oid FROM pg_database WHERE datname = '{url.rpartition('/')[2]}')"
        )
        != "0"
    )


async def test_what_is_shared_is_led_by_nobody_and_what_is_led_is_not_shared(database_url: str) -> None:
    async with AsyncExitStack() as stack:
        alone, one, other = [await stack.enter_async_context(open_postgres(database_url)) for _ in range(3)]
        assert [await one.share("x"), await other.share("x"), await one.share("x")] == [True, True, True]
        assert not await alone.lead("x")
        assert await alone.lead("y")
        assert not await one.share("y")
        await one.close()
        assert not await alone.lead("x")
        await other.close()
        async with asyncio.timeout(5):  # the server ends the sessions in its own time
            while not await alone.lead("x"):
                await asyncio.sleep(0.01)


async def test_a_server_that_goes_and_comes_is_found_again() -> None:
    with running_postgres() as server:
        url = server.new_database()
        async with open_postgres(url) as store:
            epoch = (await store.load()).epoch
            server.stop()
            with pytest.raises(StoreGone):
                await store.commit(batch(epoch, 0, 1, changes=[change(1)]))
            assert "does not answer" in str(store.missing())
            with pytest.raises(StoreUnavailable):
                await store.changes(1, 10)
            assert not await store.lead("sweep")
            server.start()
            assert (await moves_soon(store)).revision == 0
            assert "does not answer" in str(store.missing()), "it reads, and a write was not taken"
            await store.commit(batch(epoch, 0, 1, changes=[change(1)]))
            assert store.missing() is None


async def test_a_new_connection_is_not_trusted_before_the_log_was_compared() -> None:
    with running_postgres() as server:
        url = server.new_database()
        async with open_postgres(url) as store:
            epoch = (await store.load()).epoch
            store._connections.committing.drop()
            with pytest.raises(HeadMoved):
                await store.commit(batch(epoch, 0, 1, changes=[change(1)]))
            await store.moves(0)
            await store.commit(batch(epoch, 0, 1, changes=[change(1)]))


async def hold_and_fail(store: PostgresStore, epoch: str) -> None:
    """A good batch and a bad one while the head is held: none of both is kept."""
    async with store.hold():
        await store.commit(batch(epoch, 1, 2, changes=[change(2)]))
        await store.commit(batch(epoch, 2, 3, changes=[change(2)]))


async def moves_soon(store: PostgresStore) -> Moves:
    """The store's moves once the server is back; it is asked again and again, as a registry does."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await store.moves(0)
            except StoreGone:
                await asyncio.sleep(0.05)


async def test_a_head_that_cannot_be_locked_leaves_no_transaction_behind(postgres: Postgres, database_url: str) -> None:
    """As where the database has a lock_timeout of its own."""
    postgres.sql(f"ALTER DATABASE {database_url.rpartition('/')[2]} SET lock_timeout = '100ms'")
    async with open_postgres(database_url) as store:
        epoch = (await store.load()).epoch
        other = await asyncpg.connect(database_url)
        async with other.transaction():
            await other.execute("SELECT id FROM head FOR UPDATE")
            with pytest.raises(StoreUnavailable, match="lock timeout"):
                async with store.hold():
                    pytest.fail("somebody else holds it")
        await other.close()
        assert (await store.moves(0)).revision == 0
        await store.commit(batch(epoch, 0, 1, changes=[change(1)]))


async def test_readers_that_hang_hold_up_nobody_for_long(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_READER_WAIT_S", 0.2)
    async with open_postgres(database_url) as store:
        await store.load()
        other = await asyncpg.connect(database_url)
        async with other.transaction():
            await other.execute("LOCK TABLE changes IN ACCESS EXCLUSIVE MODE")
            hanging = [spawn(store.changes(1, 10), name="reader") for _ in range(connections.READERS)]
            await until(store._connections.free.empty)
            async with asyncio.timeout(2):
                with pytest.raises(StoreUnavailable, match="readers are busy"):
                    await store.changes(1, 10)
        assert await asyncio.gather(*hanging) == [[], [], []]
        assert await store.changes(1, 10) == []
        await other.close()


async def test_what_reads_or_clears_a_whole_table_has_more_time(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.store.postgres.link.ANSWER_S", 0.3)
    async with open_postgres(database_url) as store:
        loaded = await store.load()
        await store.commit(batch(loaded.epoch, 0, 1, changes=[change(1)]))
        seen = await store.moves(0)
        other = await asyncpg.connect(database_url)

        locked = asyncio.Event()

        async def slow(table: str) -> None:
            async with other.transaction():
                await other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
                locked.set()
                await asyncio.sleep(0.6)  # the time itself is what is tested
            locked.clear()

        blocked = spawn(slow("instances"), name="slow table")
        await locked.wait()
        assert (await store.load()).revision == 1
        await blocked
        blocked = spawn(slow("changes"), name="slow table")
        await locked.wait()
        assert await store.begin_epoch(seen, epoch="e2", revision=2, instance_number=0)
        await blocked
        await other.close()


async def test_the_beginning_of_the_history_never_goes_back_where_two_forget_at_once(
    postgres: Postgres, database_url: str
) -> None:
    """As when the one that led was slow, and another leads by now."""
    async with open_postgres(database_url) as one, open_postgres(database_url) as other:
        epoch = (await one.load()).epoch
        states = [history(at, "r") for at in range(1, 41)]
        await one.commit(batch(epoch, 0, 40, changes=[change(at) for at in range(1, 41)], history=states))
        # The slow one has read where the history begins, and waits for the head.
        head = await asyncpg.connect(database_url)
        held = head.transaction()
        await held.start()
        await head.execute("SELECT 1 FROM head FOR UPDATE")
        slow = spawn(one.forget_history(2.0, 10), name="slow")
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE head%'"
        await until(lambda: postgres.sql(waits) == "1")
        await head.execute("UPDATE head SET history_from = 30")
        await held.commit()
        await head.close()
        assert await slow > 0, "there may be more"
        assert await one.history_from() == 30
        while await other.forget_history(2.0, 10):
            pass
        assert await other.history_from() == 40
