"""Contents of Secrets as a registry tells gateways, and API keys with what is kept of them."""

import base64
import hashlib
import hmac
import time
from typing import Any

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from meshway.snapshot import SecretContents, SecretFrame


def contents(name: str, kind: str, *versions: Any, namespace: str = "default", lives_s: float = 3600.0) -> SecretFrame:
    """versions: data, newest first; older ones are accepted for so long."""
    end = time.time() + lives_s
    told = [SecretContents(end if at else None, data) for at, data in enumerate(versions)]
    return SecretFrame(namespace=namespace, name=name, type=kind, share_with=[], versions=told)


def api_key(key_id: str, letter: str = "k") -> str:
    assert len(key_id) == 8
    return f"mw_{key_id}_{letter * 43}"


def kept(key: str, **fields: Any) -> dict[str, Any]:
    """An API key as documents and Secrets have it."""
    return {"id": key[3:11], "hash": f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"} | fields


class SharedKey:
    """Signs as a SigningKey does, by a secret in base64url."""

    algorithm = "HS256"

    def __init__(self, text: str) -> None:
        self._secret = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

    def sign(self, message: bytes, _: str | None = None) -> bytes:
        return hmac.digest(self._secret, message, "sha256")


def hashed(password: str) -> str:
    """As cheap as argon2id goes: the costs stand in the hash."""
    return Argon2id(salt=bytes(16), length=32, iterations=1, lanes=1, memory_cost=8).derive_phc_encoded(
        password.encode()
    )
