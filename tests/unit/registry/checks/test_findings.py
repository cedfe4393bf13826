import pytest

from meshway.model.registration import InstancePatch
from meshway.model.traffic_policy import HealthCheck
from registry.catalog.registering import Patch
from registry.checks.findings import Finding, Findings
from registry.view.rows import InstanceRow
from tests.parts.registry_bench import Bench

KEY = ("default", "books", "b1")


def row_of(bench: Bench) -> InstanceRow:
    row = bench.view.instance(KEY)
    assert row is not None
    return row


def found(bench: Bench, *, passing: bool, number: int = 1, generation: int = 1) -> str:
    bench.commit(Findings([Finding(KEY, number, generation, passing)]))
    return row_of(bench).instance.status


def test_a_finding_is_a_revision_only_where_it_changes_something() -> None:
    bench = Bench()
    bench.register(check=HealthCheck(type="tcp"))
    assert found(bench, passing=False) == "critical"
    assert bench.view.revision == 1
    assert found(bench, passing=True) == "passing"
    assert found(bench, passing=True) == "passing"
    assert bench.view.revision == 2


@pytest.mark.parametrize("status", ["draining", "maintenance"])
def test_who_passes_again_is_what_it_was_before(status: str) -> None:
    bench = Bench()
    bench.register(check=HealthCheck(type="tcp"))
    found(bench, passing=True)
    bench.commit(Patch(KEY, InstancePatch(status=status), lambda row: row))  # type: ignore[arg-type]
    assert found(bench, passing=True) == status
    assert found(bench, passing=False) == "critical"
    assert found(bench, passing=True) == status


def test_what_an_older_process_answered_says_nothing_of_its_successor() -> None:
    bench = Bench()
    bench.register(check=HealthCheck(type="tcp"))
    bench.register(check=HealthCheck(type="tcp"))
    assert found(bench, passing=True, generation=1) == "critical"
    assert found(bench, passing=True, number=2, generation=2) == "critical"
    assert found(bench, passing=True, generation=2) == "passing"


def test_who_sends_heartbeats_by_now_is_not_judged() -> None:
    bench = Bench()
    bench.register(check=HealthCheck(type="tcp"))
    bench.register()
    assert found(bench, passing=False, generation=2) == "passing"


def test_registered_once_more_it_stays_what_it_was_found_to_be_unless_it_moved() -> None:
    bench = Bench()
    first = bench.register(check=HealthCheck(type="tcp"))
    found(bench, passing=True)
    again = bench.register(check=HealthCheck(type="tcp"))
    assert (first.status, again.status, again.generation) == ("critical", "passing", 2)
    assert bench.register(check=HealthCheck(type="tcp"), port=8001).status == "critical"
