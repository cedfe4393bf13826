"""What an Authentication may say."""

from typing import Any

import pytest

from meshway.model.authentication import Authentication
from meshway.model.decode import decode_spec
from meshway.model.fields import plain
from tests.parts.tokens import SigningKey

KEY = SigningKey("EC")


def jwt(**fields: Any) -> dict[str, Any]:
    whole = {"issuer": "https://id.example", "audiences": ["shop"], "jwks": {"keys": [KEY.jwk()]}} | fields
    return {name: value for name, value in whole.items() if value is not None}


def found(*methods: dict[str, Any], **fields: Any) -> list[tuple[str, str]]:
    _, errors = decode_spec("Authentication", {"methods": list(methods)} | fields)
    return [(error.path, error.code) for error in errors]


AT = "spec.methods[0].jwt"


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"issuer": None}, ".issuer", "missing_field"),
        ({"issuer": "https://id.example#x"}, ".issuer", "out_of_bounds"),
        ({"issuer": "id example"}, ".issuer", "out_of_bounds"),
        ({"audiences": []}, ".audiences", "out_of_bounds"),
        ({"algorithms": ["HS256"]}, ".algorithms", "forbidden_combination"),
        ({"algorithms": ["HS256"], "jwks": None, "jwks_uri": "https://a"}, ".algorithms", "forbidden_combination"),
        ({"algorithms": ["ES256", "HS256"], "jwks": {"secret": "keys"}}, ".algorithms", "forbidden_combination"),
        ({"algorithms": ["none"]}, ".algorithms[0]", "out_of_bounds"),
        ({"algorithms": []}, ".algorithms", "out_of_bounds"),
        ({"jwks": {"keys": [KEY.jwk(d="AA")]}}, ".jwks.keys[0].d", "bad_key"),
        ({"jwks": {"keys": []}}, ".jwks.keys", "bad_key"),
        ({"jwks": {"keys": [KEY.jwk(y=KEY.jwk()["x"])]}}, ".jwks.keys[0].x", "bad_key"),
        ({"jwks": {"secret": "Keys"}}, ".jwks", "bad_name"),
        ({"jwks": {"secret": "keys", "key": "a"}}, ".jwks", "bad_name"),
        ({"jwks": None}, "", "forbidden_combination"),
        ({"jwks_uri": "https://id.example/jwks"}, "", "forbidden_combination"),
        ({"jwks": None, "jwks_uri": "id.example/jwks"}, ".jwks_uri", "out_of_bounds"),
        ({"jwks": None, "jwks_uri": "file:///etc/passwd"}, ".jwks_uri", "out_of_bounds"),
        ({"jwks": None, "jwks_uri": "https:///jwks"}, ".jwks_uri", "out_of_bounds"),
        ({"jwks": None, "jwks_uri": "https://id.example:0/jwks"}, ".jwks_uri", "out_of_bounds"),
        ({"jwks": None, "jwks_uri": "https://id.example/a b"}, ".jwks_uri", "out_of_bounds"),
        ({"jwks": None, "jwks_uri": "https://id.example/jwks#a"}, ".jwks_uri", "out_of_bounds"),
        ({"jwks": None, "jwks_uri": "https://a:b@id.example/jwks"}, ".jwks_uri", "inline_secret"),
        ({"jwks": None, "jwks_uri": "https://id.example", "jwks_refresh": "1s"}, ".jwks_refresh", "out_of_bounds"),
        ({"jwks": None, "jwks_uri": "https://id.example", "jwks_max_stale": "1s"}, ".jwks_max_stale", "out_of_bounds"),
        ({"from": ["beare"]}, ".from[0]", "out_of_bounds"),
        ({"from": [{}]}, ".from[0]", "forbidden_combination"),
        ({"from": [{"header": "a b"}]}, ".from[0].header", "bad_name"),
        ({"from": [{"header": "Cookie"}]}, ".from[0].header", "forbidden_combination"),
        ({"from": [{"cookie": "a;b"}]}, ".from[0].cookie", "bad_name"),
        ({"from": [{"query": "a&b"}]}, ".from[0].query", "bad_name"),
        ({"clock_skew": "10m"}, ".clock_skew", "out_of_bounds"),
        ({"max_age": "0s"}, ".max_age", "out_of_bounds"),
        ({"claims_to_headers": {"sub": "X User"}}, ".claims_to_headers.sub", "bad_name"),
        ({"claims_to_headers": {"sub": "Host"}}, ".claims_to_headers.sub", "forbidden_combination"),
        ({"claims_to_headers": {"sub": "Meshway-User"}}, ".claims_to_headers.sub", "forbidden_combination"),
        ({"claims_to_headers": {"sub": "Authorization"}}, ".claims_to_headers.sub", "forbidden_combination"),
        ({"claims_to_headers": {"sub": "X-A", "mail": "x-a"}}, ".claims_to_headers.mail", "duplicate"),
        ({"required_claims": {"a": {"exact": "x", "prefix": "y"}}}, ".required_claims.a", "forbidden_combination"),
        ({"issuers": "x"}, ".issuers", "unknown_field"),
    ],
)
def test_what_would_not_hold_is_named(fields: dict[str, Any], path: str, code: str) -> None:
    assert (AT + path, code) in found({"jwt": jwt(**fields)})


