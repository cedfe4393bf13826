"""What a program sends to get a certificate: a PKCS #10 request (RFC 2986), of which the key alone counts."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from meshway.problem import FieldError, Problem

if TYPE_CHECKING:
    from registry.identity.issuing import PublicKey

MAX_REQUEST: Final = 16 << 10  # bytes of PEM
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1)
# Above, one verification would cost milliseconds: here, and to whoever is shown the certificate.
_RSA_BITS: Final = range(2048, 8193)
_RSA_EXPONENT: Final = 65537
_MEND: Final = "P-256, P-384, Ed25519 or RSA of 2048 to 8192 bits: openssl req -new -newkey ec -pkeyopt …:P-256 -nodes"


class SigningRequest(NamedTuple):
    """A key whose owner asks. digest: SHA-256 of the public key. der: what its owner signed."""

    public_key: PublicKey
    digest: bytes
    der: bytes


def read_signing_request(pem: str) -> SigningRequest:
    """The names in it are nobody's: they are not even read. Raises Problem 422."""
    if len(pem) > MAX_REQUEST:
        raise refused_request(f"is above {MAX_REQUEST >> 10} KiB")
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        public_key = _taken(request.public_key())
        is_proved = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature):
        raise refused_request("is no certificate signing request in PEM") from None
    if not is_proved:
        raise refused_request("is not signed by its own key")
    return SigningRequest(public_key, key_digest(public_key), request.public_bytes(serialization.Encoding.DER))


def key_digest(public_key: object) -> bytes:
    assert hasattr(public_key, "public_bytes")
    spki = public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).digest()


def _taken(public_key: object) -> PublicKey:
    """Those that are strong enough, and that every TLS library takes."""
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        if isinstance(public_key.curve, _CURVES):
            return public_key
        raise refused_request(f"has a key on {public_key.curve.name}")
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        return public_key
    if isinstance(public_key, rsa.RSAPublicKey):
        if public_key.key_size not in _RSA_BITS:
            raise refused_request(f"has an RSA key of {public_key.key_size} bits")
        if public_key.public_numbers().e != _RSA_EXPONENT:
            raise refused_request("has an RSA key whose exponent is not 65537")
        return public_key
    raise refused_request("has a key of a kind that is not taken")


def refused_request(why: str) -> Problem:
    message = f"csr: {why}"
    return Problem(
        422,
        "invalid_signing_request",
        "Invalid signing request",
        detail=message,
        mend=_MEND,
        errors=(FieldError(path="csr", code="invalid_signing_request", message=message),),
    )
