"""Answers become errors that tell what, why and the mend."""

import httpx
import pytest

from meshway.client.errors import Conflict, MeshwayError, NotAllowed, NotFound, Unreachable, error_for
from meshway.problem import FieldError, Problem


def answer(problem: Problem) -> httpx.Response:
    request = httpx.Request("PUT", "http://registry/v1/x")
    return httpx.Response(problem.status, content=problem.encode(), request=request)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, NotFound), (409, Conflict), (412, Conflict), (401, NotAllowed), (403, NotAllowed), (422, MeshwayError),
        (502, Unreachable), (503, Unreachable), (504, Unreachable), (429, MeshwayError), (500, MeshwayError),
    ],
)  # fmt: skip
def test_each_status_has_its_class(status: int, kind: type[MeshwayError]) -> None:
    assert type(error_for(answer(Problem(status, "x", "X")))) is kind


def test_the_text_holds_every_error_and_the_mend() -> None:
    errors = tuple(FieldError(path=f"spec.{n}", code="out_of_bounds", message=f"spec.{n}: too much") for n in "ab")
    error = error_for(
        answer(Problem(422, "invalid_document", "Invalid", detail=errors[0].message, errors=errors, mend="less"))
    )
    assert str(error) == "spec.a: too much\nspec.b: too much\nmend: less"
    assert error.line == "spec.a: too much"
    assert error.problem.errors == errors


def test_members_beyond_the_usual_are_kept() -> None:
    error = error_for(answer(Problem(412, "stale", "Stale", extra={"current": {"kind": "Route"}})))
    assert error.problem.extra == {"current": {"kind": "Route"}}


@pytest.mark.parametrize("body", [b"<html>bad gateway", b"[]", b'{"title": "x"}', b""])
def test_an_answer_that_is_no_problem_document_is_said_to_be_one(body: bytes) -> None:
    response = httpx.Response(502, content=body, request=httpx.Request("GET", "http://registry/v1/x"))
    error = error_for(response)
    assert isinstance(error, Unreachable)
    assert "http://registry/v1/x answered 502" in str(error)
