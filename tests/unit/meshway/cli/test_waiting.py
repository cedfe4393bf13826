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


def test_a_wait_without_its_value_takes_the_usual_one_and_that_of_another_program_is_left_alone() -> None:
    assert list(with_values(["apply", "--wait", "-f", "x", "--", "run", "--wait"])) == [
        "apply", "--wait=10s", "-f", "x", "--", "run", "--wait",
    ]  # fmt: skip
    assert list(with_values(["apply", "--wait=5s"])) == ["apply", "--wait=5s"]


def test_the_registry_is_asked_to_hold_its_answer_as_long_as_it_may() -> None:
    assert (preference(None), preference(2.5), preference(90.0)) == ({}, {"prefer": "wait=3"}, {"prefer": "wait=30"})
    with pytest.raises(CliError, match="--for"):
        seconds_of("--for", "soon")
