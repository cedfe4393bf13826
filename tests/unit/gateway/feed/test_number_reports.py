from pathlib import Path

import msgspec

from gateway.feed.number_reports import NumberReports
from gateway.feed.registry_link import RegistryUrl
from gateway.feed.unsent import Unsent
from gateway.telemetry.differences import Sections
from meshway.histogram import BUCKETS
from meshway.telemetry import MOST_ROWS, Numbers, Row
from registry.machine.surface import BODY_LIMIT
from tests.parts.clock import ManualClock

URL = RegistryUrl("127.0.0.1", 8500, "http://127.0.0.1:8500")


class Wire:
    """statuses: what the registry answers, one after another; then 204."""

    def __init__(self, folder: Path, *statuses: int) -> None:
        self.clock = ManualClock(1_000.0)
        self.statuses = list(statuses)
        self.told: list[Numbers] = []
        self.counted: list[Sections] = []
        self.reports = NumberReports(
            "gw-1",
            Unsent(folder / "unsent.reports", self.clock),
            registry=lambda: URL,
            post=self.post,
            count=self.take,
            wall=self.clock,
            random=lambda: 0.5,
        )

    async def take(self) -> Sections:
        return self.counted.pop(0) if self.counted else Sections()

    async def post(self, url: RegistryUrl, target: str, body: bytes) -> int:
        self.told.append(msgspec.json.decode(body, type=Numbers))
        return self.statuses.pop(0) if self.statuses else 204

    async def count(self, rows: int = 1) -> None:
        sections = Sections()
        for number in range(rows):
            key = ("edge", f"shop/service-{number}")
            sections.edges[key] = Row(key, 1)
        self.counted.append(sections)
        self.clock.advance(2.0)
        await self.reports.gather()


async def test_reports_follow_each_other_in_time_and_number(tmp_path: Path) -> None:
    wire = Wire(tmp_path)
    await wire.count()
    await wire.count()
    await wire.reports.send()
    first, second = wire.told
    assert (first.sequence, second.sequence, first.boot == second.boot) == (1, 2, True)
    assert (first.begun, first.ended, second.begun, second.ended) == (1_000.0, 1_002.0, 1_002.0, 1_004.0)


async def test_what_is_not_answered_is_sent_again_in_order(tmp_path: Path) -> None:
    wire = Wire(tmp_path, 0, 503)
    await wire.count()
    await wire.count()
    for _ in range(3):
        await wire.reports.send()
    assert [report.sequence for report in wire.told] == [1, 1, 1, 2]
    assert len(wire.reports.unsent) == 0


async def test_what_the_registry_does_not_understand_is_given_up(tmp_path: Path) -> None:
    wire = Wire(tmp_path, 422)
    await wire.count()
    await wire.count()
    await wire.reports.send()
    assert [report.sequence for report in wire.told] == [1, 2]
    assert wire.reports.refused == 1


async def test_many_rows_go_in_several_reports(tmp_path: Path) -> None:
    wire = Wire(tmp_path)
    await wire.count(rows=2 * MOST_ROWS + 1)
    await wire.reports.send()
    assert all(len(report.edges) <= MOST_ROWS for report in wire.told)
    assert sum(len(report.edges) for report in wire.told) == 2 * MOST_ROWS + 1
    assert [report.sequence for report in wire.told] == list(range(1, len(wire.told) + 1))


async def test_a_report_is_no_larger_than_what_the_registry_reads(tmp_path: Path) -> None:
    wire = Wire(tmp_path)
    sections = Sections()
    for number in range(400):
        key = (f"shop/{'a' * 100}-{number}", f"shop/{'b' * 100}")
        sections.edges[key] = Row(key, 1, buckets=dict.fromkeys(range(BUCKETS), 1_000))
        sections.instances[key] = Row(key, 1)
    wire.counted.append(sections)
    await wire.reports.gather()
    bodies = []
    while (body := wire.reports.unsent.first()) is not None:
        bodies.append(body)
        wire.reports.unsent.done()
    assert max(map(len, bodies)) < BODY_LIMIT
    told = [msgspec.json.decode(body, type=Numbers) for body in bodies]
    assert [report.sequence for report in told] == list(range(1, len(told) + 1))
    assert {row.key for report in told for row in report.edges} == sections.edges.keys()
    assert sum(len(report.instances) for report in told) == 400


async def test_nothing_counted_is_no_report(tmp_path: Path) -> None:
    wire = Wire(tmp_path)
    await wire.reports.gather()
    assert len(wire.reports.unsent) == 0


async def test_what_was_counted_last_is_told_or_kept_at_the_end(tmp_path: Path) -> None:
    wire = Wire(tmp_path, 0)
    wire.counted.append(Sections())
    key = ("edge", "shop/cart")
    wire.counted[0].edges[key] = Row(key, 1)
    await wire.reports.close()
    after = Unsent(tmp_path / "unsent.reports", wire.clock)
    after.load()
    assert len(after) == 1
