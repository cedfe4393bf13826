import pytest

from meshway.model.registration import InstancePatch
from registry.catalog.registering import Deregister, Patch
from registry.compat.eureka import changes as changes_module
from registry.compat.eureka.changes import KEEP_S, Changes
from tests.parts.clock import ManualClock
from tests.parts.registry_bench import Bench


def test_each_instance_is_told_once_with_what_happened_last() -> None:
    bench, clock = Bench(), ManualClock()
    changes = Changes(bench.view, clock)
    assert (changes.latest(), changes.hashcode) == ([], "")
    bench.register("books", "b1")
    bench.register("books", "b2")
    bench.register("books", "b3", namespace="elsewhere")
    assert [(row.instance.id, action) for row, action in changes.latest()] == [("b1", "ADDED"), ("b2", "ADDED")]
    assert changes.hashcode == "UP_2_"
    bench.commit(Patch(("default", "books", "b1"), InstancePatch(status="maintenance"), lambda row: row))
    assert [(row.instance.id, action) for row, action in changes.latest()] == [("b2", "ADDED"), ("b1", "MODIFIED")]
    assert changes.hashcode == "OUT_OF_SERVICE_1_UP_1_"
    bench.commit(Deregister(("default", "books", "b2")))
    assert [(row.instance.id, action) for row, action in changes.latest()] == [("b1", "MODIFIED"), ("b2", "DELETED")]
    assert changes.hashcode == "OUT_OF_SERVICE_1_"


def test_what_stood_there_before_counts_and_is_no_change() -> None:
    bench = Bench()
    bench.register("books", "b1")
    changes = Changes(bench.view, ManualClock())
    assert (changes.latest(), changes.hashcode) == ([], "UP_1_")


def test_the_window_forgets_by_age_and_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, clock = Bench(), ManualClock()
    changes = Changes(bench.view, clock)
    bench.register("books", "b1")
    clock.now_s += KEEP_S - 1
    bench.register("books", "b2")
    clock.now_s += 2
    assert [row.instance.id for row, _ in changes.latest()] == ["b2"]
    assert (changes.forgotten, changes.hashcode) == (1, "UP_2_")
    monkeypatch.setattr(changes_module, "MAX_CHANGES", 3)
    for number in range(5):
        bench.register("books", f"c{number}")
    assert [row.instance.id for row, _ in changes.latest()] == ["c2", "c3", "c4"]
