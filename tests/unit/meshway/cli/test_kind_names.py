"""Kinds are understood as people write them."""

import pytest

from meshway.cli.failure import USAGE, CliError
from meshway.cli.kind_names import kind_and_name, kind_named
from meshway.model.kinds import BY_PLURAL


@pytest.mark.parametrize(
    "word",
    [
        "TrafficPolicy",
        "trafficpolicy",
        "trafficpolicies",
        "traffic-policy",
        "traffic-policies",
        "tp",
        "TRAFFIC-POLICIES",
    ],
)
def test_one_kind_has_many_spellings(word: str) -> None:
    assert kind_named(word) == "TrafficPolicy"


def test_a_typing_error_is_answered_with_the_nearest() -> None:
    with pytest.raises(CliError) as refused:
        kind_named("rout")
    assert refused.value.code == USAGE
    assert refused.value.mend == "did you mean route?"


def test_what_is_like_nothing_is_answered_with_all() -> None:
    with pytest.raises(CliError) as refused:
        kind_named("xyzzy", {"gateways": "gateways", "gw": "gateways"})
    names = sorted([*BY_PLURAL, "gateways"])
    assert {"authentications", "routes", "services"} < set(names)
    assert refused.value.mend == f"kinds: {', '.join(names)}"


@pytest.mark.parametrize(
    ("words", "name", "found"),
    [
        ("route/cart", None, ("Route", "cart")),
        ("route", "cart", ("Route", "cart")),
        ("routes", None, ("Route", None)),
        ("route/", None, ("Route", None)),
    ],
)
def test_kind_and_name_stand_in_one_word_or_two(words: str, name: str | None, found: tuple[str, str | None]) -> None:
    assert kind_and_name(words, name) == found


def test_a_name_said_twice_is_refused() -> None:
    with pytest.raises(CliError):
        kind_and_name("route/cart", "basket")
