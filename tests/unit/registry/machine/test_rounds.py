"""Rounds of writing to followers: once for all that join, spread when they follow each other closely."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from registry.machine import turns
from registry.machine.rounds import AHEAD_S, MAX_REST_S, REST_S, Rounds

if TYPE_CHECKING:
    import pytest


def writes(written: list[int], number: int) -> bool:
    written.append(number)
    return False


async def turns_of_the_loop(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_first_change_leaves_in_the_next_turn_and_not_within_the_commit() -> None:
    rounds, written = Rounds(), list[int]()
    rounds.join(lambda: writes(written, 1))
    rounds.join(lambda: writes(written, 2))
    assert written == []
    for _ in range(3):
        await asyncio.sleep(0)
    assert written == [1, 2]


async def test_one_that_goes_on_waits_for_no_round() -> None:
    rounds, written = Rounds(), list[int]()
    for _ in range(1000):
        rounds.join(lambda: writes(written, 1))
    while len(written) < 1000:
        await asyncio.sleep(0)
    rounds.go_on(lambda: writes(written, 2))
    for _ in range(3):
        await asyncio.sleep(0)
    assert written[-1] == 2


async def test_commits_are_told_once_and_all_who_entered_are_asked_in_the_next_round() -> None:
    rounds, written = Rounds(), list[int]()
    asks = [lambda number=number: writes(written, number) for number in range(3)]
    for ask in asks:
        rounds.enter(ask)
    rounds.tell()
    rounds.tell()
    assert written == [], "within a commit nothing is written"
    await turns_of_the_loop(3)
    assert written == [0, 1, 2]
    rounds.leave(asks[1])
    rounds.tell()
    await turns_of_the_loop(3)
    assert written == [0, 1, 2, 0, 2]


async def test_who_is_told_in_the_midst_of_a_round_asks_all_once_more_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_S", 0.0)
    rounds, written = Rounds(), list[int]()
    for number in range(3):
        rounds.enter(lambda number=number: writes(written, number))  # type: ignore[misc]
    rounds.tell()
    while not written:
        await asyncio.sleep(0)
    for _ in range(3):
        rounds.tell()
    await turns_of_the_loop(20)
    assert written == [0, 1, 2, 0, 1, 2]


async def test_one_that_fails_holds_up_no_later_round(caplog: pytest.LogCaptureFixture) -> None:
    rounds, written = Rounds(), list[int]()

    def fails() -> bool:
        raise RuntimeError("a defect")

    rounds.enter(fails)
    rounds.enter(lambda: writes(written, 1))
    for _ in range(2):
        rounds.tell()
        await turns_of_the_loop(5)
    assert written == [1, 1]
    assert "a defect" in caplog.text


async def test_rounds_that_follow_closely_are_spread_the_wider_the_more_are_written_to() -> None:
    for count, rest_s in ((100, 100 * REST_S), (1000, MAX_REST_S)):
        rounds, loop = Rounds(), asyncio.get_running_loop()
        at_s = list[float]()
        done = asyncio.Event()
        wanted = int(3 * AHEAD_S / rest_s)

        def begin(
            rounds: Rounds = rounds, at_s: list[float] = at_s, done: asyncio.Event = done, wanted: int = wanted
        ) -> bool:
            at_s.append(asyncio.get_running_loop().time())
            if len(at_s) == wanted:
                done.set()
            else:
                for other in range(count):  # noqa: B023
                    rounds.join((lambda: False) if other else begin)
            return False

        begin()
        async with asyncio.timeout(5):
            await done.wait()
        assert loop.time() - at_s[0] >= (wanted - 2) * rest_s - AHEAD_S
        free = int(AHEAD_S / rest_s)
        assert at_s[free] - at_s[0] < AHEAD_S, "the first ones leave at once"
