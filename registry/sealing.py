"""Secrets at rest: sealed with AES-256-GCM by a data key, which a master key wraps.

The master key is of the operator (`MESHWAY_MASTER_KEY_FILE`), or made at the first start in the data folder, 0600. The
data key lies in the store, wrapped, so that all registries on a store have the same one, and another master key means
that one row is wrapped anew, not that every secret is sealed again. NIST SP 800-38D: nonces of 96 bits are drawn, which
allows 2^32 seals by one data key.
"""

from __future__ import annotations

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

from registry.settings import StartRefused

KEY_BYTES: Final = 32
MASTER_KEY_FILE: Final = "master.key"
_NONCE_BYTES: Final = 12
_FORM: Final = b"\x01"  # of what is sealed, so that another one can come
_DATA_KEY: Final = "meshway data key"
_FINGERPRINTS: Final = b"meshway fingerprints"


class SealBroken(Exception):
    """What was sealed is not what is to be opened: it was changed, belongs elsewhere, or another key sealed it."""


class Sealing:
    """Seals and opens by one data key."""

    __slots__ = ("_cipher", "_fingerprint_key")

    def __init__(self, data_key: bytes) -> None:
        self._cipher = AESGCM(data_key)
        self._fingerprint_key = hmac.digest(data_key, _FINGERPRINTS, hashlib.sha256)

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
        """8 hex digits of an HMAC: tells whether two are the same, and lets nobody try what they may be."""
        return hmac.digest(self._fingerprint_key, plain, hashlib.sha256)[:4].hex()


def new_data_key(master_key: bytes) -> bytes:
    """One that was drawn, wrapped: as the store keeps it."""
    return Sealing(master_key).seal(secrets.token_bytes(KEY_BYTES), _DATA_KEY)


def sealing_of(wrapped: bytes, master_key: bytes) -> Sealing:
    """Raises StartRefused where another master key wrapped it."""
    try:
        return Sealing(Sealing(master_key).unseal(wrapped, _DATA_KEY))
    except SealBroken:
        raise StartRefused(
            "the master key is not the one that this store's secrets are sealed by: "
            f"give back the former one (MESHWAY_MASTER_KEY_FILE, or {MASTER_KEY_FILE} in the data folder)"
        ) from None


def read_master_key(path: Path | None, data_dir: Path) -> bytes:
    """Of the file that is named, else of the data folder's own, made where there is none. Raises StartRefused."""
    if path is not None:
        return _read(path)
    own = data_dir / MASTER_KEY_FILE
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        _make(own)
    except OSError as error:
        raise StartRefused(f"cannot write the master key {own}: {error.strerror}") from error
    return _read(own)


def _make(path: Path) -> None:
    """Whole or not at all, and of several who do so at once one."""
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


def _read(path: Path) -> bytes:
    try:
        text = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as error:
        raise StartRefused(f"cannot read the master key {path}: {error.strerror}") from error
    if mode & 0o077 and os.name == "posix":
        raise StartRefused(f"the master key {path} can be read by others: chmod 600 {path}")
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise StartRefused(f"the master key {path} is not {KEY_BYTES} bytes in base64: openssl rand -base64 32")
    return key
