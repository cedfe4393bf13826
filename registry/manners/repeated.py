"""Idempotency-Key: the same POST or PATCH sent again gets the first answer, and another body under it is refused."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from meshway.problem import Problem
from registry.revisions.draft import Once

if TYPE_CHECKING:
    from meshway.identity import Principal

MAX_KEY: Final = 255


def once_of(key: str | None, principal: Principal, *, method: str, path: str, query: str, body: bytes) -> Once | None:
    """None without a key. Keys of different callers and routes never meet. Raises Problem 400 for one too long."""
    if key is None:
        return None
    if not 1 <= len(key) <= MAX_KEY:
        raise Problem(
            400,
            "bad_request",
            "Bad Request",
            detail=f"Idempotency-Key has {len(key)} characters, 1 to {MAX_KEY} are allowed",
        )
    place = f"{principal.namespace}/{principal.name} {method} {path}"
    return Once(key=f"{place} {key}", fingerprint=sha256(query.encode() + b"\n" + body).digest())
