"""How a session travels: in a cookie of a browser, or as a bearer's text; and what proves that our own page asks.

`__Host-meshway` can be set by no other host and over nothing but TLS (RFC 6265bis §4.1.3.2); on this machine without
TLS, where browsers keep no such cookie, it is `meshway`.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from meshway.http1.fields import find, find_all

if TYPE_CHECKING:
    from registry.rights.records import Carrier

SECURE_NAME: Final = "__Host-meshway"
PLAIN_NAME: Final = "meshway"
BEARER: Final = "mws_"  # begins a session's text that is sent as a bearer's
CSRF: Final = b"meshway-csrf"
_BYTES: Final = 32
_LENGTH: Final = 43  # 32 bytes in base64url without padding


def new_text(carrier: Carrier) -> str:
    text = secrets.token_urlsafe(_BYTES)
    return BEARER + text if carrier == "bearer" else text


def csrf_of(text: str) -> str:
    """What a page of ours sends with each write. A page of another site can make the browser send the cookie, and can
    read neither it nor this."""
    proof = hmac.digest(text.encode(), b"meshway csrf", sha256)
    return base64.urlsafe_b64encode(proof).rstrip(b"=").decode()


def set_cookie(text: str, max_age_s: float, *, is_plain: bool) -> str:
    """The value of Set-Cookie. is_plain: without TLS, on this machine."""
    name, secure = (PLAIN_NAME, "") if is_plain else (SECURE_NAME, "; Secure")
    return f"{name}={text}; Path=/; HttpOnly; SameSite=Strict; Max-Age={int(max_age_s)}{secure}"


def end_cookie(*, is_plain: bool) -> str:
    return set_cookie("", 0, is_plain=is_plain)


def cookie_in(block: bytes, *, is_plain: bool) -> str | None:
    """The session's text of a head's fields; None where there is none, or more than one: which one our own host has set
    cannot be told."""
    if find(block, b"cookie") is None:
        return None
    wanted = (PLAIN_NAME if is_plain else SECURE_NAME).encode()
    found = {
        value.strip()
        for line in find_all(block, b"cookie")
        for name, _, value in (pair.partition(b"=") for pair in line.split(b";"))
        if name.strip() == wanted
    }
    if len(found) != 1:
        return None
    text = found.pop().decode("latin-1")
    return text if len(text) == _LENGTH else None


def is_ours(block: bytes, text: str, *, has_own_origin: bool) -> bool:
    """Whether a write was begun by a page of our own: it knows the proof, and the browser says whose it is."""
    sent = find(block, CSRF)
    if sent is None or not hmac.compare_digest(sent, csrf_of(text).encode()):
        return False
    site = find(block, b"sec-fetch-site")
    return site == b"same-origin" if site is not None else has_own_origin
