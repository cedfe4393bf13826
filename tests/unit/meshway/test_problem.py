"""A problem document says what, why and the mend, and nothing it does not have."""

import json

from meshway.problem import FieldError, Problem, invalid_document, soon


def test_a_problem_has_only_the_members_it_has_something_for() -> None:
    assert Problem(404, "not_found", "Not found").document() == {
        "type": "https://meshway.example/problems/not_found",
        "code": "not_found",
        "title": "Not found",
        "status": 404,
    }


def test_every_error_is_told_at_once_with_its_place() -> None:
    errors = (
        FieldError(path="spec.requests", code="out_of_bounds", message="spec.requests: 0 is below 1", line=4, column=3),
        FieldError(path="spec.burts", code="unknown_field", message="spec.burts: did you mean burst?"),
    )
    document = json.loads(invalid_document("Invalid RateLimit", errors).encode(instance="r-1"))
    assert document["status"] == 422
    assert document["instance"] == "r-1"
    assert [error["path"] for error in document["errors"]] == ["spec.requests", "spec.burts"]
    assert document["errors"][0]["line"] == 4
    assert "line" not in document["errors"][1]


def test_further_members_stand_beside_the_standard_ones() -> None:
    assert Problem(412, "stale", "Stale", extra={"current": {"kind": "Route"}}).document()["current"] == {
        "kind": "Route"
    }


def test_a_crowd_that_is_refused_is_not_told_to_come_back_at_the_same_moment() -> None:
    waits = {soon()["Retry-After"] for _ in range(200)}
    assert waits == {"1", "2", "3"}
