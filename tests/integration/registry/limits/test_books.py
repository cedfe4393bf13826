"""What every book of shared limits keeps to, in memory and in a real Redis, by its own clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from meshway.assignments.messages import Ask, Asks, Budget, Grant
from meshway.problem import Problem
from meshway.tasks import spawn
from registry.limits.books import Books, MemoryBooks
from registry.limits.redis import RedisBooks
from tests.parts.conditions import NeverTrueError
from tests.parts.valkey import Valkey

BUCKET = Budget(id="default/b@mesh", limit=40, rate=20.0)


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    server = Valkey(tmp_path_factory.mktemp("valkey"))
    yield server
    server.close()


@pytest.fixture(params=["memory", "redis"])
async def books(request: pytest.FixtureRequest, valkey: Valkey) -> AsyncIterator[Books]:
    if request.param == "memory":
        yield MemoryBooks(time.monotonic)
        return
    valkey.flush()
    books = RedisBooks(valkey.url)
    task = spawn(books.run(), name="book")
    await connected(books)
    yield books
    task.cancel()


async def connected(books: RedisBooks, within_s: float = 5.0) -> None:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            await ask_all(books, [])
        except Problem:
            await asyncio.sleep(0.02)
        else:
            return
    raise NeverTrueError("the book is there")


async def ask_all(books: Books, asks: list[Ask], budget: Budget = BUCKET, workers: int = 0) -> list[Grant]:
    granted = books.assign(Asks(node="gw", workers=1, budgets=(budget,), asks=tuple(asks)), workers)
    return await granted if isinstance(granted, asyncio.Future) else granted


async def ask_one(
    books: Books, want: int, by: str = "a", budget: Budget = BUCKET, workers: int = 0, **fields: int
) -> Grant:
    (grant,) = await ask_all(books, [Ask(budget=0, key="k", worker=by, want=want, **fields)], budget, workers)
    return grant


async def test_a_part_is_granted_and_half_of_the_rest_to_the_next(books: Books) -> None:
    first, second = await ask_one(books, 8), await ask_one(books, 100, by="b")
    assert (first.count, first.left, first.again_s, first.keep_s, first.mark) == (8, 32.0, 0.0, 5.0, 0)
    assert second.count == 8
    assert second.left == pytest.approx(24.0, abs=2.0)


async def test_held_is_not_filled_up_and_spent_is(books: Books) -> None:
    await ask_one(books, 20)
    await asyncio.sleep(0.2)  # the book's own clock has to go on
    assert (await ask_one(books, 0, held=20)).left == pytest.approx(20.0, abs=0.01)
    assert (await ask_one(books, 0, held=0)).left == pytest.approx(20.0, abs=0.2)
    await asyncio.sleep(0.2)
    assert (await ask_one(books, 0)).left == pytest.approx(24.0, abs=1.5)


async def test_what_is_given_back_is_there_again_but_only_what_was_held(books: Books) -> None:
    await ask_one(books, 20)
    assert (await ask_one(books, 0, held=5, back=10)).left == pytest.approx(30.0, abs=0.5)
    assert (await ask_one(books, 0, held=5, back=10)).left == pytest.approx(30.0, abs=0.5)
    assert (await ask_one(books, 0, by="stranger", back=10)).left == pytest.approx(30.0, abs=1.0)


async def test_in_sum_never_more_is_granted_than_a_strict_bucket_allows_and_nearly_all_of_it(books: Books) -> None:
    began = time.monotonic()
    granted = 0
    while time.monotonic() - began < 0.8:
        grants = [await ask_one(books, 5, by=by) for by in "abc"]
        granted += sum(grant.count for grant in grants)
        await asyncio.sleep(0.02)
    allowed = BUCKET.limit + BUCKET.rate * (time.monotonic() - began)
    assert 0.85 * allowed <= granted <= allowed


async def test_an_empty_book_says_when_to_ask_again(books: Books) -> None:
    small = Budget(id="small", limit=1, rate=4.0)
    assert (await ask_one(books, 1, budget=small)).count == 1
    empty = await ask_one(books, 1, budget=small)
    assert [empty.count, empty.left] == pytest.approx([0, 0.0], abs=0.1)
    assert 0.15 <= empty.again_s <= 0.25
    assert empty.reset_s == pytest.approx(0.25, abs=0.06)
    await asyncio.sleep(empty.again_s + 0.02)
    assert (await ask_one(books, 1, budget=small)).count == 1


async def test_what_workers_may_borrow_is_kept_back(books: Books) -> None:
    assert (await ask_one(books, 0, workers=5)).left == pytest.approx(30.0)


async def test_a_window_counts_what_is_granted_until_it_has_left(books: Books) -> None:
    window = Budget(id="window", kind="window", limit=6, rate=6.0, window_s=1.0, segments=4)
    began = time.monotonic()
    counts, grants = 0, []
    while counts < 6:
        assert time.monotonic() - began < 1.0
        grants.append(await ask_one(books, 6, budget=window))
        counts += grants[-1].count
    full = await ask_one(books, 6, budget=window)
    assert (full.count, full.left) == (0, 0.0)
    assert 0.0 < full.again_s <= 1.0
    assert all(0.0 <= grant.keep_s <= 0.25 for grant in grants)
    assert (await ask_one(books, 0, budget=window, back=1, mark=grants[0].mark)).left == 1.0
    assert (await ask_one(books, 1, budget=window)).count == 1
    deadline = began + 1.0
    while not (again := await ask_one(books, 1, budget=window)).count:
        assert time.monotonic() < began + 2.0
        await asyncio.sleep(0.02)
    assert time.monotonic() >= deadline - 0.02, "no call leaves before a whole window has passed"
    assert again.mark >= grants[0].mark + 4


async def test_the_asks_of_a_body_are_answered_in_order(books: Books) -> None:
    asks = [Ask(budget=0, key=key, worker="a", want=want) for key, want in (("x", 3), ("y", 1), ("x", 2))]
    assert [grant.count for grant in await ask_all(books, asks)] == [3, 1, 2]


async def test_a_redis_that_is_gone_refuses_at_once_and_is_found_again(tmp_path: Path) -> None:
    server = Valkey(tmp_path)
    books = RedisBooks(server.url)
    with pytest.raises(Problem) as refused:
        await ask_one(books, 1)
    assert (refused.value.status, refused.value.code) == (503, "limits_unavailable")
    task = spawn(books.run(), name="book")
    try:
        await connected(books)
        assert (await ask_one(books, 1)).count == 1
        server.kill()
        with pytest.raises(Problem):
            await ask_one(books, 1)
        with pytest.raises(Problem):
            await ask_one(books, 1)
        server.start()
        await connected(books)
        assert (await ask_one(books, 1)).left == 39.0, "a new Redis begins with full limits"
    finally:
        task.cancel()
        server.close()


async def test_several_registries_over_one_redis_keep_one_book(valkey: Valkey) -> None:
    valkey.flush()
    all_books = [RedisBooks(valkey.url) for _ in range(2)]
    tasks = [spawn(books.run(), name="book") for books in all_books]
    try:
        for books in all_books:
            await connected(books)
        asked = [ask_one(all_books[number % 2], 5, by=f"w{number}") for number in range(40)]
        granted = sum(grant.count for grant in await asyncio.gather(*asked))
        assert 38 <= granted <= 42
    finally:
        for task in tasks:
            task.cancel()


async def test_what_a_dead_worker_held_makes_room_only_from_its_end_on(books: Books) -> None:
    slow = Budget(id="slow", limit=40, rate=5.0)
    await ask_one(books, 20, budget=slow)
    held = await ask_one(books, 5, budget=slow, held=20)
    assert (held.count, held.keep_s) == (5, 0.2)
    await asyncio.sleep(held.keep_s + 0.8 + 0.3)
    # Up to its end the bucket was full; had it been filled all the while, 6.5 would have come.
    assert (await ask_one(books, 0, by="b", budget=slow)).left == pytest.approx(16.5, abs=1.0)


async def test_a_period_is_granted_once_and_the_next_one_anew(books: Books) -> None:
    day = Budget(id="day", kind="period", limit=6, rate=1.0, window_s=86_400.0, period=20261127)
    first = await ask_one(books, 6, budget=day)
    assert (first.count, first.left, first.mark, first.keep_s) == (3, 3.0, 20261127, 0.2)
    while (await ask_one(books, 6, budget=day, held=0)).count:
        pass
    spent = await ask_one(books, 1, budget=day)
    assert (spent.count, spent.left, spent.again_s) == (0, 0.0, 1.0)
    assert (await ask_one(books, 6, budget=replace(day, period=20261128))).count == 3


async def test_the_last_calls_of_a_period_are_told_of_while_others_hold_them(books: Books) -> None:
    day = Budget(id="last", kind="period", limit=3, rate=1.0, window_s=86_400.0, period=1)
    assert (await ask_one(books, 1, budget=day)).left == 2.0
    last = await ask_one(books, 2, budget=day, held=1)
    assert (last.count, last.others) == (1, 0), "what it holds itself is not meant"
    assert (await ask_one(books, 1, by="c", budget=day)).count == 1
    assert (await ask_one(books, 0, by="c", budget=day)).others == 2
    refused = await ask_one(books, 1, by="b", budget=day)
    assert (refused.count, refused.others, refused.again_s) == (0, 2, 0.05)
    assert (await ask_one(books, 3, by="b", budget=day, least=3)).again_s == 1.0, "they would not do"
    assert (await ask_one(books, 0, budget=day, back=2)).left == 2.0
    assert (await ask_one(books, 1, by="b", budget=day)).count == 1


async def test_what_is_given_back_of_a_period_is_there_again(books: Books) -> None:
    day = Budget(id="back", kind="period", limit=8, rate=1.0, window_s=86_400.0, period=1)
    assert (await ask_one(books, 4, budget=day)).count == 4
    assert (await ask_one(books, 0, budget=day, held=1, back=3)).left == 7.0
    assert (await ask_one(books, 0, budget=day, held=1, back=3)).left == 7.0, "it held no more than one beside"


async def test_places_of_running_calls_come_back_by_being_told(books: Books) -> None:
    places = Budget(id="places", kind="running", limit=4, rate=1.0)
    first, second = await ask_one(books, 2, budget=places), await ask_one(books, 9, by="b", budget=places)
    assert (first.count, second.count, second.left) == (2, 1, 1.0)
    assert (await ask_one(books, 9, by="b", budget=places, held=1)).count == 1
    full = await ask_one(books, 1, by="c", budget=places)
    assert (full.count, full.left, full.again_s) == (0, 0.0, 0.005)
    assert (await ask_one(books, 0, budget=places, held=0)).left == 2.0
    assert (await ask_one(books, 1, by="c", budget=places)).count == 1


async def test_a_worker_that_runs_more_than_the_book_knows_is_believed(books: Books) -> None:
    places = Budget(id="claimed", kind="running", limit=4, rate=1.0)
    assert (await ask_one(books, 0, budget=places, held=4)).left == 0.0
    assert (await ask_one(books, 1, by="b", budget=places)).count == 0


@pytest.mark.parametrize("kind", ["bucket", "window", "period", "running"])
async def test_too_few_are_not_granted_where_they_are_of_no_use(books: Books, kind: str) -> None:
    budget = Budget(id=kind, kind=kind, limit=10, rate=0.1, window_s=100.0, segments=10)  # type: ignore[arg-type]
    assert (await ask_one(books, 9, budget=budget, least=8)).count == 8
    refused = await ask_one(books, 9, by="b", budget=budget, least=8)
    assert (refused.count, refused.left) == pytest.approx((0, 2.0), abs=0.3)
    assert refused.again_s > 0.0
    assert (await ask_one(books, 1, by="c", budget=budget)).count == 1
