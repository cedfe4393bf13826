"""Turns of writing: pieces of all who have something to be told, and the loop between them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from registry.machine.turns import TURN_S, Turns
from tests.parts.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable


def writer(name: str, pieces: int, written: list[str], clock: ManualClock, piece_s: float) -> Callable[[], bool]:
    left = [pieces]

    def write() -> bool:
        written.append(name)
        clock.now_s += piece_s
        left[0] -= 1
        return left[0] > 0

    return write


async def test_all_get_a_piece_before_anybody_gets_a_second_one() -> None:
    clock, written = ManualClock(), list[str]()
    turns = Turns(clock)
    turns.join([writer("a", 3, written, clock, 0.0), writer("b", 1, written, clock, 0.0)])
    turns.join([writer("c", 2, written, clock, 0.0)])
    assert written == [], "within a commit nothing is written"
    await asyncio.sleep(0)
    assert written == ["a", "b", "c", "a", "c", "a"]


async def test_between_turns_the_loop_serves_others() -> None:
    clock, written = ManualClock(), list[str]()
    turns = Turns(clock)
    turns.join([writer("long", 20, written, clock, TURN_S / 2)])
    seen = []
    while len(written) < 20:
        await asyncio.sleep(0)
        seen.append(len(written))
    assert seen == [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]


async def test_one_that_fails_takes_nobody_with_it(caplog: pytest.LogCaptureFixture) -> None:
    clock, written = ManualClock(), list[str]()
    turns = Turns(clock)

    def fails() -> bool:
        raise RuntimeError("a defect")

    turns.join([fails, writer("other", 2, written, clock, 0.0)])
    for _ in range(3):
        await asyncio.sleep(0)
    assert written == ["other", "other"]
    assert "a defect" in caplog.text
    turns.join([writer("later", 1, written, clock, 0.0)])
    await asyncio.sleep(0)
    assert written[-1] == "later"
