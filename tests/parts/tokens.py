"""Who issues tokens in tests: keys of their own making, and tokens as they should be, or as asked for."""

import base64
import json
import time
from typing import Any, Protocol

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from meshway.jwt_keys import ALGORITHMS
from meshway.signatures import Scheme

ISSUER = "https://id.example"
AUDIENCE = "shop"


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class SigningKey:
    """kind: `RSA`, `EC` or `OKP`; size: of an RSA key in bits; curve: of an EC key."""

    def __init__(self, kind: str = "EC", *, size: int = 2048, curve: str = "P-256") -> None:
        self.kind, self.size, self.curve = kind, size, {"OKP": "Ed25519", "RSA": ""}.get(kind, curve)
        self._key: Any
        if kind == "RSA":
            self._key = rsa.generate_private_key(65537, size)
        elif kind == "EC":
            self._key = ec.generate_private_key(
                {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}[curve]
            )
        else:
            self._key = ed25519.Ed25519PrivateKey.generate()
        self.der: bytes = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def algorithm(self) -> str:
        return {"RSA": "RS256", "OKP": "EdDSA"}.get(self.kind) or {
            "P-256": "ES256", "P-384": "ES384", "P-521": "ES512"
        }[self.curve]  # fmt: skip

    def jwk(self, key_id: str | None = "k1", **members: Any) -> dict[str, Any]:
        public: dict[str, Any] = {"kty": self.kind}
        if self.kind == "RSA":
            numbers = self._key.public_key().public_numbers()
            public |= {"n": base64url(numbers.n.to_bytes(self.size // 8, "big")), "e": base64url(b"\x01\x00\x01")}
        elif self.kind == "EC":
            size = {"P-256": 32, "P-384": 48, "P-521": 66}[self.curve]
            public |= {
                "crv": self.curve,
                "x": base64url(self.der[-2 * size : -size]),
                "y": base64url(self.der[-size:]),
            }
        else:
            public |= {"crv": "Ed25519", "x": base64url(self.der[-32:])}
        return public | ({} if key_id is None else {"kid": key_id}) | members

    def sign(self, message: bytes, algorithm: str | None = None) -> bytes:
        """As JWS has signatures: of ECDSA r and s in full size."""
        scheme: Scheme = ALGORITHMS[algorithm or self.algorithm][2]
        if not scheme.digest:
            return bytes(self._key.sign(message))
        digest = getattr(hashes, scheme.digest)()
        if scheme.ecdsa_size:
            r, s = decode_dss_signature(self._key.sign(message, ec.ECDSA(digest)))
            return r.to_bytes(scheme.ecdsa_size, "big") + s.to_bytes(scheme.ecdsa_size, "big")
        pss = padding.PSS(padding.MGF1(digest), padding.PSS.DIGEST_LENGTH)
        return bytes(self._key.sign(message, pss if scheme.is_pss else padding.PKCS1v15(), digest))


def claims(**changes: Any) -> dict[str, Any]:
    """Good for five minutes; a change to None leaves the claim out."""
    now = int(time.time())
    made = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 300} | changes
    return {name: value for name, value in made.items() if value is not None}


class Signer(Protocol):
    @property
    def algorithm(self) -> str: ...

    def sign(self, message: bytes, algorithm: str | None = None, /) -> bytes: ...


def token(key: Signer, body: dict[str, Any] | None = None, **header: Any) -> str:
    """header: members beside alg and kid; a change to None leaves one out."""
    head = {"alg": key.algorithm, "kid": "k1", "typ": "JWT"} | header
    head = {name: value for name, value in head.items() if value is not None}
    return raw_token(key, json.dumps(head).encode(), json.dumps(claims() if body is None else body).encode())


def raw_token(key: Signer, head: bytes, body: bytes, algorithm: str | None = None) -> str:
    """Signed whatever head and body are."""
    signed = f"{base64url(head)}.{base64url(body)}"
    return f"{signed}.{base64url(key.sign(signed.encode(), algorithm))}"
