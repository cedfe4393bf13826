"""Codes of an authenticator app: TOTP, RFC 6238, over HOTP, RFC 4226, as all apps have them: SHA-1, 6 digits, 30 s."""

from __future__ import annotations

import base64
import hmac
import secrets
from typing import Final
from urllib.parse import quote

STEP_S: Final = 30
DIGITS: Final = 6
SECRET_BYTES: Final = 20  # RFC 4226 §4 R6 recommends 160 bits
# Steps that a clock may be off, RFC 6238 §5.2.
_OFF: Final = 1
_ISSUER: Final = "Meshway"


def new_secret() -> bytes:
    return secrets.token_bytes(SECRET_BYTES)


def shown_secret(secret: bytes) -> str:
    """As a person types it."""
    return base64.b32encode(secret).decode()


def uri_of(secret: bytes, name: str) -> str:
    """What an app reads from a picture (Key URI Format). name: of the user."""
    label = quote(f"{_ISSUER}:{name}")
    return f"otpauth://totp/{label}?secret={shown_secret(secret)}&issuer={_ISSUER}&digits={DIGITS}&period={STEP_S}"


def code_at(secret: bytes, step: int) -> str:
    """RFC 4226 §5.3."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    at = digest[-1] & 0x0F
    number = int.from_bytes(digest[at : at + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def step_of(secret: bytes, code: str, now: float) -> int | None:
    """The step whose code it is, so that no code is taken twice; None: it is none of now. now: seconds since 1970."""
    current, found = int(now) // STEP_S, None
    for step in range(current - _OFF, current + _OFF + 1):  # all of them, so that the time tells nothing
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()):
            found = step
    return found
