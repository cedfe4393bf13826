"""Verifies signatures of tokens: the schemes of RFC 7518 §3.1 and RFC 8037, those of public keys by `cryptography`.

That is imported when the first key is: most gateways and every command but a few never need it.
"""

import hmac
from typing import Any, Final, NamedTuple


class BadKey(Exception):
    """These numbers are no public key: a point off its curve, an even modulus."""


class Scheme(NamedTuple):
    """How a signature is made. digest: `SHA256`, …, "" = the key's own (Ed25519). is_pss: RSA with a salt as long as
    the digest (RFC 7518 §3.5). ecdsa_size: bytes of r and of s, which JWS writes one behind the other (§3.4), 0 = not
    ECDSA.
    """

    digest: str
    is_pss: bool = False
    ecdsa_size: int = 0


class PublicKey:
    """One of cryptography's. May be used by several threads."""

    __slots__ = ("_key",)

    def __init__(self, key: Any) -> None:
        self._key = key

    def verifies(self, scheme: Scheme, message: bytes, signature: bytes) -> bool:
        """Whether the key's owner signed the message. Whatever is wrong with the signature is a no."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, padding
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

        try:
            if not scheme.digest:
                self._key.verify(signature, message)
                return True
            digest = getattr(hashes, scheme.digest)()
            if (size := scheme.ecdsa_size) > 0:
                if len(signature) != 2 * size:
                    return False
                r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
                self._key.verify(encode_dss_signature(r, s), message, ec.ECDSA(digest))
            elif scheme.is_pss:
                pss = padding.PSS(padding.MGF1(digest), padding.PSS.DIGEST_LENGTH)
                self._key.verify(signature, message, pss, digest)
            else:
                self._key.verify(signature, message, padding.PKCS1v15(), digest)
        except InvalidSignature:
            return False
        return True


class SharedKey:
    """A secret that signer and verifier share (HMAC, RFC 7518 §3.2)."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def verifies(self, scheme: Scheme, message: bytes, signature: bytes) -> bool:
        """As of a PublicKey."""
        return hmac.compare_digest(hmac.digest(self._secret, message, scheme.digest.lower()), signature)


def rsa_key(modulus: int, exponent: int) -> PublicKey:
    """Raises BadKey."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    try:
        return PublicKey(rsa.RSAPublicNumbers(exponent, modulus).public_key())
    except ValueError as error:
        raise BadKey("no modulus and exponent") from error


def ec_key(curve: str, x: bytes, y: bytes) -> PublicKey:
    """curve: `P-256 P-384 P-521`. Raises BadKey for a point off it."""
    from cryptography.hazmat.primitives.asymmetric import ec

    numbers = int.from_bytes(x, "big"), int.from_bytes(y, "big")
    try:
        return PublicKey(ec.EllipticCurvePublicNumbers(*numbers, getattr(ec, _CURVES[curve])()).public_key())
    except ValueError as error:
        raise BadKey("a point off its curve") from error


def ed25519_key(key: bytes) -> PublicKey:
    """key: 32 bytes. Raises BadKey."""
    from cryptography.hazmat.primitives.asymmetric import ed25519

    try:
        return PublicKey(ed25519.Ed25519PublicKey.from_public_bytes(key))
    except ValueError as error:
        raise BadKey("no point") from error


_CURVES: Final = {"P-256": "SECP256R1", "P-384": "SECP384R1", "P-521": "SECP521R1"}
