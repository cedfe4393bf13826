"""Service tokens: who calls, for callers that do not speak TLS to their gateway (RFC 7519, ES256).

They are given to the owner of a live certificate, who signs what he asks with its key. A token names the certificate by
its serial's hash, so that it falls with it when that is revoked.
"""

from __future__ import annotations

import base64
import json
import secrets
from typing import TYPE_CHECKING, Any, Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from meshway.identity import AUDIENCE, TOKEN_REQUEST, serial_hash, token_issuer
from meshway.problem import Problem
from registry.identity.proof import signed_by

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.identity.custody import Custody
    from registry.identity.enrolment import Enrolment

TOKEN_S: Final = 3600.0
# How far the caller's clock may be off: as far as the proof he signed may be used again, by whoever hears it.
_SKEW_S: Final = 60.0


class ServiceToken(msgspec.Struct, frozen=True, kw_only=True):
    """expires_at: seconds since 1970."""

    token: str
    subject: str
    expires_at: float


class ServiceTokens:
    """wall: seconds since 1970."""

    def __init__(self, custody: Custody, enrolment: Enrolment, wall: Callable[[], float]) -> None:
        self._custody = custody
        self._enrolment = enrolment
        self._wall = wall

    async def issue(self, certificate: str, at: int, proof: str) -> ServiceToken:
        """proof: base64 of TOKEN_REQUEST and `at`, seconds since 1970, signed with the certificate's key.

        Raises Problem 401.
        """
        record = await self._enrolment.live(certificate)
        now = self._wall()
        if abs(now - at) > _SKEW_S:
            raise _refused(f"at is {abs(now - at):.0f} s off: set the clock")
        leaf = x509.load_der_x509_certificate(record.value)
        if not signed_by(leaf, TOKEN_REQUEST + str(at).encode(), proof):
            raise _refused("the proof is not signed with the certificate's key")
        trust = await self._custody.trust()
        key = self._custody.key_of(trust.token_key)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        expires_at = int(min(now + TOKEN_S, record.not_after))
        claims = {
            "iss": token_issuer(trust.trust_domain),
            "aud": AUDIENCE,
            "sub": record.subject,
            "iat": int(now),
            "exp": expires_at,
            "jti": secrets.token_hex(8),
            "cert": f"{serial_hash(leaf.serial_number):016x}",
        }
        return ServiceToken(
            token=sign_token(claims, key, trust.token_key.id), subject=record.subject, expires_at=float(expires_at)
        )


def sign_token(claims: dict[str, Any], key: ec.EllipticCurvePrivateKey, key_id: str) -> str:
    """RFC 7515 §3.1; the signature as RFC 7518 §3.4 writes it."""
    header = {"alg": "ES256", "kid": key_id, "typ": "JWT"}
    signed = b".".join(_base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256())))
    return (signed + b"." + _base64url(r.to_bytes(32, "big") + s.to_bytes(32, "big"))).decode()


def _base64url(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def _refused(why: str) -> Problem:
    return Problem(401, "invalid_certificate", "No token", detail=why)
