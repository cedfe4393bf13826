"""Bounds of a route's connections, all of them and of a source, over workers."""

from pathlib import Path

from gateway.host_table import HostTable
from gateway.limits.connection_counts import ConnectionCounts


def test_workers_of_a_host_count_together(tmp_path: Path) -> None:
    HostTable.create(tmp_path / "table", 2).close()
    with HostTable(tmp_path / "table", 0) as first, HostTable(tmp_path / "table", 1) as second:
        here, there = (ConnectionCounts(table, "TcpRoute a/b") for table in (first, second))
        assert here.take("10.0.0.1", 2, 1) == ""
        assert here.take("10.0.0.1", 2, 1) == "limits.per_source"
        assert there.take("10.0.0.1", 2, 1) == "limits.per_source"
        assert there.take("10.0.0.2", 2, 1) == ""
        assert here.take("10.0.0.3", 2, 1) == "limits.connections"
        there.leave("10.0.0.2")
        assert here.take("10.0.0.3", 2, 1) == ""
        assert here.taken == 2


def test_without_bounds_everybody_is_counted_and_nobody_kept_out() -> None:
    counts = ConnectionCounts(None, "TcpRoute a/b")
    assert [counts.take("10.0.0.1", 0, 0) for _ in range(3)] == [""] * 3
    counts.leave("10.0.0.1")
    assert counts.taken == 2
