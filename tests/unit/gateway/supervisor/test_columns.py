"""Columns of two supervisors, of which one takes the other's place."""

import asyncio
from pathlib import Path

import pytest

from gateway.host_table import HostTable
from gateway.supervisor import columns
from gateway.supervisor.columns import PER_SLOT, Columns


@pytest.fixture(autouse=True)
def _in_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "ORPHANED_S", 0.0)


async def test_what_workers_of_both_count_is_one_sum_and_goes_on_when_the_first_is_gone(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    old = Columns(tmp_path / "old" / "host", 2)
    running = [await old.take() for _ in range(2)]
    lent = old.lend()
    assert len(lent) == 2 * (PER_SLOT - 2)
    new = Columns(tmp_path / "new" / "host", 2)
    new.borrow(old.path, lent)
    fresh = [await new.take() for _ in range(2)]
    assert not set(fresh) & set(running)
    with HostTable(old.path, running[0]) as before, HostTable(new.path, fresh[0]) as after:
        row = before.row("shop/books")
        before.add(row, 3)
        after.add(row, 4)
        assert before.sum(row) == after.sum(row) == 7
        old.path.unlink()  # with its runtime folder
        new.inherit()
        await asyncio.sleep(0.01)
        assert after.sum(row) == 4
    taken = [await asyncio.wait_for(new.take(), 5.0) for _ in range(2 * PER_SLOT - 2)]
    assert sorted(taken + fresh) == list(range(2 * PER_SLOT))


async def test_a_loan_that_ends_brings_the_columns_back_and_nothing_is_left_in_them(tmp_path: Path) -> None:
    old = Columns(tmp_path / "host", 1)
    mine = await old.take()
    lent = old.lend()
    with HostTable(old.path, lent[0]) as table:
        row = table.row("shop/books")
        table.add(row, 1)
        old.end_loan(0.05)
        await asyncio.sleep(0)
        assert table.sum(row) == 1, "whoever gives up answers its callers first"
        taken = [await asyncio.wait_for(old.take(), 5.0) for _ in range(PER_SLOT - 1)]
        assert sorted([mine, *taken]) == list(range(PER_SLOT))
        assert table.sum(row) == 0


@pytest.mark.parametrize(
    ("old_slots", "slots", "most_lent"),
    [
        pytest.param(1, 2, 4, id="more workers"),
        pytest.param(2, 2, 1, id="a reload is under way"),
    ],
)
async def test_a_table_that_is_not_enough_is_left_alone(
    tmp_path: Path, old_slots: int, slots: int, most_lent: int
) -> None:
    (tmp_path / "old").mkdir()
    old = Columns(tmp_path / "old" / "host", old_slots)
    new = Columns(tmp_path / "host", slots)
    new.borrow(old.path, old.lend()[:most_lent])
    assert sorted([await new.take() for _ in range(slots * PER_SLOT)]) == list(range(slots * PER_SLOT))
    with HostTable(old.path) as before, HostTable(new.path) as after:
        before.add(before.row("a"), 1)
        assert after.sum(after.row("a")) == 0


def test_a_table_of_another_version_or_with_many_names_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "other").write_bytes(b"x" * 4096)
    with HostTable.create(tmp_path / "full", PER_SLOT, rows=4) as full:
        for name in "abc":
            full.row(name)
        new = Columns(tmp_path / "host", 1)
        for name in ("other", "full", "gone"):
            new.borrow(tmp_path / name, [0, 1])
        with HostTable(new.path) as table:
            assert table.rows > full.rows
    assert len(caplog.records) == 3
    assert not (tmp_path / "host.new").exists()
