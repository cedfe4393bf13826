"""What an OpenID provider says of itself, kept beside its keys in one set, under a name no URL of keys can have.

OpenID Connect Discovery 1.0 §3 and §4; RFC 8414. Who fetches keys fetches it (discovery.py).
"""

from typing import Final

import msgspec

REFRESH_S: Final = 300.0
MEMBER: Final = "provider"  # of the set: a JWKS may have further members (RFC 7517 §5)
_PREFIX: Final = "openid+"


class Provider(msgspec.Struct, frozen=True, omit_defaults=True):
    """The end points, and how a client shows its secret (`client_secret_basic client_secret_post`)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class PublishedSet(msgspec.Struct, frozen=True):
    provider: Provider


_decoder: Final = msgspec.json.Decoder(PublishedSet)


def set_name(issuer: str) -> str:
    """Of what an issuer publishes, where key sets are known by URL."""
    return _PREFIX + issuer


def issuer_named(name: str) -> str | None:
    """None: it is the URL of a key set."""
    return name[len(_PREFIX) :] if name.startswith(_PREFIX) else None


def read_provider(text: bytes) -> Provider:
    """Raises msgspec.DecodeError."""
    return _decoder.decode(text).provider
