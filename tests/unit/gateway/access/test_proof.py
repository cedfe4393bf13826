"""Rules that ask who calls."""

from typing import Any

import pytest

from gateway.access.proof import has_claims, is_anonymous, is_by_word_of, is_principal
from gateway.exchange import Exchange
from meshway.identity import ANONYMOUS, Principal
from meshway.model.match import StringMatch
from tests.parts.exchanges import ended

ADA = Principal("https://id.example#ada", method="jwt", claims={"realm": {"roles": ["reader", "admin"]}, "level": 7})


def by(principal: Principal | None) -> Exchange:
    return ended(principal=principal)


def test_whoever_has_proved_nothing_is_anonymous() -> None:
    assert [is_anonymous(by(one)) for one in (None, ANONYMOUS, ADA)] == [True, True, False]


def test_a_principal_is_compared_whole_and_only_where_it_was_proved() -> None:
    ada = is_principal("https://id.example#ada")
    assert [ada(by(one)) for one in (ADA, None, Principal("https://id.example#ada"))] == [True, False, False]
    others = is_principal(StringMatch(exact="https://id.example#ada", invert=True))
    assert [others(by(one)) for one in (ADA, None)] == [False, True]


@pytest.mark.parametrize(
    ("principal", "counts"),
    [
        (None, True),
        (ANONYMOUS, True),
        (Principal("user:ada", method="basic", policy="Authentication bank/people"), True),
        (Principal("user:ada", method="basic", policy="Authentication mesh/people"), True),
        (Principal("user:ada", method="basic", policy="Authentication shop/people"), False),
        (Principal("user:ada", method="basic", policy="Authentication banker/people"), False),
        (Principal("spiffe://mesh.internal/ns/shop/svc/a", method="mtls"), True),
        (Principal("spiffe://mesh.internal/ns/shop/svc/a", method="mtls", policy="Authentication shop/a"), True),
        (Principal("x509:partners:ada", method="mtls", policy="Authentication shop/a"), False),
        (Principal("spiffe://mesh.internal#ada", method="jwt", policy="Authentication shop/a"), False),
    ],
)
def test_the_word_of_other_namespaces_does_not_count(principal: Principal | None, counts: bool) -> None:
    assert is_by_word_of(("bank", "mesh"))(by(principal)) is counts


@pytest.mark.parametrize(
    ("claims", "holds"),
    [
        ({"realm.roles": "admin"}, True),
        ({"realm.roles": "adm"}, False),
        ({"realm.roles": StringMatch(prefix="read")}, True),
        ({"level": "7"}, True),
        ({"level": "7", "realm.roles": "owner"}, False),
        ({"realm.roles": StringMatch(exact="admin", invert=True)}, False),
        ({"realm.roles": StringMatch(exact="owner", invert=True)}, True),
        ({"nothing": StringMatch(present=False)}, True),
        ({"nothing": StringMatch(present=True)}, False),
        ({"realm": StringMatch(present=True)}, False),  # a block is no value
    ],
)
def test_claims_are_asked_by_name_and_by_path(claims: dict[str, Any], holds: bool) -> None:
    assert has_claims(claims)(by(ADA)) is holds


def test_who_has_no_token_has_no_claims() -> None:
    assert not has_claims({"level": "7"})(by(None))
    assert not has_claims({"level": "7"})(by(Principal("a", claims={"level": 7})))
