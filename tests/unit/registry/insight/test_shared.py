import asyncio
from collections.abc import Awaitable, Callable

import pytest

from registry.insight.shared import Shared


class Work:
    """Something that takes until it is let go, and counts how often it was begun."""

    def __init__(self) -> None:
        self.begun = 0
        self.go = asyncio.Event()
        self.fails = False

    async def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        await self.go.wait()
        if self.fails:
            raise RuntimeError("away")
        return number


def shared_at(clock: list[float]) -> Shared[int]:
    return Shared(lambda: clock[0], 2.0)


async def gathered(shared: Shared[int], work: Callable[[], Awaitable[int]], *keys: str) -> list[object]:
    return list(await asyncio.gather(*(shared.get(key, work) for key in keys), return_exceptions=True))


async def test_all_who_ask_at_once_wait_for_one_and_later_ones_get_it_while_it_is_fresh() -> None:
    clock, work = [10.0], Work()
    shared = shared_at(clock)
    work.go.set()
    assert await gathered(shared, work, "a", "a", "a") == [1, 1, 1]
    clock[0] = 11.9
    assert await shared.get("a", work) == 1
    clock[0] = 12.0
    assert await shared.get("a", work) == 2
    assert await shared.get("b", work) == 3


async def test_a_failure_is_nobodys_but_his_who_asked_for_it() -> None:
    clock, work = [0.0], Work()
    shared = shared_at(clock)
    work.fails = True
    work.go.set()
    found = await gathered(shared, work, "a", "a")
    assert [type(each) for each in found] == [RuntimeError, RuntimeError]
    work.fails = False
    assert await shared.get("a", work) == 3


async def test_who_waits_goes_on_when_the_one_who_worked_it_out_has_gone() -> None:
    clock, work = [0.0], Work()
    shared = shared_at(clock)
    first = asyncio.ensure_future(shared.get("a", work))  # noqa: TID251  # ended by the test itself
    await asyncio.sleep(0)
    second = asyncio.ensure_future(shared.get("a", work))  # noqa: TID251
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    work.go.set()
    assert await second == 2


async def test_what_nobody_asks_for_any_more_is_not_kept() -> None:
    clock, work = [0.0], Work()
    shared = shared_at(clock)
    work.go.set()
    for key in ("a", "b", "c"):
        await shared.get(key, work)
    clock[0] = 5.0
    await shared.get("d", work)
    assert list(shared._kept) == ["d"]


async def test_the_dearer_it_was_the_longer_it_holds_so_that_a_twentieth_of_the_time_is_spent_on_it() -> None:
    clock, spent, begun = [0.0], [0.0], 0
    shared: Shared[int] = Shared(lambda: clock[0], 2.0, lambda: spent[0])

    async def work() -> int:
        nonlocal begun
        begun += 1
        spent[0] += 0.25
        return begun

    for number in range(3_000):  # five minutes, in which twenty ask every two seconds
        clock[0] = number / 10
        await shared.get("map", work)
    assert begun == 60, "every five seconds"
    assert spent[0] / 300 <= 1 / 20


async def test_however_dear_it_is_it_grows_no_older_than_ten_seconds() -> None:
    clock, spent, work = [0.0], [0.0], Work()
    shared: Shared[int] = Shared(lambda: clock[0], 2.0, lambda: spent[0])
    work.go.set()

    async def dear() -> int:
        spent[0] += 5.0
        return await work()

    for clock[0], number in ((0.0, 1), (9.9, 1), (10.0, 2)):
        assert await shared.get("map", dear) == number
