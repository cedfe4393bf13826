"""What must hold inside an Oidc block (OpenID Connect Discovery §3, RFC 6749 §3.3, RFC 6265 §5.2.3)."""

import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from meshway.model.oidc import Oidc, OidcLogout, OidcSession
from meshway.model.rule_kit import BlockRule, Finding, bounded, unique

_VISIBLE: Final = re.compile(r"[\x21-\x7e]+\Z")
# Canonical, so that it is the same path whoever reads it.
_PATH: Final = re.compile(r"(/(?!\.{1,2}(/|\Z))[A-Za-z0-9._~-]+)+\Z")
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+\Z")
_DOMAIN: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)+\Z"
)
_LONGEST_PATH: Final = 256
_WEEK: Final = 604_800.0
LOOPBACK_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def is_issuer(text: str) -> bool:
    """Whether it is a URL that discovery can begin at: no query, no fragment, no user."""
    try:
        parts = urlsplit(text)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return is_url and _VISIBLE.match(text) is not None and "?" not in text and "#" not in text and "@" not in text


def is_near(url: str) -> bool:
    """Whether its host is this machine, by its look."""
    return urlsplit(url).hostname in LOOPBACK_HOSTS


def _issuer(part: Any) -> Iterator[Finding]:
    if not is_issuer(part.issuer):
        yield Finding(".issuer", "out_of_bounds", "is no URL like https://id.example, without a query")
        return
    parts = urlsplit(part.issuer)
    if parts.scheme != "https" and not is_near(part.issuer):
        reason = "is http: whoever is on the way there could log in as anybody; only a loopback address may be"
        yield Finding(".issuer", "forbidden_combination", reason)


def _paths(part: Any) -> Iterator[Finding]:
    yield from _path(part.redirect_path, ".redirect_path")
    if part.redirect_path == part.logout.path:
        yield Finding(".logout.path", "duplicate", "is the redirect_path already")


def _path(path: str, at: str) -> Iterator[Finding]:
    if not _PATH.match(path) or len(path) > _LONGEST_PATH:
        yield Finding(at, "bad_path", f"is no path of letters, digits and -._~, at most {_LONGEST_PATH}")


def _scopes(part: Any) -> Iterator[Finding]:
    for at, scope in enumerate(part.scopes):
        if not _SCOPE.match(scope):
            yield Finding(f".scopes[{at}]", "bad_name", "is no scope: visible, without quotes and spaces")
    if "openid" not in part.scopes:
        yield Finding(".scopes", "forbidden_combination", "lacks openid: without it nobody says who logged in")
    yield from unique(part.scopes, lambda at: f".scopes[{at}]", "scope")


def _client(part: Any) -> Iterator[Finding]:
    if not _VISIBLE.match(part.client_id):
        yield Finding(".client_id", "out_of_bounds", "is visible ASCII without white space")


def _domain(part: Any) -> Iterator[Finding]:
    if part.domain is not None and not _DOMAIN.match(part.domain):
        yield Finding(".domain", "bad_name", "is no domain of two names at least, in lower case")


OIDC_RULES: Final[dict[type[msgspec.Struct], tuple[BlockRule, ...]]] = {
    OidcLogout: (BlockRule(("path",), lambda part: _path(part.path, ".path")),),
    OidcSession: (
        bounded("lifetime", 60.0, _WEEK, zero=False),
        bounded("idle", 60.0, _WEEK, zero=False),
        BlockRule(("domain",), _domain),
    ),
    Oidc: (
        BlockRule(("issuer",), _issuer),
        BlockRule(("client_id",), _client),
        BlockRule(("scopes",), _scopes),
        BlockRule(("redirect_path", "logout"), _paths),
    ),
}
