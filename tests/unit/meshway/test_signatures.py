"""Signatures as libcrypto judges them, and that a bad one leaves nothing behind."""

import _ssl
import ctypes
import gc
import threading

import pytest

from meshway.jwt_keys import ALGORITHMS
from meshway.signatures import BadKey, PublicKey, Scheme, ec_der, ed25519_der, rsa_der
from tests.parts.tokens import SigningKey

KEYS = {
    "RSA": SigningKey("RSA"),
    "P-256": SigningKey("EC"),
    "P-384": SigningKey("EC", curve="P-384"),
    "P-521": SigningKey("EC", curve="P-521"),
    "Ed25519": SigningKey("OKP"),
}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_signature_holds_for_its_message_its_key_and_its_scheme(algorithm: str) -> None:
    kind, curve, scheme = ALGORITHMS[algorithm]
    key = KEYS[curve or kind]
    public, signature = PublicKey(key.der), key.sign(b"message", algorithm)
    assert public.verifies(scheme, b"message", signature)
    assert not public.verifies(scheme, b"another", signature)
    assert not public.verifies(scheme, b"message", signature[:-1])
    assert not public.verifies(scheme, b"message", signature + b"\x00")
    assert not public.verifies(scheme, b"message", b"")
    other = SigningKey(key.kind, curve=curve or "P-256")
    assert not PublicKey(other.der).verifies(scheme, b"message", signature)


def test_padding_of_another_scheme_is_no_signature() -> None:
    public, plain = PublicKey(KEYS["RSA"].der), KEYS["RSA"].sign(b"message", "RS256")
    assert not public.verifies(Scheme("SHA256", is_pss=True), b"message", plain)
    assert not public.verifies(Scheme("SHA512"), b"message", plain)


def test_our_own_form_of_a_key_is_libcryptos() -> None:
    for name, size in (("P-256", 32), ("P-384", 48), ("P-521", 66)):
        der = KEYS[name].der
        assert ec_der(name, der[-2 * size : -size], der[-size:]) == der
    assert ed25519_der(KEYS["Ed25519"].der[-32:]) == KEYS["Ed25519"].der
    der = KEYS["RSA"].der
    assert rsa_der(int.from_bytes(der[-261:-5], "big"), 65537) == der


@pytest.mark.parametrize("der", [b"", b"\x30", KEYS["P-256"].der[:-1], bytes(91)])
def test_bytes_that_are_no_key_are_refused(der: bytes) -> None:
    with pytest.raises(BadKey):
        PublicKey(der)


def test_a_bad_signature_leaves_no_error_for_the_next_tls_record() -> None:
    library = ctypes.CDLL(_ssl.__file__)
    library.ERR_peek_error.restype = ctypes.c_ulong
    public = PublicKey(KEYS["RSA"].der)
    assert not public.verifies(Scheme("SHA256"), b"message", bytes(256))
    assert library.ERR_peek_error() == 0
    with pytest.raises(BadKey):
        PublicKey(b"nothing")
    assert library.ERR_peek_error() == 0


def test_one_key_serves_threads_beside_each_other_and_is_freed_once() -> None:
    public, signature = PublicKey(KEYS["P-256"].der), KEYS["P-256"].sign(b"message")
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
    for _ in range(1_000):
        PublicKey(KEYS["P-256"].der)
    gc.collect()
    assert public.verifies(scheme, b"message", signature)
