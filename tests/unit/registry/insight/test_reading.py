import asyncio
import random
import tracemalloc
from collections.abc import Sequence
from itertools import pairwise

import pytest

from meshway.tasks import spawn
from meshway.telemetry import Row
from registry.insight import reading
from registry.insight.packing import pack
from registry.insight.pieces import finest_step_s, pieces_of
from registry.insight.rolling import KEPT_S
from registry.insight.series import Drawing
from registry.store.insight import PointKey, point_value
from registry.store.interface import StoreUnavailable
from registry.store.steps import Row as StoredRow
from registry.store.steps import Step
from tests.parts.conditions import until

NOW = 1_800_000_000.0
KEPT = {step_s: float(kept_s) for step_s, kept_s in KEPT_S.items()}


def test_a_span_is_cut_into_the_longest_steps_that_fit() -> None:
    first = NOW - 3_000
    pieces = pieces_of(first + 30, first + 630, NOW, 3_600, KEPT)
    assert [(piece.step_s, piece.end - piece.first) for piece in pieces] == [(10, 30), (60, 540), (10, 30)]


def test_no_step_is_longer_than_was_asked() -> None:
    assert {piece.step_s for piece in pieces_of(NOW - 3_000, NOW, NOW, 10, KEPT)} == {10}


def test_what_is_kept_by_the_hour_only_is_told_by_the_hour() -> None:
    assert finest_step_s(NOW - 600, NOW, KEPT) == 10
    assert finest_step_s(NOW - 7_200, NOW, KEPT) == 60
    assert finest_step_s(NOW - 400_000, NOW, KEPT) == 3_600


def test_pieces_cover_the_span_without_gap_and_overlap() -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(2_000):
        now = NOW + chance.uniform(0, 7_200)
        first = now - chance.choice((1_000, 100_000, 3_000_000)) * chance.random()
        end = first + chance.uniform(1, 100_000)
        coarsest_s = chance.choice((10, 60, 3_600))
        pieces = pieces_of(first, end, now, coarsest_s, KEPT)
        if coarsest_s >= finest_step_s(first, now, KEPT):
            assert pieces[0].first <= first < pieces[0].first + 3_600
            assert pieces[-1].end >= end > pieces[-1].end - 3_600
        for piece in pieces:
            assert piece.first % piece.step_s == 0 == piece.end % piece.step_s
            assert piece.first < piece.end
        assert all(a.end == b.first for a, b in pairwise(pieces))


class SlowStore:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.goes_on = asyncio.Event()
        self.asked = 0

    async def read(self, steps: Sequence[Step]) -> list[list[StoredRow]]:
        self.asked += 1
        await self.goes_on.wait()
        return [[] for _ in steps]

    async def do(self, steps: Sequence[Step]) -> list[list[StoredRow]]:
        raise AssertionError("nothing is written")

    async def close(self) -> None: ...


async def test_not_many_questions_are_worked_on_at_once_and_who_waits_too_long_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "_TURN_S", 0.05)
    store = SlowStore()
    asked = reading.Reading(store, lambda: NOW)
    two = [spawn(asked.rows("edges", NOW - 60, NOW), name="question") for _ in range(2)]
    await until(lambda: store.asked == 2)
    with pytest.raises(StoreUnavailable, match="too much is asked at once"):
        await asked.each("edges", NOW - 60, NOW, 10, lambda at, rows: None)
    store.goes_on.set()
    assert await asyncio.gather(*two) == [{}, {}]
    heard: list[int] = []
    await asked.each("edges", NOW - 60, NOW, 10, lambda at, rows: heard.append(at))
    assert heard == []


class LongStore(SlowStore):
    """Points by the minute, forty of them, the last first; all say the same."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on.set()
        rows = [Row((f"shop/{n}", "shop/cart"), 1, buckets=dict.fromkeys(range(100, 160), 300)) for n in range(60)]
        self.value = pack(rows)
        self.keys = [(60, int(NOW) - 86_400 + 60 * n, "edges", "p") for n in range(40, 0, -1)]

    async def read(self, steps: Sequence[Step]) -> list[list[StoredRow]]:
        if [step.query for step in steps] == [point_value(PointKey(60, 0, "edges", "p")).query]:
            return [[(self.value,)]]
        return [list(self.keys), *([] for _ in steps[1:])]


@pytest.mark.parametrize("is_series", [True, False])
async def test_a_long_span_is_read_piece_by_piece(monkeypatch: pytest.MonkeyPatch, *, is_series: bool) -> None:
    monkeypatch.setattr(reading, "_MOST_POINTS", 10_000)
    asked = reading.Reading(LongStore(), lambda: NOW)
    steps = range(int(NOW) - 86_400, int(NOW), 600)
    drawing = Drawing("calls", "total", steps, now=NOW)
    tracemalloc.start()
    try:
        if is_series:
            await asked.stepped("edges", steps, NOW, 60, "total", lambda _: ("total",), drawing.add)
            assert sum(point or 0 for point in drawing.told().lines[0].points) == 40 * 60
        else:
            assert sum(row.calls for row in (await asked.rows("edges", NOW - 86_400, NOW)).values()) == 40 * 60
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20, "all of it is 14 MB"


async def test_what_is_heard_is_in_the_order_of_time() -> None:
    heard: list[int] = []
    store = LongStore()
    await reading.Reading(store, lambda: NOW).each("edges", NOW - 86_400, NOW, 60, lambda at, rows: heard.append(at))
    assert heard == sorted(at for _, at, _, _ in store.keys)


async def test_who_asks_for_the_same_at_the_same_moment_has_it_counted_once() -> None:
    asked = reading.Reading(LongStore(), lambda: NOW)
    steps = range(int(NOW) - 86_400, int(NOW), 600)
    counted = 0

    def total(_: tuple[str, ...]) -> tuple[str, ...]:
        nonlocal counted
        counted += 1
        return ("total",)

    async def ask() -> int:
        calls: list[int] = []
        await asked.stepped("edges", steps, NOW, 60, "total", total, lambda _, rows: calls.append(rows["total",].calls))
        return sum(calls)

    assert list(await asyncio.gather(ask(), ask())) == [40 * 60] * 2
    assert counted == 40 * 60
