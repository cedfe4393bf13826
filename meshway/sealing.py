"""Seals what is kept on disk with AES-256-GCM, and keeps keys in files that nobody else reads.

NIST SP 800-38D: nonces of 96 bits are drawn, which allows 2^32 seals by one key.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_FORM: Final = b"\x01"  # of what is sealed, so that another one can come
_FINGERPRINTS: Final = b"meshway fingerprints"
_DERIVED: Final = b"meshway derived keys"


class KeyFileRefused(Exception):
    """The message is one line for the person who named the file, with the mend; nothing of the key is in it."""


class SealBroken(Exception):
    """What was sealed is not what is to be opened: it was changed, belongs elsewhere, or another key sealed it."""


class Sealing:
    """Seals and opens by one data key."""

    __slots__ = ("_cipher", "_derivation_key", "_fingerprint_key")

    def __init__(self, data_key: bytes) -> None:
        self._cipher = AESGCM(data_key)
        self._fingerprint_key = hmac.digest(data_key, _FINGERPRINTS, hashlib.sha256)
        self._derivation_key = hmac.digest(data_key, _DERIVED, hashlib.sha256)

    def seal(self, plain: bytes, associated: str) -> bytes:
        """associated: whose it is (`Secret shop/keys`), so that sealed rows cannot take each other's place."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return _FORM + nonce + self._cipher.encrypt(nonce, plain, associated.encode())

    def unseal(self, sealed: bytes, associated: str) -> bytes:
        """Raises SealBroken."""
        nonce, text = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if sealed[:1] != _FORM or len(nonce) != _NONCE_BYTES:
            raise SealBroken(f"what is sealed for {associated} has no form that is known")
        try:
            return self._cipher.decrypt(nonce, text, associated.encode())
        except InvalidTag:
            raise SealBroken(f"what is sealed for {associated} cannot be opened") from None

    def fingerprint(self, plain: bytes) -> str:
        """8 hex digits of `mark`."""
        return self.mark(plain)[:4].hex()

    def derive(self, purpose: str) -> bytes:
        """A key of KEY_BYTES for this purpose alone, the same for everybody who has the data key."""
        return hmac.digest(self._derivation_key, purpose.encode(), hashlib.sha256)

    def mark(self, plain: bytes) -> bytes:
        """An HMAC: tells whether two are the same, and lets nobody try what they may be."""
        return hmac.digest(self._fingerprint_key, plain, hashlib.sha256)


def make_key_file(path: Path) -> None:
    """A key that was drawn, 0600, unless there is a file: whole or not at all, of several who do so at once one.

    Raises OSError.
    """
    if path.exists():
        return
    drawn = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(drawn, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(drawn, path)
    except FileExistsError:
        return
    finally:
        drawn.unlink()


def read_key_file(path: Path) -> bytes:
    """Raises KeyFileRefused."""
    try:
        text = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as error:
        raise KeyFileRefused(f"cannot read the key file {path}: {error.strerror}") from error
    if mode & 0o077 and os.name == "posix":
        raise KeyFileRefused(f"the key file {path} can be read by others: chmod 600 {path}")
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyFileRefused(f"the key file {path} is not {KEY_BYTES} bytes in base64: openssl rand -base64 32")
    return key
