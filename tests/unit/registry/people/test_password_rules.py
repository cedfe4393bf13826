"""Which passwords are taken."""

import pytest

from meshway.problem import Problem
from registry.people.password_rules import refuse_weak


@pytest.mark.parametrize("password", ["correct horse", "täglich größer", "AaBbCcDdEeFf", "ann is my own name too"])
def test_a_long_password_needs_no_signs(password: str) -> None:
    refuse_weak(password, "ann")


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "fewer than 12"),
        ("elevenchars", "fewer than 12"),
        ("x" * 300, "more than 256 bytes"),
        ("abababababab", "easily guessed"),
        ("bartholomew1", "easily guessed"),
        ("Bartholomewbartholomew99", "easily guessed"),
    ],
)
def test_a_short_or_guessed_one_is_refused(password: str, why: str) -> None:
    with pytest.raises(Problem) as caught:
        refuse_weak(password, "bartholomew")
    assert caught.value.status == 422
    assert why in caught.value.errors[0].message
    assert caught.value.errors[0].path == "password"
    assert password not in str(caught.value.document()) or not password
