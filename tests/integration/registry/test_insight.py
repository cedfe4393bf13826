"""Numbers of calls on both stores: each report counts once, in its own time, whatever is rolled up meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from meshway.histogram import bucket_of
from meshway.problem import Problem
from meshway.tasks import spawn
from meshway.telemetry import EDGES, INSTANCES, Numbers, Row, Rows, summed
from registry.insight.ingest import Ingest
from registry.insight.reading import Reading
from registry.insight.rolling import KEPT_S, Rolling
from registry.store.insight import InsightStore, PointKey, point_value, report_value, sizes
from registry.store.insight_file import InsightFile
from registry.store.postgres.insight import PostgresInsight
from registry.store.postgres.migrate import prepare
from registry.store.steps import Row as StoredRow
from registry.store.steps import Step
from tests.parts.clock import ManualClock

BEGIN = 1_800_000_000.0


@pytest.fixture(params=["sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[InsightStore]:
    found: InsightStore
    if request.param == "sqlite":
        found = InsightFile(tmp_path)
    else:
        url = request.getfixturevalue("database_url")
        await prepare(url)
        found = PostgresInsight(url)
    yield found
    await found.close()


class Watched(InsightFile):
    """values: what the numbers themselves were read of, as often as they were."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.values: list[object] = []

    async def read(self, steps: Sequence[Step]) -> list[list[StoredRow]]:
        values = {point_value(PointKey(0, 0, "", "")).query, report_value("", "", 0).query}
        self.values += [step.values for step in steps if step.query in values]
        return await super().read(steps)


async def always() -> bool:
    return True


class Kept:
    """The parts over one store, in a time that the test moves."""

    def __init__(self, store: InsightStore, *, read: InsightStore | None = None, **rolling: Any) -> None:
        """read: the same store, by which numbers are read alone."""
        self.clock = ManualClock(BEGIN)
        self.reading = Reading(read or store, self.clock)
        self.ingest = Ingest(store, lambda key: "v1" if key[2] == "a" else "", self.clock, self.reading.heard)
        self.rolling = Rolling(store, always, self.clock, **rolling)
        self._boots: Counter[str] = Counter()

    async def __aenter__(self) -> Kept:
        self._task = spawn(self.ingest.run(), name="reports of numbers")
        return self

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    def report(self, calls: int, *, at: float, node: str = "gw-1", failed: int = 0, seconds: float = 0.01) -> Numbers:
        self._boots[node] += 1
        buckets = {bucket_of(seconds): calls}
        return Numbers(
            node=node,
            boot=f"boot-of-{node}",
            sequence=self._boots[node],
            begun=at - 1.0,
            ended=at + 1.0,
            edges=(Row(("shop/web", "shop/cart"), calls, failed, seconds=calls * seconds, buckets=buckets),),
            instances=(Row(("shop/cart", "a"), calls, failed, seconds=calls * seconds, buckets=buckets),),
        )

    async def moved(self, first: float, end: float) -> Row:
        """From what was known when it was asked last."""
        rows = await self.reading.counted(EDGES, first, end, "service", lambda key: (key[1],))
        return summed(rows.values())

    async def counted(self, first: float, end: float, section: str = EDGES) -> Row:
        return summed((await self.reading.rows(section, first, end)).values())


async def test_a_report_that_is_sent_again_counts_once(store: InsightStore) -> None:
    async with Kept(store) as kept:
        report = kept.report(7, at=BEGIN)
        await asyncio.gather(kept.ingest.take(report), kept.ingest.take(report))
        await kept.ingest.take(report)
        assert (kept.ingest.reports, kept.ingest.doubled) == (1, 2)
        assert (await kept.counted(BEGIN - 60, BEGIN + 60)).calls == 7
        kept.clock.advance(30)
        await kept.rolling.turn()
        await kept.ingest.take(report)  # its rows are in a point by now
        assert (await kept.counted(BEGIN - 60, BEGIN + 60)).calls == 7


async def test_two_registries_count_a_report_once(store: InsightStore) -> None:
    async with Kept(store) as one, Kept(store) as other:
        report = one.report(3, at=BEGIN)
        await asyncio.gather(one.ingest.take(report), other.ingest.take(report))
        assert one.ingest.reports + other.ingest.reports == 1
        assert (await one.counted(BEGIN - 60, BEGIN + 60)).calls == 3


