"""Who calls, and what its token says of it."""

import pytest

from meshway.identity import ANONYMOUS, Principal, claim, claim_texts

CLAIMS = {
    "sub": "ada",
    "realm": {"roles": ["reader", "admin"], "deep": {"level": 7}},
    "https://id.example/roles": ["buyer"],
    "a.b": "whole",
    "a": {"b": "path"},
    "none": None,
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("sub", "ada"),
        ("realm.roles", ["reader", "admin"]),
        ("realm.deep.level", 7),
        ("https://id.example/roles", ["buyer"]),
        ("a.b", "whole"),
        ("realm.nothing", None),
        ("sub.ada", None),
        ("realm.roles.0", None),
        ("none", None),
        ("", None),
    ],
)
def test_a_claim_is_found_by_its_name_or_its_path(path: str, found: object) -> None:
    assert claim(CLAIMS, path) == found


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ("ada", ("ada",)),
        (7, ("7",)),
        (True, ("true",)),
        (["a", 1, False], ("a", "1", "false")),
        ([["a"], {"b": 1}, None, "c"], ("c",)),
        ({"a": 1}, ()),
        (1.5, ()),
        (None, ()),
    ],
)
def test_only_plain_claims_are_compared(value: object, texts: tuple[str, ...]) -> None:
    assert claim_texts(value) == texts


def test_nobody_is_proved_unless_somebody_proves_it() -> None:
    assert (ANONYMOUS.method, ANONYMOUS.consumer, ANONYMOUS.service, ANONYMOUS.claims) == ("", "", "", {})
    assert Principal("a").claims is not Principal("b").claims
