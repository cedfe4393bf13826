"""What a Secret may hold by its type, and that no message tells any of it."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from meshway.model.decode import decode_document, decode_spec
from meshway.model.secret_data import key_names
from meshway.problem import Problem
from tests.parts.certificates import SelfSigned
from tests.parts.tokens import SigningKey

CANARY = "canary-f00d-1d"
KEY = SigningKey("EC")
HASH = "sha256:" + "0" * 64
LONG = base64.b64encode(bytes(32)).decode()
ARGON = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


def found(kind: str, data: object) -> list[tuple[str, str]]:
    _, errors = decode_spec("Secret", {"type": kind, "data": data})
    assert CANARY not in json.dumps([error.message for error in errors])
    return [(error.path.removeprefix("spec.data"), error.code) for error in errors]


@pytest.mark.parametrize(
    ("kind", "data", "names"),
    [
        ("opaque", {"client": CANARY, "a": ""}, ("a", "client")),
        ("api_key_set", [{"id": "abcdefgh", "hash": HASH, "consumer": "acme", "expires": "2030-01-01"}], ("abcdefgh",)),
        ("basic_users", [{"username": "ada", "password": "x"}, {"username": "bob", "hash": ARGON}], ("ada", "bob")),
        ("hmac_keys", [{"key_id": "pos-7", "secret": LONG}], ("pos-7",)),
        ("jwks", {"keys": [KEY.jwk(kid="a")]}, ("a",)),
        ("jwks", {"keys": [{"kty": "oct", "kid": "a", "alg": "HS256", "k": "A" * 43}]}, ("a",)),
    ],
)
def test_sound_data_is_taken_and_told_by_its_names(kind: str, data: Any, names: tuple[str, ...]) -> None:
    assert found(kind, data) == []
    assert key_names(kind, data) == names


@pytest.mark.parametrize(
    ("kind", "data", "path", "code"),
    [
        ("opaque", [CANARY], "", "wrong_type"),
        ("opaque", {"a": 7}, ".a", "wrong_type"),
        ("opaque", {str(at): "" for at in range(65)}, "", "out_of_bounds"),
        ("api_key_set", {"id": CANARY}, "", "wrong_type"),
        ("api_key_set", [CANARY], "[0]", "wrong_type"),
        ("api_key_set", [{"id": "abcdefgh"}], "[0].hash", "missing_field"),
        ("api_key_set", [{"id": "abcdefgh", "hash": CANARY}], "[0].hash", "out_of_bounds"),
        ("api_key_set", [{"id": CANARY, "hash": HASH}], "[0].id", "bad_name"),
        ("api_key_set", [{"id": "abcdefgh", "hash": HASH, "key": CANARY}], "[0].key", "unknown_field"),
        ("api_key_set", [{"id": "abcdefgh", "hash": HASH, "expires": CANARY}], "[0].expires", "out_of_bounds"),
        ("api_key_set", [{"id": "abcdefgh", "hash": HASH, "consumer": "A b"}], "[0].consumer", "bad_name"),
        ("api_key_set", [{"id": "abcdefgh", "hash": HASH}] * 2, "[1].id", "duplicate"),
        ("basic_users", [{"username": "ada"}], "[0]", "forbidden_combination"),
        ("basic_users", [{"username": "ada", "password": CANARY, "hash": ARGON}], "[0]", "forbidden_combination"),
        ("basic_users", [{"username": "a:b", "password": CANARY}], "[0].username", "bad_name"),
        ("basic_users", [{"username": "ada", "password": CANARY * 30}], "[0].password", "out_of_bounds"),
        ("basic_users", [{"username": "ada", "password": 1234}], "[0].password", "wrong_type"),
        ("basic_users", [{"username": "ada", "hash": CANARY}], "[0].hash", "out_of_bounds"),
        (
            "basic_users",
            [{"username": "ada", "hash": ARGON.replace("m=19456", "m=4000000")}],
            "[0].hash",
            "out_of_bounds",
        ),
        ("hmac_keys", [{"key_id": "a b", "secret": LONG}], "[0].key_id", "bad_name"),
        *(
            ("basic_users", [{"username": "ada", "hash": ARGON.replace(*change)}], "[0].hash", "out_of_bounds")
            for change in (("m=19456", "m=7"), ("$AAAAAAAAAAAAAAAAAAAAAA$", "$AA$"), (f"${'A' * 43}", "$AAAAA"))
        ),
        ("hmac_keys", [{"key_id": "a", "secret": CANARY}], "[0].secret", "out_of_bounds"),
        ("hmac_keys", [{"key_id": "a", "secret": "\u00e9" * 50}], "[0].secret", "out_of_bounds"),
        ("jwks", {"keys": []}, ".keys", "bad_key"),
        ("jwks", {"keys": [KEY.jwk(d=CANARY)]}, ".keys[0].d", "bad_key"),
        ("jwks", {"keys": [{"kty": "oct", "kid": "a", "alg": "HS256", "k": CANARY}]}, ".keys[0].k", "bad_key"),
        ("jwks", {"keys": [{"kty": "oct", "kid": "a", "alg": "HS512", "k": "A" * 43}]}, ".keys[0].k", "bad_key"),
        ("jwks", {"keys": [{"kty": "oct", "kid": "a", "alg": "none", "k": "A" * 43}]}, ".keys[0].alg", "bad_key"),
        ("jwks", {"keys": [{"kty": "oct", "alg": "HS256", "k": "A" * 43}]}, ".keys[0].kid", "bad_key"),
        (
            "jwks",
            {"keys": [{"kty": "oct", "kid": "a", "alg": "HS256", "k": "A" * 43}, KEY.jwk(kid="b")]},
            ".keys[1]",
            "bad_key",
        ),
        ("tls", {"certificate": CANARY, "private_key": CANARY}, ".certificate", "bad_pem"),
        ("tls", {"certificate": CANARY}, ".private_key", "missing_field"),
        ("ca_bundle", CANARY, "", "bad_pem"),
        ("ca_bundle", {"a": CANARY}, "", "wrong_type"),
    ],
)
def test_what_would_not_hold_is_named_by_its_place_alone(kind: str, data: Any, path: str, code: str) -> None:
    assert (path, code) in found(kind, data)


def test_a_certificate_and_its_key_belong_together(tmp_path: Path) -> None:
    one, other = (SelfSigned(tmp_path, host).path.read_text() for host in ("a.example", "b.example"))
    (key, certificate), (foreign, _) = (split(text) for text in (one, other))
    assert found("tls", {"certificate": certificate, "private_key": key}) == []
    assert found("tls", {"certificate": certificate, "private_key": foreign}) == [(".private_key", "bad_pem")]
    assert found("ca_bundle", certificate) == []


def split(pem: str) -> tuple[str, str]:
    """Key and certificate."""
    at = pem.index("-----BEGIN CERTIFICATE")
    return pem[:at], pem[at:]


@pytest.mark.parametrize(
    ("spec", "path", "code"),
    [
        ({"type": "opaque"}, "spec", "forbidden_combination"),
        ({"type": "opaque", "keep": True, "data": {"a": CANARY}}, "spec", "forbidden_combination"),
        ({"type": "opaque", "data": {"a": CANARY}, "overlap": "721h"}, "spec.overlap", "out_of_bounds"),
        ({"type": "opaque", "data": {"a": CANARY}, "share_with": ["shop"]}, "spec.share_with", "forbidden_namespace"),
        (
            {
                "type": "opaque",
                "data": {"a": CANARY},
                "versions": [{"n": 1, "created_at": "x", "fingerprint": "00000000"}],
            },
            "spec.versions",
            "forbidden_combination",
        ),
    ],
)
def test_what_a_secret_may_say_beside_its_data(spec: dict[str, Any], path: str, code: str) -> None:
    written = {
        "apiVersion": "meshway/v1",
        "kind": "Secret",
        "metadata": {"name": "a", "namespace": "shop"},
        "spec": spec,
    }
    with pytest.raises(Problem) as problem:
        decode_document(written)
    assert (path, code) in [(error.path, error.code) for error in problem.value.errors]
    assert CANARY not in str(problem.value.errors)
