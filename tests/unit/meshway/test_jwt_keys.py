"""Which keys of a JWKS are taken, and that no private one ever is."""

import json
from typing import Any

import pytest

from meshway.jwt_keys import KeyFault, KeySet, decode_base64url, parse_set, read_keys, sort_keys
from tests.parts.tokens import SigningKey, base64url

RSA, EC, ED = SigningKey("RSA"), SigningKey("EC"), SigningKey("OKP")


def fault(key: dict[str, Any]) -> str:
    with pytest.raises(KeyFault) as caught:
        read_keys({"keys": [EC.jwk("good"), key]})
    return caught.value.at


@pytest.mark.parametrize(
    ("key", "at"),
    [
        (EC.jwk(d="AA"), ".keys[1].d"),
        (RSA.jwk(p="AA"), ".keys[1].p"),
        ({"kty": "oct", "k": "AA"}, ".keys[1].k"),
        ({"kty": "oct"}, ".keys[1].kty"),
        ({}, ".keys[1].kty"),
        (EC.jwk(use="enc"), ".keys[1].use"),
        (EC.jwk(key_ops=["encrypt"]), ".keys[1].key_ops"),
        (EC.jwk(key_ops="verify it"), ".keys[1].key_ops"),
        (EC.jwk(alg="HS256"), ".keys[1].alg"),
        (EC.jwk(alg="RS256"), ".keys[1].alg"),
        (EC.jwk(alg="ES384"), ".keys[1].alg"),
        (EC.jwk(crv="P-192"), ".keys[1].crv"),
        (EC.jwk(crv="P-384"), ".keys[1].x"),
        (EC.jwk(x=EC.jwk()["x"] + "="), ".keys[1].x"),
        (EC.jwk(y=7), ".keys[1].y"),
        (EC.jwk(kid="k" * 257), ".keys[1].kid"),
        (EC.jwk(kid=7), ".keys[1].kid"),
        (EC.jwk("good"), ".keys[1].kid"),
        (ED.jwk(crv="X25519"), ".keys[1].crv"),
        (ED.jwk(x="AAAA"), ".keys[1].x"),
        (SigningKey("RSA", size=1024).jwk(), ".keys[1].n"),
        (RSA.jwk(n=base64url(b"\x80" + bytes(255))), ".keys[1].n"),
        (RSA.jwk(e=base64url(b"\x01")), ".keys[1].e"),
        (RSA.jwk(e=base64url(b"\x01\x00\x00")), ".keys[1].e"),
        (RSA.jwk(e=base64url(b"\x01" + bytes(7) + b"\x01")), ".keys[1].e"),
    ],
)
def test_a_key_that_could_not_be_trusted_is_named_by_its_field(key: dict[str, Any], at: str) -> None:
    assert fault(key) == at


def test_a_fault_tells_nothing_of_the_key() -> None:
    with pytest.raises(KeyFault) as caught:
        read_keys({"keys": [EC.jwk("good", d="c2VjcmV0")]})
    assert "c2VjcmV0" not in str(caught.value)
    assert str(caught.value).startswith("keys[0].d: ")


@pytest.mark.parametrize("document", [None, [], {}, {"keys": {}}, {"keys": ["a"]}, {"keys": [{}] * 65}])
def test_what_is_no_set_is_no_set(document: object) -> None:
    with pytest.raises(KeyFault):
        sort_keys(document)


def test_a_published_set_is_used_as_far_as_it_can_be() -> None:
    keys, faults = sort_keys({"keys": [EC.jwk("a", use="enc"), RSA.jwk("b"), {"kty": "new"}, EC.jwk("c")]})
    assert [key.key_id for key in keys] == ["b", "c"]
    assert [fault.at for fault in faults] == [".keys[0].use", ".keys[2].kty"]


def test_a_point_off_its_curve_is_no_key() -> None:
    keys, faults = sort_keys({"keys": [EC.jwk("off", y=EC.jwk()["x"]), RSA.jwk("good")]})
    assert [key.key_id for key in keys] == ["good"]
    assert [str(fault) for fault in faults] == ["keys[0].x: and y are a point off the curve"]


def test_a_key_is_found_by_its_id_and_for_its_algorithm_only() -> None:
    keys = KeySet(read_keys({"keys": [RSA.jwk("r", alg="RS256"), EC.jwk("e"), ED.jwk(None)]}))
    assert keys.find("r", "RS256") is not None
    assert keys.find("r", "PS256") is None
    assert keys.find("e", "RS256") is None
    assert keys.find("e", "ES256") is keys.find(None, "ES256") is not None
    assert keys.find(None, "EdDSA") is not None
    assert keys.find("", "EdDSA") is None


@pytest.mark.parametrize("text", ["AA==", "A", "AB", "A+A/", "AA\n", " AA", "AA A", "é"])
def test_only_one_spelling_of_bytes_is_read(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - which of its kinds does not matter
        decode_base64url(text)
    assert decode_base64url("AA") == b"\x00"


@pytest.mark.parametrize("text", [b"no JSON", b"\xff", b"[" * 100_000, b" " * ((1 << 20) + 1)])
def test_a_fetched_text_that_is_no_set_is_a_fault(text: bytes) -> None:
    with pytest.raises(KeyFault):
        read_keys(parse_set(text))
    assert read_keys(parse_set(json.dumps({"keys": [EC.jwk()]}).encode()))[0].key_id == "k1"
