"""What becomes of an instance when its client registers it or updates its check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from meshway.model.registration import InstancePatch
from meshway.problem import Problem
from registry.catalog.registering import Announce, Patch
from registry.compat.consul.attributes import attributes_of
from registry.compat.consul.bodies import Fields
from registry.compat.consul.definitions import NO_DEFINITION, ServiceDefinition, read_check, read_checks, read_service
from registry.compat.consul.updates import (
    MAX_OUTPUT,
    checking,
    declaring,
    failing,
    passing,
    registering,
    warning,
)
from tests.parts.registry_bench import Bench

if TYPE_CHECKING:
    from registry.compat.consul.updates import Judge
    from registry.view.rows import InstanceRow

KEY = ("default", "books", "b1")


def _definition(**body: Any) -> ServiceDefinition:
    fields = Fields({"Name": "books", "ID": "b1", "Port": 80, "Check": {"TTL": "10s"}} | body)
    return read_service(
        fields, name="Name", check=read_checks(fields, "10.0.0.1"), namespace="default", address="10.0.0.1"
    )


class Books(Bench):
    def now(self, judge: Judge) -> InstanceRow:
        self.commit(Announce(KEY, judge, self.renewed.append))
        row = self.view.instance(KEY)
        assert row is not None
        return row

    def want(self, status: Any) -> None:
        self.commit(Patch(KEY, InstancePatch(status=status), lambda row: row.revision))


def _output(row: InstanceRow) -> str:
    attributes = attributes_of(row.instance.metadata)
    assert attributes is not None
    return attributes.output


def test_a_check_is_critical_until_its_first_update_unless_it_says_otherwise() -> None:
    assert Books().now(registering(_definition())).instance.status == "critical"
    passing_check = {"TTL": "10s", "Status": "passing"}
    assert Books().now(registering(_definition(Check=passing_check))).instance.status == "passing"
    warned = Books().now(registering(_definition(Check=passing_check | {"Status": "warning"}, Weights={"Warning": 0})))
    assert (warned.instance.status, warned.instance.weight) == ("passing", 0)


def test_registering_again_leaves_the_check_as_it_is() -> None:
    books = Books()
    books.now(registering(_definition()))
    up = books.now(passing(KEY))
    again = books.now(registering(_definition()))
    assert (again.instance.status, again.revision, again.instance.generation) == ("passing", up.revision, 1)
    books.now(failing(KEY, "no answer"))
    down = books.now(registering(_definition(Port=81)))
    assert (down.instance.status, down.instance.port, _output(down)) == ("critical", 81, "no answer")


def test_maintenance_outlives_registrations_and_draining_does_not() -> None:
    books = Books()
    books.now(registering(_definition()))
    books.now(passing(KEY))
    books.want("maintenance")
    assert books.now(registering(_definition())).instance.status == "maintenance"
    assert books.now(passing(KEY)).instance.status == "maintenance"
    books.want("draining")
    assert books.now(passing(KEY)).instance.status == "draining"
    assert books.now(registering(_definition())).instance.status == "passing"
    books.want("draining")
    books.now(failing(KEY, ""))
    assert books.now(registering(_definition())).instance.status == "passing"


def test_a_warning_has_its_weight_and_a_failure_its_reason_until_it_passes() -> None:
    books = Books()
    books.now(registering(_definition(Weights={"Passing": 9, "Warning": 2})))
    warned = books.now(warning(KEY, "slow"))
    assert (warned.instance.status, warned.instance.weight, _output(warned)) == ("passing", 2, "slow")
    failed = books.now(failing(KEY, "x" * 10_000))
    assert (failed.instance.status, failed.instance.weight, len(_output(failed))) == ("critical", 9, MAX_OUTPUT)
    up = books.now(passing(KEY))
    assert (up.instance.status, up.instance.weight, _output(up)) == ("passing", 9, "")


def test_an_output_that_does_not_fit_beside_the_metadata_is_left_out() -> None:
    books = Books()
    books.now(registering(_definition(Meta={"long": "m" * 3900})))
    failed = books.now(failing(KEY, "x" * 500))
    assert (failed.instance.status, _output(failed)) == ("critical", "")
    with pytest.raises(Problem, match="above 4096"):
        books.now(registering(_definition(Meta={"long": "m" * 4090})))


def test_the_catalogue_says_the_status_each_time() -> None:
    books = Books()
    definition = msgspec.structs.replace(_definition(), initial="critical")
    assert books.now(declaring(definition)).instance.status == "critical"
    up = msgspec.structs.replace(definition, initial="passing")
    assert books.now(declaring(up)).instance.status == "passing"
    assert books.now(declaring(definition)).instance.status == "critical"


def test_a_check_comes_changes_and_goes() -> None:
    books = Books()
    books.now(registering(_definition(Check=None)))
    given = books.now(checking(KEY, read_check(Fields({"TTL": "20s", "CheckID": "alive"}), "10.0.0.9")))
    assert (given.instance.status, given.ttl_s) == ("critical", 20)
    books.now(passing(KEY))
    longer = books.now(checking(KEY, read_check(Fields({"TTL": "40s", "CheckID": "alive"}), "10.0.0.9")))
    assert (longer.instance.status, longer.ttl_s) == ("passing", 40)
    books.now(failing(KEY, "no"))
    without = books.now(checking(KEY, NO_DEFINITION))
    assert (without.instance.status, without.ttl_s, _output(without)) == ("passing", 3600, "")


def test_a_check_that_the_registry_runs_takes_the_place_of_the_lease_and_gives_it_back() -> None:
    books = Books()
    asked = {"HTTP": "http://10.0.0.1:81/ready", "Interval": "10s"}
    new = books.now(registering(_definition(Check=asked)))
    assert (new.instance.status, (new.instance.check or {})["port"]) == ("critical", 81)
    again = read_check(Fields(asked | {"Status": "passing", "CheckID": "c"}), "10.0.0.1")
    assert books.now(checking(KEY, again)).instance.status == "critical"  # the same kind goes on as it is
    ttl = books.now(checking(KEY, read_check(Fields({"TTL": "20s", "Status": "passing"}), "10.0.0.1")))
    assert (ttl.instance.status, ttl.instance.check, ttl.ttl_s) == ("passing", None, 20)


def test_an_update_of_what_is_gone_or_another_s_is_no_instance() -> None:
    books = Books()
    with pytest.raises(Problem, match="does not exist"):
        books.now(passing(KEY))
    books.register("books", "b1")
    with pytest.raises(Problem, match="does not exist"):
        books.now(failing(KEY, ""))
