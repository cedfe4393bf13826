from pathlib import Path

import pytest

from gateway.telemetry.counters import BEYOND, BLOCK, CALL, PLAIN, Counters, Totals, read_counters

BOOKS = (("route", "default/books"), ("service", "default/books"))


def test_what_a_worker_counts_is_read_from_its_file_while_it_runs(tmp_path: Path) -> None:
    counters = Counters(tmp_path / "w0")
    base = counters.series(CALL, BOOKS)
    counters.add(base, 2.0)
    counters.cells[base + BLOCK - 1] += 5.0
    cell = counters.counter("meshway_rate_limited_total", policy="default/limit")
    counters.add(cell)
    found = read_counters(tmp_path / "w0")
    assert found[(CALL, BOOKS)][0] == 2.0
    assert found[(CALL, BOOKS)][-1] == 5.0
    assert found[(PLAIN, (("__name__", "meshway_rate_limited_total"), ("policy", "default/limit")))] == [1.0]


def test_a_name_always_means_the_same_cells(tmp_path: Path) -> None:
    counters = Counters(tmp_path / "w0")
    assert counters.series(CALL, BOOKS) == counters.series(CALL, BOOKS)
    assert counters.rule_slot("default/books", "all") == counters.rule_slot("default/books", "all") == 0
    assert counters.rule_slot("default/books", "other") == 1


def test_sums_never_go_down_when_a_worker_is_replaced(tmp_path: Path) -> None:
    totals = Totals()
    first, other = Counters(tmp_path / "w0"), Counters(tmp_path / "w1")
    first.add(first.series(CALL, BOOKS), 10.0)
    other.add(other.series(CALL, BOOKS), 3.0)
    assert totals.read([tmp_path / "w0", tmp_path / "w1"])[(CALL, BOOKS)][0] == 13.0
    totals.fold(tmp_path / "w0")
    assert not (tmp_path / "w0").exists()
    assert totals.read([tmp_path / "w1"])[(CALL, BOOKS)][0] == 13.0
    successor = Counters(tmp_path / "w2")
    successor.add(successor.series(CALL, BOOKS), 1.0)
    assert totals.read([tmp_path / "w1", tmp_path / "w2"])[(CALL, BOOKS)][0] == 14.0


def test_a_state_ends_with_its_worker_and_a_count_does_not(tmp_path: Path) -> None:
    totals = Totals()
    for name in ("w0", "w1"):
        counters = Counters(tmp_path / name)
        counters.set(counters.gauge("meshway_open", service="s"), 2.0)
        counters.add(counters.counter("meshway_opened_total", service="s"), 3.0)

    def shown(*names: str) -> dict[str, float]:
        found = totals.read([tmp_path / name for name in names])
        return {dict(labels)["__name__"]: cells[0] for (_, labels), cells in found.items()}

    assert shown("w0", "w1") == {"meshway_open": 4.0, "meshway_opened_total": 6.0}
    totals.fold(tmp_path / "w0")
    assert shown("w1") == {"meshway_open": 2.0, "meshway_opened_total": 6.0}


def test_series_above_the_bound_are_counted_as_other(tmp_path: Path) -> None:
    counters = Counters(tmp_path / "w0", max_series=3)
    for number in range(10):
        counters.add(counters.series(CALL, (("route", f"r{number}"), ("service", "s"))))
    found = {labels[0][1]: cells[0] for (_, labels), cells in read_counters(tmp_path / "w0").items()}
    assert found == {"r0": 1.0, "r1": 1.0, "r2": 1.0, "other": 7.0, BEYOND: 7.0}


def test_a_host_has_no_more_series_than_one_of_its_workers(tmp_path: Path) -> None:
    for name in ("w0", "w1"):
        counters = Counters(tmp_path / name)
        for number in range(3):
            counters.add(counters.series(CALL, (("route", f"{name}-{number}"),)))
    totals = Totals(lambda: 4)
    found = {labels[0][1]: cells[0] for (_, labels), cells in totals.read([tmp_path / "w0", tmp_path / "w1"]).items()}
    assert found == {"w0-0": 1.0, "w0-1": 1.0, "w0-2": 1.0, "w1-0": 1.0, "other": 2.0}
    totals.fold(tmp_path / "w0")
    again = {labels[0][1]: cells[0] for (_, labels), cells in totals.read([tmp_path / "w1"]).items()}
    assert again == found


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\0" * (9 << 20)])
def test_a_file_that_is_none_holds_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w0").write_bytes(content)
    assert read_counters(tmp_path / "w0") == {}


def test_a_missing_file_holds_nothing(tmp_path: Path) -> None:
    assert Totals().read([tmp_path / "gone"]) == {}


def test_the_file_is_sparse(tmp_path: Path) -> None:
    Counters(tmp_path / "w0", max_series=20_000)
    assert (tmp_path / "w0").stat().st_blocks * 512 < 256 << 10
