"""Counts that processes share: own columns, sums over all, and nothing left of the dead."""

import multiprocessing
from pathlib import Path

import pytest

from gateway.host_table import HostTable


def test_a_row_is_the_same_in_every_process_and_names_do_not_share(tmp_path: Path) -> None:
    path = tmp_path / "host"
    with HostTable.create(path, workers=2) as table, HostTable(path, 1) as other:
        assert table.row("a") == other.row("a")
        assert table.row("a") != table.row("b")


def test_each_worker_adds_to_its_column_and_reads_the_sum(tmp_path: Path) -> None:
    path = tmp_path / "host"
    with HostTable.create(path, workers=3), HostTable(path, 0) as one, HostTable(path, 2) as two:
        row = one.row("a")
        one.add(row, 3)
        two.add(row, 4)
        two.add(row, -1)
        assert one.sum(row) == two.sum(row) == 6
        assert one.sum(one.row("b")) == 0


def test_a_dead_workers_column_is_zeroed(tmp_path: Path) -> None:
    path = tmp_path / "host"
    with HostTable.create(path, workers=2) as table, HostTable(path, 1) as dead:
        row = table.row("a")
        table.add(row, 1)
        dead.add(row, 5)
        table.zero_column(1)
        assert table.sum(row) == 1


def test_a_full_table_has_no_row(tmp_path: Path) -> None:
    with HostTable.create(tmp_path / "host", workers=1, rows=4) as table:
        rows = [table.row(str(name)) for name in range(5)]
        assert sorted(rows[:4]) == [0, 1, 2, 3]
        assert rows[4] == -1
        assert table.row("0") == rows[0]


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "host"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="empty"):
        HostTable(path)
    path.write_bytes(b"x" * 4096)
    with pytest.raises(ValueError, match="no host table"):
        HostTable(path)
    HostTable.create(path, workers=2).close()
    with pytest.raises(ValueError, match="column 2"):
        HostTable(path, 2)


def _count(path: Path, worker: int, times: int) -> None:
    with HostTable(path, worker) as table:
        row = table.row("shared")
        for _ in range(times):
            table.add(row, 1)


def test_nothing_is_lost_between_processes(tmp_path: Path) -> None:
    path = tmp_path / "host"
    with HostTable.create(path, workers=2) as table:
        spawn = multiprocessing.get_context("spawn")
        counting = [spawn.Process(target=_count, args=(path, worker, 20_000)) for worker in range(2)]
        for process in counting:
            process.start()
        for process in counting:
            process.join(30)
        assert table.sum(table.row("shared")) == 40_000
