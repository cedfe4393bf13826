"""One timer a connection."""

import asyncio

from registry.machine.deadline import Deadline
from tests.parts.conditions import until


async def test_it_ends_once_and_not_before_the_moment_set_last() -> None:
    loop = asyncio.get_running_loop()
    ends: list[float] = []
    deadline = Deadline(loop, lambda: ends.append(loop.time()))
    begun = loop.time()
    deadline.within(0.01)
    deadline.within(0.08)
    await until(lambda: ends)
    assert ends[0] - begun >= 0.075
    await asyncio.sleep(0.02)
    assert len(ends) == 1


async def test_a_nearer_moment_takes_the_place_of_a_later_one() -> None:
    ends: list[int] = []
    deadline = Deadline(asyncio.get_running_loop(), lambda: ends.append(1))
    deadline.within(60)
    deadline.within(0.01)
    await until(lambda: ends, within_s=2)


async def test_none_and_stop_end_nothing() -> None:
    ends: list[int] = []
    for end in (Deadline.none, Deadline.stop):
        deadline = Deadline(asyncio.get_running_loop(), lambda: ends.append(1))
        deadline.within(0.01)
        end(deadline)
    await asyncio.sleep(0.05)
    assert ends == []
