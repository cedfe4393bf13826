"""What an Oidc block may say."""

from typing import Any

import pytest

from meshway.model.decode import decode_spec
from tests.unit.meshway.model.test_authentication_rules import found, jwt

AT = "spec.methods[0].oidc"


def oidc(**fields: Any) -> dict[str, Any]:
    whole = {"issuer": "https://id.example", "client_id": "desk", "client_secret": "desk-login"} | fields
    return {name: value for name, value in whole.items() if value is not None}


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"issuer": None}, ".issuer", "missing_field"),
        ({"issuer": "http://id.example"}, ".issuer", "forbidden_combination"),
        ({"issuer": "https://id.example?a=1"}, ".issuer", "out_of_bounds"),
        ({"issuer": "https://a:b@id.example"}, ".issuer", "out_of_bounds"),
        ({"issuer": "id.example"}, ".issuer", "out_of_bounds"),
        ({"client_id": None}, ".client_id", "missing_field"),
        ({"client_id": "a b"}, ".client_id", "out_of_bounds"),
        ({"client_secret": None}, ".client_secret", "missing_field"),
        ({"scopes": ["email"]}, ".scopes", "forbidden_combination"),
        ({"scopes": ["openid", "a b"]}, ".scopes[1]", "bad_name"),
        ({"scopes": ["openid", "openid"]}, ".scopes[1]", "duplicate"),
        ({"redirect_path": "back"}, ".redirect_path", "bad_path"),
        ({"redirect_path": "/a/../b"}, ".redirect_path", "bad_path"),
        ({"redirect_path": "//evil.example"}, ".redirect_path", "bad_path"),
        ({"logout": {"path": "/.meshway/oidc/callback"}}, ".logout.path", "duplicate"),
        ({"logout": {"path": "/a?b"}}, ".logout.path", "bad_path"),
        ({"claims_to_headers": {"email": "Cookie"}}, ".claims_to_headers.email", "forbidden_combination"),
        ({"forward": "refresh_token"}, ".forward", "out_of_bounds"),
        ({"session": {"store": "shared"}}, ".session.store", "out_of_bounds"),
        ({"session": {"lifetime": "169h"}}, ".session.lifetime", "out_of_bounds"),
        ({"session": {"idle": "1s"}}, ".session.idle", "out_of_bounds"),
        ({"session": {"same_site": "strict"}}, ".session.same_site", "out_of_bounds"),
        ({"session": {"domain": "example"}}, ".session.domain", "bad_name"),
        ({"session": {"domain": "a.example; Path=/x"}}, ".session.domain", "bad_name"),
    ],
)
def test_an_oidc_block_is_refused_at_its_place(fields: dict[str, Any], path: str, code: str) -> None:
    assert found({"oidc": oidc(**fields)}) == [(AT + path, code)]


def test_a_sound_block_beside_another_method_is_taken() -> None:
    assert found({"jwt": jwt()}, {"oidc": oidc()}) == []
    assert found({"oidc": oidc(issuer="http://127.0.0.1:9000/realm", session={"domain": "shop.example"})}) == []


def test_browsers_are_sent_to_one_issuer_and_are_sent_at_all() -> None:
    assert found({"oidc": oidc()}, {"oidc": oidc(issuer="https://b.example")}) == [
        ("spec.methods[1].oidc", "duplicate")
    ]
    _, errors = decode_spec("Authentication", {"methods": [{"oidc": oidc()}], "require": "optional"})
    assert [(error.path, error.code) for error in errors] == [("spec.require", "forbidden_combination")]
