"""The one verifier of JSON Web Tokens (RFC 7519, RFC 7515, RFC 8725): what it does not understand, it refuses.

Two readers of a token must not be able to read it differently: base64url without padding or spare bits, JSON in UTF-8
without repeated names, every claim of the type its RFC gives it. No key is ever taken from a token.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from meshway.jwt_keys import MAX_KEY_ID, KeySet, algorithm_of, decode_base64url

MAX_TOKEN: Final = 8 << 10  # bytes
MAX_DEPTH: Final = 32
DEFAULT_ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
# What would change how the rest is to be read (RFC 7515 §4.1.11, RFC 7797 §3, RFC 7516 §4.1).
_NOT_UNDERSTOOD: Final = ("crit", "b64", "zip", "enc")
# Tokens made for another purpose by the same issuer are no access tokens (RFC 8725 §3.11).
_TYPES: Final = frozenset({"jwt", "at+jwt"})


class TokenFault(Exception):
    """Why a token is refused, in words for who sent it; holds nothing of the token.

    code: `invalid_token`, or RFC 6750's other where a caller may mend it. unknown_key: the id of a key that the set
    does not have, which a younger set might.
    """

    def __init__(self, reason: str, unknown_key: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.unknown_key = unknown_key


@dataclass(slots=True, frozen=True)
class TokenRules:
    """What a token must say. audiences: one of them. max_age_s: since it was issued, inf = no matter."""

    issuer: str
    audiences: frozenset[str]
    algorithms: frozenset[str] = frozenset(DEFAULT_ALGORITHMS)
    skew_s: float = 30.0
    max_age_s: float = math.inf


def verify(token: bytes, rules: TokenRules, keys: KeySet, now_s: float) -> Mapping[str, Any]:
    """The claims of a token that holds at now_s (seconds since 1970). Raises TokenFault."""
    if len(token) > MAX_TOKEN:
        raise TokenFault(f"the token is above {MAX_TOKEN >> 10} KiB")
    parts = token.split(b".")
    if len(parts) != 3:
        raise TokenFault("the token has not three parts")
    head, body, signature = (_decoded(part) for part in parts)
    header = _json_object(head, "the token's header")
    algorithm, key_id = _read_header(header, rules)
    key = keys.find(key_id, algorithm)
    if key is None:
        unknown = key_id if key_id is not None and not keys.knows(key_id) else None
        raise TokenFault("no key of the issuer fits the token", unknown_key=unknown)
    if not key.verifies(algorithm_of(algorithm)[2], token[: token.rindex(b".")], signature):
        raise TokenFault("the signature is not the issuer's")
    claims = _json_object(body, "the token's body")
    _check_claims(claims, rules, now_s)
    return claims


def issuer_of(token: bytes) -> str | None:
    """The issuer that a token claims, unproved: only good to choose by whose rules it is judged."""
    if len(token) > MAX_TOKEN or token.count(b".") != 2:
        return None
    try:
        claimed = _json_object(_decoded(token.split(b".")[1]), "").get("iss")
    except TokenFault:
        return None
    return claimed if isinstance(claimed, str) else None


def expiry_of(claims: Mapping[str, Any]) -> float:
    """Of verified claims, seconds since 1970."""
    return float(claims["exp"])


def _decoded(part: bytes) -> bytes:
    try:
        return decode_base64url(part)
    except ValueError as error:
        raise TokenFault("the token is not base64url without padding") from error


def _json_object(text: bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(text.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise TokenFault(f"{what} is no JSON, or names something twice") from error
    if not isinstance(value, dict):
        raise TokenFault(f"{what} is no JSON object")
    _check_shape(value, what)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _check_shape(value: dict[str, Any], what: str) -> None:
    """No deeper than MAX_DEPTH, no text that is no Unicode."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                inner += each
                inner += each.values()
            elif isinstance(each, list):
                inner += each
            elif isinstance(each, str) and not each.isascii() and _has_surrogate(each):
                raise TokenFault(f"{what} holds half a character")
        if not inner:
            return
        level = inner
    raise TokenFault(f"{what} is nested deeper than {MAX_DEPTH}")


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def _read_header(header: dict[str, Any], rules: TokenRules) -> tuple[str, str | None]:
    """Algorithm and key id. `jku x5u jwk x5c` are never read."""
    for name in _NOT_UNDERSTOOD:
        if name in header:
            raise TokenFault(f"the token's header has {name}, which is not understood")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in _TYPES:
        raise TokenFault("the token's typ is neither JWT nor at+jwt")
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in rules.algorithms:
        raise TokenFault("the token's alg is not allowed")
    key_id = header.get("kid")
    if "kid" in header and (not isinstance(key_id, str) or not 0 < len(key_id.encode()) <= MAX_KEY_ID):
        raise TokenFault("the token's kid is no key id")
    return algorithm, key_id


def _check_claims(claims: dict[str, Any], rules: TokenRules, now_s: float) -> None:
    if claims.get("iss") != rules.issuer:
        raise TokenFault("the token is another issuer's")
    audience = claims.get("aud")
    named = [audience] if isinstance(audience, str) else audience
    if not isinstance(named, list) or not all(isinstance(each, str) for each in named):
        raise TokenFault("the token names no audience")
    if rules.audiences.isdisjoint(named):
        raise TokenFault("the token is for another audience")
    expires_s = _time(claims, "exp")
    if expires_s is None:
        raise TokenFault("the token has no exp")
    if now_s >= expires_s + rules.skew_s:
        raise TokenFault("the token has expired")
    not_before_s = _time(claims, "nbf")
    if not_before_s is not None and now_s < not_before_s - rules.skew_s:
        raise TokenFault("the token does not hold yet")
    issued_s = _time(claims, "iat")
    if issued_s is not None and issued_s > now_s + rules.skew_s:
        raise TokenFault("the token was issued in the future")
    if rules.max_age_s != math.inf and (issued_s is None or now_s > issued_s + rules.max_age_s + rules.skew_s):
        raise TokenFault("the token is too old, or does not say how old it is")


def _time(claims: dict[str, Any], name: str) -> float | None:
    """A NumericDate (RFC 7519 §2), None: not there."""
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        raise TokenFault(f"the token's {name} is no time")
    return float(value)
