"""Discovery of an OpenID provider: what it says of itself, and its keys, as one set.

OpenID Connect Discovery 1.0 §4.3: the issuer it names must be the one that was asked, letter by letter.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

import msgspec

from meshway.issuers.provider import MEMBER, Provider
from meshway.jwt_keys import KeyFault, parse_set
from meshway.model.oidc_rules import LOOPBACK_HOSTS

_WELL_KNOWN: Final = "/.well-known/openid-configuration"
_LONGEST: Final = 2048
_decoder: Final = msgspec.json.Decoder(Provider)


async def discover(issuer: str, fetch: Callable[[str], Awaitable[bytes]]) -> bytes:
    """The provider's set. Raises PlainError, KeyFault."""
    try:
        provider = _decoder.decode(await fetch(issuer.rstrip("/") + _WELL_KNOWN))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise KeyFault("", f"its discovery document is of no use: {error}") from error
    if provider.issuer != issuer:
        raise KeyFault("", "its discovery document names another issuer")
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "end_session_endpoint"):
        if (url := getattr(provider, name)) and not _is_safe(url, issuer):
            raise KeyFault("", f"its {name} is no URL to which secrets may be sent")
    keys = parse_set(await fetch(provider.jwks_uri))
    if not isinstance(keys, dict):
        raise KeyFault("", "its keys are no JWKS")
    shown = {"keys": keys.get("keys"), MEMBER: msgspec.to_builtins(provider)}
    return json.dumps(shown).encode()


def _is_safe(url: str, issuer: str) -> bool:
    """https; http where the issuer itself is on loopback."""
    if len(url) > _LONGEST or not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or port == 0 or parts.fragment or "@" in parts.netloc:
        return False
    is_near = issuer.startswith("http:") and host in LOOPBACK_HOSTS
    return parts.scheme == "https" or (parts.scheme == "http" and is_near)
