"""Who issues tokens in tests: keys of libcrypto's own making, and tokens as they should be, or as asked for."""

import _ssl
import base64
import ctypes
import json
import time
from functools import cache
from typing import Any

from meshway.jwt_keys import ALGORITHMS
from meshway.signatures import Scheme

ISSUER = "https://id.example"
AUDIENCE = "shop"
_PSS = 6


@cache
def _libcrypto() -> Any:
    library = ctypes.CDLL(_ssl.__file__)
    pointer = ctypes.c_void_p
    library.EVP_PKEY_Q_keygen.restype = pointer
    library.EVP_MD_CTX_new.restype = pointer
    library.EVP_get_digestbyname.restype = pointer
    library.EVP_DigestSignInit.argtypes = [pointer, ctypes.POINTER(pointer), pointer, pointer, pointer]
    library.EVP_DigestSign.argtypes = [
        pointer, ctypes.c_char_p, ctypes.POINTER(ctypes.c_size_t), ctypes.c_char_p, ctypes.c_size_t
    ]  # fmt: skip
    library.EVP_PKEY_CTX_set_rsa_padding.argtypes = [pointer, ctypes.c_int]
    library.EVP_PKEY_CTX_set_rsa_pss_saltlen.argtypes = [pointer, ctypes.c_int]
    library.i2d_PUBKEY.argtypes = [pointer, ctypes.POINTER(ctypes.c_char_p)]
    library.EVP_MD_CTX_free.argtypes = [pointer]
    return library


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class SigningKey:
    """kind: `RSA`, `EC` or `OKP`; size: of an RSA key in bits; curve: of an EC key."""

    def __init__(self, kind: str = "EC", *, size: int = 2048, curve: str = "P-256") -> None:
        calls = _libcrypto()
        self.kind, self.size, self.curve = kind, size, {"OKP": "Ed25519", "RSA": ""}.get(kind, curve)
        if kind == "RSA":
            self._key = calls.EVP_PKEY_Q_keygen(None, None, b"RSA", ctypes.c_size_t(size))
        elif kind == "EC":
            self._key = calls.EVP_PKEY_Q_keygen(None, None, b"EC", ctypes.c_char_p(curve.encode()))
        else:
            self._key = calls.EVP_PKEY_Q_keygen(None, None, b"ED25519")
        assert self._key
        buffer = ctypes.create_string_buffer(calls.i2d_PUBKEY(self._key, None))
        at = ctypes.c_char_p(ctypes.addressof(buffer))
        calls.i2d_PUBKEY(self._key, ctypes.byref(at))
        self.der = buffer.raw

    @property
    def algorithm(self) -> str:
        return {"RSA": "RS256", "OKP": "EdDSA"}.get(self.kind) or {
            "P-256": "ES256", "P-384": "ES384", "P-521": "ES512"
        }[self.curve]  # fmt: skip

    def jwk(self, key_id: str | None = "k1", **members: Any) -> dict[str, Any]:
        public: dict[str, Any] = {"kty": self.kind}
        if self.kind == "RSA":
            modulus, exponent = _rsa_numbers(self.der, self.size // 8)
            public |= {"n": base64url(modulus), "e": base64url(exponent)}
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
        calls = _libcrypto()
        context, details = calls.EVP_MD_CTX_new(), ctypes.c_void_p()
        try:
            digest = calls.EVP_get_digestbyname(scheme.digest.encode()) if scheme.digest else None
            assert calls.EVP_DigestSignInit(context, ctypes.byref(details), digest, None, self._key) == 1
            if scheme.is_pss:
                assert calls.EVP_PKEY_CTX_set_rsa_padding(details, _PSS) == 1
                assert calls.EVP_PKEY_CTX_set_rsa_pss_saltlen(details, -1) == 1
            size = ctypes.c_size_t(2048)
            buffer = ctypes.create_string_buffer(size.value)
            assert calls.EVP_DigestSign(context, buffer, ctypes.byref(size), message, len(message)) == 1
        finally:
            calls.EVP_MD_CTX_free(context)
        made = buffer.raw[: size.value]
        return _raw_ecdsa(made, scheme.ecdsa_size) if scheme.ecdsa_size else made


def _rsa_numbers(der: bytes, size: int) -> tuple[bytes, bytes]:
    """n and e: the DER of a key ends in INTEGER n, INTEGER e. size: of n, in bytes."""
    at = der.rindex(b"\x02\x03\x01\x00\x01")
    return der[at - size : at], der[at + 2 :]


def _raw_ecdsa(der: bytes, size: int) -> bytes:
    at = 2 if der[1] < 0x80 else 3
    numbers = []
    for _ in range(2):
        length = der[at + 1]
        numbers.append(int.from_bytes(der[at + 2 : at + 2 + length], "big").to_bytes(size, "big"))
        at += 2 + length
    return b"".join(numbers)


def claims(**changes: Any) -> dict[str, Any]:
    """Good for five minutes; a change to None leaves the claim out."""
    now = int(time.time())
    made = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 300} | changes
    return {name: value for name, value in made.items() if value is not None}


def token(key: SigningKey, body: dict[str, Any] | None = None, **header: Any) -> str:
    """header: members beside alg and kid; a change to None leaves one out."""
    head = {"alg": key.algorithm, "kid": "k1", "typ": "JWT"} | header
    head = {name: value for name, value in head.items() if value is not None}
    return raw_token(key, json.dumps(head).encode(), json.dumps(claims() if body is None else body).encode())


def raw_token(key: SigningKey, head: bytes, body: bytes, algorithm: str | None = None) -> str:
    """Signed whatever head and body are."""
    signed = f"{base64url(head)}.{base64url(body)}"
    return f"{signed}.{base64url(key.sign(signed.encode(), algorithm))}"
