"""What open consoles cost in working numbers out: about the same, however many are open, and by what is new alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.micro import consoles, insight
from loadtest.micro.consoles import Bench
from meshway.tasks import spawn
from meshway.telemetry import Row

SERVICES, INSTANCES, EDGES = 25, 100, 150


class Added:
    """Rows that were added to others: what all working out comes down to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows = 0
        add = Row.add

        def counted(row: Row, other: Row) -> None:
            self.rows += 1
            add(row, other)

        monkeypatch.setattr(Row, "add", counted)

    def take(self) -> int:
        rows, self.rows = self.rows, 0
        return rows


async def rows_of(bench: Bench, added: Added, count: int) -> int:
    await bench.look(count)  # what is read for the first time is left out
    added.take()
    await bench.look(count)
    return added.take()


async def test_twenty_consoles_add_up_about_what_one_does_and_that_is_little_beside_what_was_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, size in (("SERVICES", SERVICES), ("INSTANCES", INSTANCES), ("EDGES", EDGES)):
        monkeypatch.setattr(insight, name, size)
    added = Added(monkeypatch)
    bench = Bench(tmp_path)
    running = spawn(bench.ingest.run(), name="reports of numbers")
    none, one, twenty = [await rows_of(bench, added, count) for count in (0, 1, 20)]
    running.cancel()
    await bench.store.close()
    reported = EDGES * consoles.SHARE * consoles.GATEWAYS * consoles.LOOK_S / insight.EVERY_S
    print(f"rows added: {none} without a console, {one} by one, {twenty} by twenty; {reported:.0f} were reported")
    assert one - none < 8 * reported
    assert twenty - none < 2.5 * (one - none)
