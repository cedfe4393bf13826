"""Which signatures hold, and which numbers are a key."""

import threading

import pytest

from meshway.jwt_keys import ALGORITHMS, decode_base64url, read_keys
from meshway.signatures import BadKey, PublicKey, Scheme, SharedKey, ec_key, rsa_key
from tests.parts.tokens import SigningKey

KEYS = {
    "RSA": SigningKey("RSA"),
    "P-256": SigningKey("EC"),
    "P-384": SigningKey("EC", curve="P-384"),
    "P-521": SigningKey("EC", curve="P-521"),
    "Ed25519": SigningKey("OKP"),
}


def public_of(key: SigningKey) -> PublicKey | SharedKey:
    return read_keys({"keys": [key.jwk()]})[0].public


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_signature_holds_for_its_message_its_key_and_its_scheme(algorithm: str) -> None:
    kind, curve, scheme = ALGORITHMS[algorithm]
    key = KEYS[curve or kind]
    public, signature = public_of(key), key.sign(b"message", algorithm)
    assert public.verifies(scheme, b"message", signature)
    assert not public.verifies(scheme, b"another", signature)
    assert not public.verifies(scheme, b"message", signature[:-1])
    assert not public.verifies(scheme, b"message", signature + b"\x00")
    assert not public.verifies(scheme, b"message", b"")
    other = SigningKey(key.kind, curve=curve or "P-256")
    assert not public_of(other).verifies(scheme, b"message", signature)


def test_padding_of_another_scheme_is_no_signature() -> None:
    public, plain = public_of(KEYS["RSA"]), KEYS["RSA"].sign(b"message", "RS256")
    assert not public.verifies(Scheme("SHA256", is_pss=True), b"message", plain)
    assert not public.verifies(Scheme("SHA512"), b"message", plain)


def test_numbers_that_are_no_key_are_refused() -> None:
    key = KEYS["P-256"].jwk()
    x, y = decode_base64url(key["x"]), decode_base64url(key["y"])
    with pytest.raises(BadKey):
        ec_key("P-256", y, x)
    with pytest.raises(BadKey):
        ec_key("P-256", b"\xff" * 32, y)
    with pytest.raises(BadKey):
        rsa_key(1 << 2047, 2)


def test_one_key_serves_threads_beside_each_other() -> None:
    public, signature = public_of(KEYS["P-256"]), KEYS["P-256"].sign(b"message")
    scheme, wrong = Scheme("SHA256", ecdsa_size=32), list[int]()

    def verify() -> None:
        told = [public.verifies(scheme, b"message" if at % 2 else b"other", signature) for at in range(200)]
        wrong.extend(at for at, is_good in enumerate(told) if is_good != at % 2)

    threads = [threading.Thread(target=verify) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not wrong