async def test_an_instance_keeps_the_version_it_had(store: InsightStore) -> None:
    async with Kept(store) as kept:
        await kept.ingest.take(kept.report(2, at=BEGIN))
        assert set(await kept.reading.rows(INSTANCES, BEGIN - 60, BEGIN + 60)) == {("shop/cart", "a", "v1")}


async def test_nonsense_of_one_gateway_does_not_stop_what_others_count(store: InsightStore) -> None:
    async with Kept(store) as kept:
        for _ in range(3):
            most = Row(("shop/web", "shop/cart"), 2**53, bytes_out=2**53, seconds=1e308, buckets={3: 2**53})
            nonsense = msgspec.structs.replace(kept.report(1, at=BEGIN), edges=(most,))
            await kept.ingest.take(nonsense)
        await kept.ingest.take(kept.report(7, at=BEGIN, node="gw-2"))
        for _ in range(3):
            kept.clock.advance(3_700)
            await kept.rolling.turn()
        row = await kept.counted(BEGIN - 3_600, BEGIN + 3_600)
        assert (row.calls, row.bytes_out) == (2**53, 2**53)
        assert (await kept.counted(BEGIN - 3_600, BEGIN + 3_600, INSTANCES)).calls == 10


async def test_random_reports_count_exactly_at_every_step(store: InsightStore) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    truth: Counter[int] = Counter()
    held: list[Numbers] = []
    async with Kept(store) as kept:
        for _ in range(150):
            kept.clock.advance(chance.choice((2.0, 2.0, 2.0, 45.0)))
            at = kept.clock.now_s - chance.choice((0.0, 0.0, 120.0, 400.0))
            report = kept.report(chance.randrange(1, 50), at=at, node=chance.choice(("gw-1", "gw-2")))
            truth[int(at // 10) * 10] += report.edges[0].calls
            held.append(report)
            if chance.random() < 0.7:  # some wait, and are sent in order with those after them
                for waiting in sorted(held, key=lambda report: report.sequence):
                    await kept.ingest.take(waiting)
                    if chance.random() < 0.2:
                        await kept.ingest.take(waiting)
                held.clear()
            if chance.random() < 0.3:
                await kept.rolling.turn()
        for waiting in held:
            await kept.ingest.take(waiting)
        end = kept.clock.now_s + 60
        assert (await kept.counted(BEGIN - 3600, end)).calls == sum(truth.values())
        middle = BEGIN + (kept.clock.now_s - BEGIN) / 2
        first = int(middle // 10) * 10
        assert (await kept.counted(first, end)).calls == sum(count for at, count in truth.items() if at >= first)
        kept.clock.advance(2 * 3600)
        await kept.rolling.turn()
        await kept.rolling.turn()
        assert (await kept.counted(BEGIN - 7200, end + 7200)).calls == sum(truth.values())
        ((*kinds,),) = await store.read([sizes()])
        assert {row[0] for row in kinds} <= {60, 3600}, "points of 10 s are forgotten after an hour"


async def test_who_asks_again_and_again_gets_what_one_who_asks_once_gets(store: InsightStore) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    async with Kept(store) as kept, Kept(store) as other:  # whose reports the first one has not heard
        for _ in range(200):
            kept.clock.advance(chance.choice((2.0, 2.0, 10.0, 40.0)))
            other.clock.now_s = kept.clock.now_s
            for to, node in ((kept, "gw-1"), (other, "gw-2")):
                at = kept.clock.now_s - chance.choice((0.0, 0.0, 30.0, 200.0))
                failed, seconds = chance.randrange(2), chance.choice((0.001, 0.01, 0.1))
                await to.ingest.take(
                    to.report(chance.randrange(1, 50), at=at, node=node, failed=failed, seconds=seconds)
                )
            if chance.random() < 0.5:
                await kept.rolling.turn()
            now = kept.clock.now_s
            once, again = await kept.counted(now - 600, now), await kept.moved(now - 600, now)
            assert again.seconds == pytest.approx(once.seconds)
            assert msgspec.structs.replace(again, seconds=0.0) == msgspec.structs.replace(once, seconds=0.0)


async def test_steps_of_a_course_are_exact_whatever_is_rolled_up_between_two_looks(store: InsightStore) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    truth: Counter[int] = Counter()
    async with Kept(store) as kept:
        for _ in range(80):
            kept.clock.advance(chance.choice((2.0, 10.0, 30.0)))
            report = kept.report(chance.randrange(1, 50), at=kept.clock.now_s - chance.choice((0.0, 100.0)))
            truth[int((report.begun + report.ended) / 2 // 50) * 50] += report.edges[0].calls
            await kept.ingest.take(report)
            if chance.random() < 0.5:
                await kept.rolling.turn()
            steps = range(int(BEGIN) - 200, int(kept.clock.now_s) // 50 * 50 + 50, 50)
            seen: dict[int, int] = {}

            def take(begin: int, rows: Rows, seen: dict[int, int] = seen) -> None:
                seen[begin] = summed(rows.values()).calls

            await kept.reading.stepped(EDGES, steps, steps.stop, 10, "total", lambda _: ("total",), take)
            assert seen == dict(truth)


async def test_what_was_counted_is_not_read_again(tmp_path: Path) -> None:
    store, read = InsightFile(tmp_path), Watched(tmp_path)
    async with Kept(store, read=read) as kept:
        for _ in range(60):
            kept.clock.advance(2.0)
            await kept.ingest.take(kept.report(5, at=kept.clock.now_s))
            await kept.rolling.turn()
            await kept.moved(kept.clock.now_s - 900, kept.clock.now_s)
        read.values.clear()
        for _ in range(30):
            kept.clock.advance(2.0)
            await kept.ingest.take(kept.report(5, at=kept.clock.now_s))
            await kept.rolling.turn()
            await kept.moved(kept.clock.now_s - 900, kept.clock.now_s)
        # A minute: a point every ten seconds, and the one of the minute that holds them.
        assert len(read.values) <= 7, read.values
    await store.close()
    await read.close()


async def test_what_is_older_than_it_is_kept_is_forgotten(store: InsightStore) -> None:
    async with Kept(store) as kept:
        await kept.ingest.take(kept.report(5, at=BEGIN))
        for leap_s in (30, 120, 3700):
            kept.clock.advance(leap_s)
            await kept.rolling.turn()
        assert (await kept.counted(BEGIN - 60, BEGIN + 60)).calls == 5
        kept.clock.advance(KEPT_S[3600] + 3600)
        await kept.rolling.turn()
        assert (await kept.counted(BEGIN - 60, BEGIN + 60)).calls == 0


async def test_points_beyond_the_room_there_is_are_dropped_and_counted(store: InsightStore) -> None:
    async with Kept(store, most_bytes=2_000) as kept:
        for number in range(40):
            await kept.ingest.take(kept.report(5, at=BEGIN + 10 * number))
            kept.clock.advance(10)
        for _ in range(8):
            kept.clock.advance(61)
            await kept.rolling.turn()
        assert kept.rolling.dropped_bytes > 0
        assert kept.rolling.bytes < 40 * 100
        newest = await kept.counted(BEGIN + 380, BEGIN + 400)
        assert newest.calls == 10, "the oldest go first"


async def test_a_report_of_long_ago_is_answered_and_not_counted(store: InsightStore) -> None:
    async with Kept(store) as kept:
        await kept.ingest.take(kept.report(5, at=BEGIN - 7200))
        assert (kept.ingest.reports, kept.ingest.late) == (0, 1)


async def test_without_the_store_nothing_is_answered_and_later_it_counts(database_url: str) -> None:
    await prepare(database_url)
    store = PostgresInsight(database_url)
    async with Kept(store) as kept:
        report = kept.report(4, at=BEGIN)
        admin = await asyncpg.connect(database_url)
        await admin.execute("ALTER TABLE insight_positions RENAME TO away")
        with pytest.raises(Problem) as refused:
            await kept.ingest.take(report)
        assert (refused.value.status, refused.value.code) == (503, "not_kept")
        await admin.execute("ALTER TABLE away RENAME TO insight_positions")
        await admin.close()
        await kept.ingest.take(report)
        assert (await kept.counted(BEGIN - 60, BEGIN + 60)).calls == 4
    await store.close()
