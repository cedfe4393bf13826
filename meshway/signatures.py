"""Verifies signatures with the libcrypto that Python's `ssl` stands on: no second copy of it, nothing to install.

Only public keys come here, so nothing is secret and nothing has to take constant time. A key is its DER
SubjectPublicKeyInfo (RFC 5280 §4.1), which libcrypto itself reads and judges (a point off its curve is no key).
docs/decisions/2026-11-27-signatures-by-the-libcrypto-of-ssl.md says why it is done this way.
"""

import ctypes
import sys
from ctypes import POINTER, byref, c_char_p, c_int, c_long, c_size_t, c_void_p
from functools import cache
from typing import Any, Final, NamedTuple

_RSA_PSS: Final = 6  # RSA_PKCS1_PSS_PADDING
_SALT_AS_DIGEST: Final = -1  # RSA_PSS_SALTLEN_DIGEST: RFC 7518 §3.5
_CALLS: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "d2i_PUBKEY": (c_void_p, (c_void_p, POINTER(c_char_p), c_long)),
    "EVP_PKEY_free": (None, (c_void_p,)),
    "EVP_MD_CTX_new": (c_void_p, ()),
    "EVP_MD_CTX_free": (None, (c_void_p,)),
    "EVP_get_digestbyname": (c_void_p, (c_char_p,)),
    "EVP_DigestVerifyInit": (c_int, (c_void_p, POINTER(c_void_p), c_void_p, c_void_p, c_void_p)),
    "EVP_DigestVerify": (c_int, (c_void_p, c_char_p, c_size_t, c_char_p, c_size_t)),
    "EVP_PKEY_CTX_set_rsa_padding": (c_int, (c_void_p, c_int)),
    "EVP_PKEY_CTX_set_rsa_pss_saltlen": (c_int, (c_void_p, c_int)),
    "ERR_clear_error": (None, ()),
}


class NoLibcrypto(Exception):
    """This Python has no libcrypto of version 3 or later that can be called."""


class BadKey(Exception):
    """libcrypto takes these bytes for no public key."""


class Scheme(NamedTuple):
    """How a signature is made. digest: libcrypto's name, "" = the key's own (Ed25519). ecdsa_size: bytes of r and of s
    (RFC 7518 §3.4), 0 = the signature is libcrypto's as it is."""

    digest: str
    is_pss: bool = False
    ecdsa_size: int = 0


class PublicKey:
    """A loaded key. Raises BadKey, NoLibcrypto. May be used by several threads."""

    __slots__ = ("_calls", "_key")

    def __init__(self, der: bytes) -> None:
        self._key = None
        self._calls = calls = _libcrypto()
        at = c_char_p(der)
        self._key = calls.d2i_PUBKEY(None, byref(at), len(der))
        if not self._key:
            calls.ERR_clear_error()
            raise BadKey("no public key")

    def __del__(self) -> None:
        if self._key:
            self._calls.EVP_PKEY_free(self._key)

    def verifies(self, scheme: Scheme, message: bytes, signature: bytes) -> bool:
        """Whether the key's owner signed the message. Whatever is wrong with the signature is a no."""
        if scheme.ecdsa_size:
            if len(signature) != 2 * scheme.ecdsa_size:
                return False
            signature = _ecdsa_der(signature, scheme.ecdsa_size)
        calls = self._calls
        context = calls.EVP_MD_CTX_new()
        if not context:
            raise MemoryError
        try:
            digest = calls.EVP_get_digestbyname(scheme.digest.encode()) if scheme.digest else None
            details = c_void_p()
            is_good = calls.EVP_DigestVerifyInit(context, byref(details), digest, None, self._key) == 1
            if is_good and scheme.is_pss:
                is_good = (
                    calls.EVP_PKEY_CTX_set_rsa_padding(details, _RSA_PSS) == 1
                    and calls.EVP_PKEY_CTX_set_rsa_pss_saltlen(details, _SALT_AS_DIGEST) == 1
                )
            return bool(
                is_good and calls.EVP_DigestVerify(context, signature, len(signature), message, len(message)) == 1
            )
        finally:
            calls.EVP_MD_CTX_free(context)
            # Left behind, the error of a bad signature would be taken for one of this thread's next TLS record.
            calls.ERR_clear_error()


def rsa_der(modulus: int, exponent: int) -> bytes:
    """RFC 8017 §A.1.1."""
    key = _sequence(_integer(modulus), _integer(exponent))
    return _sequence(_sequence(_oid("2a864886f70d010101"), b"\x05\x00"), _bits(key))


def ec_der(curve: str, x: bytes, y: bytes) -> bytes:
    """RFC 5480 §2. curve: `P-256 P-384 P-521`; x, y of its full size."""
    return _sequence(_sequence(_oid("2a8648ce3d0201"), _oid(_CURVES[curve])), _bits(b"\x04" + x + y))


def ed25519_der(key: bytes) -> bytes:
    """RFC 8410 §4. key: 32 bytes."""
    return _sequence(_sequence(_oid("2b6570")), _bits(key))


_CURVES: Final = {"P-256": "2a8648ce3d030107", "P-384": "2b81040022", "P-521": "2b81040023"}


@cache
def _libcrypto() -> Any:
    """Raises NoLibcrypto."""
    ssl = sys.modules.get("_ssl") or __import__("_ssl")
    # By the extension's own handle its libcrypto is found wherever it lies; built into the interpreter, by that one's.
    library = ctypes.CDLL(getattr(ssl, "__file__", None))
    try:
        for name, (answer, takes) in _CALLS.items():
            call = getattr(library, name)
            call.restype, call.argtypes = answer, takes
    except AttributeError as error:
        raise NoLibcrypto(f"{ssl.OPENSSL_VERSION} cannot be called: {error}") from error
    return library


def _ecdsa_der(signature: bytes, size: int) -> bytes:
    r, s = signature[:size], signature[size:]
    return _sequence(_integer(int.from_bytes(r, "big")), _integer(int.from_bytes(s, "big")))


def _tagged(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _sequence(*parts: bytes) -> bytes:
    return _tagged(0x30, b"".join(parts))


def _integer(number: int) -> bytes:
    return _tagged(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _bits(content: bytes) -> bytes:
    return _tagged(0x03, b"\x00" + content)


def _oid(encoded: str) -> bytes:
    return _tagged(0x06, bytes.fromhex(encoded))
