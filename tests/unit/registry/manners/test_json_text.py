"""Bodies as Structs, and what is wrong with those that are none."""

from typing import Annotated

import msgspec
import pytest
from msgspec import Meta

from meshway.problem import Problem
from registry.manners.json_text import decoder_of, parse_json


class Cup(msgspec.Struct, forbid_unknown_fields=True):
    size: Annotated[int, Meta(ge=1)]
    colour: str = "white"


class Lenient(msgspec.Struct):
    known: int = 0


def test_what_is_skipped_must_be_text_too() -> None:
    decode = decoder_of(Lenient, "")
    assert decode(b'{"unknown": "x", "known": 1}').known == 1
    with pytest.raises(Problem) as refused:
        decode(b'{"unknown": "\x8e"}')
    assert (refused.value.status, refused.value.code) == (400, "malformed_json")


def _problem(body: bytes) -> Problem:
    with pytest.raises(Problem) as caught:
        decoder_of(Cup, "")(body)
    return caught.value


def test_a_sound_body_is_a_struct() -> None:
    assert decoder_of(Cup, "")(b'{"size": 2}') == Cup(2)


def test_malformed_json_is_told_with_line_and_column() -> None:
    problem = _problem(b'{\n  "size": 1,\n  "colour": oops\n}')
    assert (problem.status, problem.code) == (400, "malformed_json")
    assert (problem.errors[0].line, problem.errors[0].column) == (3, 13)


def test_a_body_that_ends_too_early_says_where() -> None:
    problem = _problem(b'{"size": 1,\n "col')
    assert (problem.errors[0].line, problem.errors[0].column) == (2, 6)


@pytest.mark.parametrize("body", [b"", b"   "])
def test_an_empty_body_is_named(body: bytes) -> None:
    assert "empty" in str(_problem(body).detail)


def test_bytes_that_are_no_text_are_refused() -> None:
    assert _problem(b'{"size": 1, "colour": "\xff"}').status == 400


def test_every_error_is_told_at_once_with_the_nearest_name() -> None:
    problem = _problem(b'{"size": 0, "color": "red"}')
    assert problem.status == 422
    assert {error.code for error in problem.errors} == {"out_of_bounds", "unknown_field"}
    assert any("colour" in error.message for error in problem.errors)


def test_deep_nests_are_refused_and_not_followed() -> None:
    with pytest.raises(Problem) as caught:
        parse_json(b"[" * 100_000)
    assert caught.value.status == 400
