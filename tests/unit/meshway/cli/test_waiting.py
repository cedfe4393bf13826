from typing import Any, cast

import pytest

from meshway.cli.failure import CliError
from meshway.cli.main import with_values
from meshway.cli.registry_client import RegistryClient
from meshway.cli.waiting import preference, seconds_of, standing_at


class Answers:
    """A registry whose gateways come one revision further with every question."""

    def __init__(self, *revisions: int) -> None:
        self.left = list(revisions)

    def read(self, path: str) -> Any:
        return {"items": [{"node": "g", "live": True, "revision": self.left.pop(0), "refused": []}]}


def standing(answers: Answers, until: float) -> Any:
    return standing_at(cast("RegistryClient", answers), 3, until=until)


def test_it_asks_until_the_revision_runs_and_no_longer() -> None:
    answers = Answers(1, 2, 3, 4)
    assert standing(answers, float("inf")).is_reached
    assert answers.left == [4]


def test_when_time_is_over_it_has_asked_once() -> None:
    answers = Answers(1, 3)
    assert standing(answers, 0.0).behind == ("gateway g runs r1",)
    assert answers.left == [3]


class Known:
    """A registry that knows these gateways, and no more of them with every question."""

    def __init__(self, *gateways: dict[str, Any]) -> None:
        self.gateways = gateways

    def read(self, path: str) -> Any:
        return {"items": list(self.gateways)}


def look_at(*gateways: dict[str, Any]) -> Any:
    return standing_at(cast("RegistryClient", Known(*gateways)), 3, until=0.0)


def test_a_gateway_that_fell_silent_within_the_last_minutes_is_behind_by_name() -> None:
    running = {"node": "g", "live": True, "revision": 3, "last_report_s": 0.4}
    stopped = {"node": "h", "live": False, "revision": 2, "last_report_s": 31.4}
    found = look_at(running, stopped)
    assert not found.is_reached
    assert found.text == "applied by 1 of 2 gateways"
    assert found.silent == ("gateway h has been silent for 31 s, at r2",)
    alone = look_at(stopped)
    assert (alone.is_reached, alone.told("revision 3")) == (False, "✗ revision 3   applied by 0 of 1 gateway")


def test_a_document_that_waits_for_the_registry_is_waited_for_and_one_that_is_refused_is_not() -> None:
    row = {"kind": "Certificate", "namespace": "shop", "name": "edge", "path": "spec.mesh_ca", "reason": "none yet"}
    gateway = {"node": "g", "live": True, "revision": 3, "last_report_s": 0.4}
    waits = look_at(gateway | {"refused": [row | {"is_pending": True}]})
    assert (waits.is_reached, waits.refused) == (False, ())
    assert waits.behind == ("gateway g waits with Certificate shop/edge: spec.mesh_ca: none yet",)
    refuses = look_at(gateway | {"refused": [row]})
    assert (refuses.is_reached, refuses.behind) == (False, ())
    assert refuses.refused == ("gateway g refuses Certificate shop/edge: spec.mesh_ca: none yet",)


def test_without_any_gateway_there_is_nobody_to_wait_for_which_is_said() -> None:
    for found in (look_at(), look_at({"node": "h", "live": False, "revision": 2, "last_report_s": 4000.0})):
        assert (found.is_reached, found.is_known, found.silent) == (True, False, ())
        assert found.told("revision 3").startswith("! revision 3   no gateway is live to run it; ")


def test_a_wait_without_its_value_takes_the_usual_one_and_that_of_another_program_is_left_alone() -> None:
    assert list(with_values(["apply", "--wait", "-f", "x", "--", "run", "--wait"])) == [
        "apply", "--wait=10s", "-f", "x", "--", "run", "--wait",
    ]  # fmt: skip
    assert list(with_values(["apply", "--wait=5s"])) == ["apply", "--wait=5s"]


def test_the_registry_is_asked_to_hold_its_answer_as_long_as_it_may() -> None:
    assert (preference(None), preference(2.5), preference(90.0)) == ({}, {"prefer": "wait=3"}, {"prefer": "wait=30"})
    with pytest.raises(CliError, match="--for"):
        seconds_of("--for", "soon")
