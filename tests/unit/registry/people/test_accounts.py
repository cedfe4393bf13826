"""Which passwords are taken."""

import pytest

from meshway.passwords import OF_PEOPLE, Cost, nobody
from meshway.problem import Problem
from registry.people import accounts
from registry.people.accounts import refuse_weak


def test_a_persons_password_costs_what_rfc_9106_asks_and_nobodys_as_much() -> None:
    """§4, the second choice, on one lane."""
    assert Cost(memory_kib=64 << 10, turns=3) == OF_PEOPLE
    assert nobody(OF_PEOPLE) == accounts._NOBODY


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
