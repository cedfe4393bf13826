"""What workers tell each other of sources: by one key, in parts of their own."""

from pathlib import Path

from gateway.host_table import HostTable
from gateway.source_cells import BUCKETS, NO_CELL, WAYS, key_of


def test_each_worker_sees_what_the_others_say_of_a_source_until_it_is_over(tmp_path: Path) -> None:
    path = tmp_path / "host"
    with HostTable.create(path, 3) as first, HostTable(path, 1) as second, HostTable(path, 2) as third:
        key, other = key_of("TcpRoute a/b", "10.0.0.1"), key_of("TcpRoute a/b", "10.0.0.2")
        assert key != key_of("TcpRoute a/c", "10.0.0.1")
        here = first.sources.claim(key, 2)
        there = second.sources.claim(key, 3)
        assert [each.sources.of_others(key) for each in (first, second, third)] == [3, 2, 5]
        assert third.sources.of_others(other) == 0
        first.sources.tell(here, 1)
        second.sources.tell(there, 0)
        assert [each.sources.of_others(key) for each in (first, second, third)] == [0, 1, 1]


def test_a_bucket_that_is_full_has_no_cell_until_one_is_free(tmp_path: Path) -> None:
    with HostTable.create(tmp_path / "host", 2) as table, HostTable(tmp_path / "host", 1) as other:
        keys = [1 + BUCKETS * number for number in range(WAYS + 1)]
        cells = [table.sources.claim(key, 1) for key in keys]
        assert cells[-1] == NO_CELL
        assert NO_CELL not in cells[:-1]
        assert [other.sources.of_others(key) for key in keys] == [*([1] * WAYS), 0]
        table.sources.tell(cells[3], 0)
        assert table.sources.claim(keys[-1], 7) == cells[3]
        assert (other.sources.of_others(keys[3]), other.sources.of_others(keys[-1])) == (0, 7)


def test_what_a_dead_worker_counted_is_over(tmp_path: Path) -> None:
    with HostTable.create(tmp_path / "host", 2) as table, HostTable(tmp_path / "host", 1) as dead:
        key = key_of("sessions of game", "10.0.0.1")
        table.sources.claim(key, 4)
        dead.sources.claim(key, 5)
        table.zero_column(1)
        assert (table.sources.of_others(key), dead.sources.of_others(key)) == (0, 4)
