"""What all registries on one PostgreSQL say alike."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from registry.store.postgres import session
from registry.store.postgres.store import PostgresStore, open_postgres
from tests.parts.conditions import until
from tests.parts.postgres import Postgres


async def agrees_soon(store: PostgresStore, what: str, said: str) -> None:
    """The server ends others' sessions in its own time."""
    async with asyncio.timeout(10):
        while not await store.agree(what, said):
            await asyncio.sleep(0.02)


async def test_whoever_says_another_thing_is_refused_while_one_says_the_first(database_url: str) -> None:
    async with AsyncExitStack() as stack:
        one, other = [await stack.enter_async_context(open_postgres(database_url)) for _ in range(2)]
        async with open_postgres(database_url) as gone:
            assert [await gone.agree("place", "a"), await one.agree("place", "a")] == [True, True]
            assert [await other.agree("place", "b"), await one.agree("place", "a")] == [False, True]
            assert await other.agree("weather", "b")
            assert await one.agree("place", "b") is False  # gone says the first one still; one says nothing now
        await agrees_soon(other, "place", "b")
        await agrees_soon(one, "place", "b")
        assert await one.agree("place", "a") is False


async def test_of_many_that_say_different_things_at_once_no_two_are_believed(database_url: str) -> None:
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(open_postgres(database_url)) for _ in range(4)]
        for _ in range(20):
            believed = await asyncio.gather(*(store.agree("place", f"p{at}") for at, store in enumerate(stores)))
            assert believed.count(True) <= 1
            await asyncio.gather(*(store.agree("place", "all") for store in stores))
            async with asyncio.timeout(10):
                while not all([await store.agree("place", "all") for store in stores]):
                    pass


async def test_who_lost_its_session_is_refused_when_another_came(postgres: Postgres, database_url: str) -> None:
    async with open_postgres(database_url) as one, open_postgres(database_url) as other:
        assert await one.agree("place", "a")
        postgres.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted "
            f"AND database = (SELECT oid FROM pg_database WHERE datname = '{database_url.rpartition('/')[2]}')"
        )
        await agrees_soon(other, "place", "b")
        await until(lambda: one._session._link.is_open)
        assert await one.agree("place", "a") is False


async def test_without_a_database_nothing_is_known() -> None:
    store = PostgresStore("postgresql://meshway@127.0.0.1:1/none")
    assert await store.agree("place", "a") is None
    await store.close()


async def test_a_question_that_fails_half_way_leaves_no_lock_behind(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_postgres(database_url) as one, open_postgres(database_url) as other:
        with monkeypatch.context() as broken:
            broken.setattr(session, "_OTHERS_SAY", "SELECT 1 / 0 WHERE $1::int8 <> $2::int8")
            assert await one.agree("place", "a") is None
        await agrees_soon(other, "place", "b")
