from typing import Any

import pytest

from meshway.model.instance import Status
from meshway.model.registration import ChosenStatus, InstancePatch, Registration
from meshway.problem import Problem
from registry.catalog.registering import Announce, Deregister, Patch, Register, Registered
from registry.view.rows import InstanceRow
from tests.parts.registry_bench import Bench, registration

KEY = ("default", "books", "b1")


def patch(bench: Bench, **fields: object) -> InstanceRow:
    return bench.commit(Patch(KEY, InstancePatch(**fields), lambda row: row))  # type: ignore[arg-type]


def test_the_first_registration_creates_and_the_next_begins_a_generation() -> None:
    bench = Bench()
    one, two = bench.register(), bench.register()
    assert (one.created, one.generation, one.revision) == (True, 1, 1)
    assert (two.created, two.generation, two.revision) == (False, 2, 2)
    assert one.lease_id != two.lease_id
    assert one.lease_id.split("-")[0] == two.lease_id.split("-")[0]


def test_the_same_process_takes_a_revision_only_when_something_changed() -> None:
    bench = Bench()
    one = bench.register()
    same = bench.register(lease_id=one.lease_id)
    assert (same.generation, same.revision, same.lease_id) == (1, 1, one.lease_id)
    assert bench.view.revision == 1
    changed = bench.register(lease_id=one.lease_id, weight=5)
    assert (changed.generation, changed.revision, changed.weight) == (1, 2, 5)
    assert [row.instance.id for row in bench.renewed] == ["b1", "b1"]


def test_a_new_ttl_is_a_change_too() -> None:
    bench = Bench()
    one = bench.register()
    assert bench.register(lease_id=one.lease_id, ttl_s=10).revision == 2


def test_a_superseded_process_does_not_come_back_by_registering() -> None:
    bench = Bench()
    old = bench.register()
    bench.register()
    with pytest.raises(Problem) as refused:
        bench.register(lease_id=old.lease_id)
    assert (refused.value.status, refused.value.code) == (409, "superseded")
    assert bench.view.revision == 2


def test_a_lease_of_an_instance_that_is_gone_registers_anew() -> None:
    bench = Bench()
    one = bench.register()
    bench.commit(Deregister(KEY))
    again = bench.register(lease_id=one.lease_id)
    assert (again.created, again.generation) == (True, 1)
    assert again.lease_id.split("-")[0] != one.lease_id.split("-")[0]


def test_draining_ends_with_the_generation() -> None:
    bench = Bench()
    one = bench.register()
    assert patch(bench, status="draining").instance.status == "draining"
    assert bench.register(lease_id=one.lease_id).status == "draining"
    assert bench.register().status == "passing"


def test_maintenance_ends_only_by_a_patch() -> None:
    bench = Bench()
    bench.register()
    patch(bench, status="maintenance")
    assert bench.register().status == "maintenance"
    assert patch(bench, status="passing").instance.status == "passing"


def test_a_patch_merges_and_null_takes_out() -> None:
    bench = Bench()
    bench.register(metadata={"a": "1", "b": "2"}, tags=("x",))
    row = patch(bench, metadata={"a": None, "c": "3"}, weight=0)
    assert (row.instance.metadata, row.instance.weight, row.instance.tags) == ({"b": "2", "c": "3"}, 0, ("x",))


def test_a_patch_that_changes_nothing_takes_no_revision() -> None:
    bench = Bench()
    bench.register()
    assert patch(bench, weight=1, status="passing").revision == 1
    assert bench.view.revision == 1


def test_a_patch_cannot_exceed_the_bounds_by_merging() -> None:
    bench = Bench()
    bench.register(metadata={f"k{at}": "" for at in range(60)})
    with pytest.raises(Problem) as refused:
        patch(bench, metadata={f"n{at}": "" for at in range(5)})
    assert refused.value.errors[0].path == "metadata"


def test_a_patch_of_nobody_is_404() -> None:
    with pytest.raises(Problem) as refused:
        patch(Bench(), weight=1)
    assert refused.value.status == 404


def test_all_or_none_register() -> None:
    bench = Bench()
    old = bench.register()
    bench.register()
    rows = [registration("films", "f1"), registration(lease_id=old.lease_id)]
    with pytest.raises(Problem):
        bench.commit(Register(rows, bench.renewed.append))
    assert bench.view.instance(("default", "films", "f1")) is None
    answers = bench.commit(Register([registration("films", f"f{at}") for at in range(3)], bench.renewed.append))
    assert {answer.revision for answer in answers} == {3}


def test_deregistering_twice_is_no_second_revision() -> None:
    bench = Bench()
    bench.register()
    assert bench.commit(Deregister(KEY)) == 2
    assert bench.commit(Deregister(KEY)) == 2
    assert bench.view.revision == 2


def test_who_announces_itself_goes_on_with_the_lease_there_is_and_says_its_status() -> None:
    bench = Bench()
    seen: list[InstanceRow | None] = []

    def announce(status: ChosenStatus, **fields: Any) -> Registered:
        def of(before: InstanceRow | None) -> tuple[Registration, ChosenStatus]:
            seen.append(before)
            return registration(**fields), status

        return bench.commit(Announce(KEY, of, bench.renewed.append))

    one = announce("maintenance")
    assert (one.created, one.status, seen) == (True, "maintenance", [None])
    same = announce("maintenance")
    assert (same.lease_id, same.revision) == (one.lease_id, one.revision)
    up = announce("passing", weight=5)
    assert (up.status, up.generation, up.revision, up.weight) == ("passing", 1, one.revision + 1, 5)
    assert seen[-1] is not None
    assert len(bench.renewed) == 2


def test_who_announces_itself_critical_is_what_it_was_before_once_it_renews() -> None:
    bench = Bench()

    def announce(status: Status) -> Registered:
        return bench.commit(Announce(KEY, lambda _: (registration(), status), bench.renewed.append))

    assert announce("critical").status == "critical"
    row = bench.view.instance(KEY)
    assert row is not None
    assert row.wanted == "passing"
    announce("maintenance")
    failed = announce("critical")
    row = bench.view.instance(KEY)
    assert row is not None
    assert (row.instance.status, row.wanted, failed.generation) == ("critical", "maintenance", 1)