def test_what_is_not_built_is_refused() -> None:
    for method in ("external", "service_token"):
        assert (f"spec.methods[0].{method}", "unsupported") in found({"jwt": jwt(), method: {}})


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"endpoint": "id.example"}, ".endpoint", "out_of_bounds"),
        ({"endpoint": "https://id.example/i?a=b"}, ".endpoint", "out_of_bounds"),
        ({"endpoint": "https://me:x@id.example/i"}, ".endpoint", "out_of_bounds"),
        ({"endpoint": "http://id.example/i"}, ".endpoint", "forbidden_combination"),
        ({"cache": "6m"}, ".cache", "out_of_bounds"),
        ({"negative_cache": "6m"}, ".negative_cache", "out_of_bounds"),
        ({"timeout": "0s"}, ".timeout", "out_of_bounds"),
        ({"timeout": "6s"}, ".timeout", "out_of_bounds"),
        ({"client_id": ""}, ".client_id", "out_of_bounds"),
    ],
)
def test_who_is_asked_of_tokens_must_be_somebody(fields: dict[str, Any], path: str, code: str) -> None:
    block = {"endpoint": "https://id.example/i", "client_id": "gateway", "client_secret": "s"}
    assert found({"introspection": block}) == []
    assert found({"introspection": block | {"endpoint": "http://127.0.0.1:1/i"}}) == []
    assert found({"introspection": block | fields}) == [(f"spec.methods[0].introspection{path}", code)]


def test_certificates_are_asked_by_each_authority_once() -> None:
    twice = decode_spec("Authentication", {"methods": [{"mtls": {}}, {"mtls": {"trust": "mesh"}}]})[1]
    assert [(error.path, error.code) for error in twice] == [("spec.methods[1].mtls.trust", "duplicate")]
    names = decode_spec("Authentication", {"methods": [{"mtls": {"principal": ["dns", "dns"]}}]})[1]
    assert [(error.path, error.code) for error in names] == [("spec.methods[0].mtls.principal[1]", "duplicate")]
    assert decode_spec("Authentication", {"methods": [{"mtls": {"trust": {"secret": "partners"}}}]})[1] == []


def test_a_method_is_exactly_one_and_names_secrets_by_their_names() -> None:
    assert found({"jwt": jwt(), "api_key": {}}) == [("spec.methods[0]", "forbidden_combination")]
    assert found({}) == [("spec.methods[0]", "forbidden_combination")]
    assert found({"basic": {}}) == [("spec.methods[0].basic.secret", "missing_field")]
    stray = {"basic": {"secret": {"secret": "users", "namespace": "theirs"}}}
    assert found(stray) == [("spec.methods[0].basic.secret.namespace", "out_of_bounds")]
    assert not found({"api_key": {}}, {"basic": {"secret": "users"}}, {"jwt": jwt()}, require="all")
    assert not found({"api_key": {"secret": {"secret": "keys"}, "from": [{"query": "key"}]}})
    assert not found({"jwt": jwt(algorithms=["HS256"], jwks={"secret": "keys"})})


def test_an_issuer_is_there_once_and_a_method_at_least() -> None:
    assert found({"jwt": jwt()}, {"jwt": jwt()}) == [("spec.methods[1].jwt.issuer", "duplicate")]
    assert found() == [("spec.methods", "out_of_bounds")]


def test_a_private_key_is_told_by_its_place_alone() -> None:
    _, errors = decode_spec("Authentication", {"methods": [{"jwt": jwt(jwks={"keys": [KEY.jwk(d="c2VjcmV0")]})}]})
    assert errors
    assert all("c2VjcmV0" not in error.message for error in errors)


def test_what_is_written_is_what_is_read_again() -> None:
    written = {"methods": [{"jwt": jwt(**{"from": ["bearer", {"cookie": "t"}], "max_age": "1h"})}]}
    spec, errors = decode_spec("Authentication", written)
    assert not errors
    assert isinstance(spec, Authentication)
    assert plain(spec) == written


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"keys": None}, ".keys", "missing_field"),
        ({"keys": "Keys"}, ".keys", "bad_name"),
        ({"components": []}, ".components", "out_of_bounds"),
        ({"components": ["@method", "@authority", "@query"]}, ".components", "forbidden_combination"),
        ({"components": ["@method", "@authority", "@path", "@query", "@status"]}, ".components[4]", "bad_name"),
        ({"components": ["@method", "@authority", "@path", "@query", "X-Till"]}, ".components[4]", "bad_name"),
        ({"components": ["@method", "@authority", "@path", "@query", "@path"]}, ".components[4]", "duplicate"),
        ({"max_age": "2h"}, ".max_age", "out_of_bounds"),
        ({"max_body": "32MiB"}, ".max_body", "out_of_bounds"),
        ({"nonce": "none"}, ".nonce", "out_of_bounds"),
    ],
)
def test_a_signature_is_of_the_whole_request_and_does_not_hold_for_long(
    fields: dict[str, Any], path: str, code: str
) -> None:
    whole = {name: value for name, value in ({"keys": "tills"} | fields).items() if value is not None}
    assert (f"spec.methods[0].hmac{path}", code) in found({"hmac": whole})
    assert not found({"hmac": {"keys": "tills", "components": ["@method", "@authority", "@path", "@query", "x-a"]}})
