"""Who comes by an issuer's word, and in which groups."""

from typing import Any

import pytest

from meshway.jwt import TokenFault
from registry.federation.federation import principal_of
from registry.federation.providers import Provider


def principal(claims: dict[str, Any], **fields: Any) -> tuple[str, set[str]]:
    provider = Provider(name="corp", issuer="https://id.example", audiences=("m",), **fields)
    found = principal_of(provider, claims, "oidc")
    return found.name, set(found.groups)


def test_groups_are_the_provider_s_own() -> None:
    assert principal({"sub": "ada", "groups": ["devs", "a:b"]}) == ("sso:corp:ada", {"corp:devs", "corp:a:b"})
    assert principal({"sub": "ada", "groups": "devs"}) == ("sso:corp:ada", {"corp:devs"})
    assert principal({"sub": "ada", "realm": {"roles": ["x"]}}, groups_claim="realm.roles")[1] == {"corp:x"}
    assert principal({"sub": "ada"})[1] == set()
    assert principal({"sub": "ada", "groups": ["x" * 300, "a\nb", " c", "ok"]})[1] == {"corp:ok"}
    assert principal({"sub": "ada", "groups": {"admins": True}})[1] == set()


@pytest.mark.parametrize("name", [None, "", 7, True, ["ada"], "a\nb", " ada", "x" * 201])
def test_what_is_no_name_names_nobody(name: object) -> None:
    with pytest.raises(TokenFault, match="names nobody"):
        principal({"sub": name})


def test_a_claim_that_is_required_has_one_of_its_values() -> None:
    required = {"ref": ("refs/heads/main", "refs/heads/stable")}
    assert principal({"sub": "ci", "ref": "refs/heads/stable"}, required_claims=required)[0] == "sso:corp:ci"
    for ref in ("refs/heads/main2", "", None, ["refs/heads/x"], {"refs/heads/main": 1}):
        with pytest.raises(TokenFault, match="ref"):
            principal({"sub": "ci", "ref": ref}, required_claims=required)


@pytest.mark.parametrize(
    "fields", [{"name_claim": "email"}, {"groups_claim": "email"}, {"required_claims": {"email": ("a@b.example",)}}]
)
def test_an_address_counts_when_it_is_verified(fields: dict[str, Any]) -> None:
    claims: dict[str, Any] = {"sub": "ada", "email": "a@b.example"}
    for verified in (None, False, "false", "yes", 1, [True, False]):
        with pytest.raises(TokenFault, match="verified"):
            principal(claims | {"email_verified": verified}, **fields)
    for verified in (True, "true"):
        assert principal(claims | {"email_verified": verified}, **fields)[0].startswith("sso:corp:a")
