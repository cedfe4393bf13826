"""What a Secret's data must be, by its type. No message holds anything of it but the names of its keys.

Sources: RFC 7617 §2 (a user name has no colon), RFC 7517, RFC 9421 §3.3.3.
"""

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from meshway.jwt_keys import KeyFault, decode_base64url, read_keys
from meshway.model.instant import parse_instant
from meshway.model.names import TOKEN
from meshway.model.rule_kit import Finding, member_path

MOST_KEYS: Final = 64
MOST_ENTRIES: Final = 1000
MOST_AUTHORITIES: Final = 100
SHORTEST_KEY: Final = 32  # bytes of a shared secret
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{8}\Z")
_HASH: Final = re.compile(r"sha256:[0-9a-f]{64}\Z")
_ARGON2ID: Final = re.compile(
    r"\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)\Z"
)
_COSTLIEST: Final = (256 << 10, 8, 4)  # KiB, turns, lanes: what one hash may cost a gateway
_SHORTEST_SALT, _SHORTEST_HASH = 8, 16  # bytes; RFC 9106 §3.1, §4
_NAME: Final = re.compile(r"[\x21-\x39\x3b-\x7e]{1,128}\Z")  # visible, no colon
_CONSUMER: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
_MOST_PASSWORD: Final = 256
_OCT_ALGORITHMS: Final = ("HS256", "HS384", "HS512")

Judge = Callable[[Any], Iterator[Finding]]


def judge_data(kind: str, data: object) -> Iterator[Finding]:
    """Everything that is wrong with it. kind: a Secret's type."""
    yield from _JUDGES[kind](data)


def key_names(kind: str, data: Any) -> tuple[str, ...]:
    """The names of what sound data holds."""
    if kind == "jwks":
        return tuple(key.get("kid", "") for key in data["keys"])
    if kind == "ca_bundle":
        return ()
    names = {"api_key_set": "id", "basic_users": "username", "hmac_keys": "key_id"}.get(kind)
    return tuple(sorted(data)) if names is None else tuple(entry[names] for entry in data)


def shared_key(key: Mapping[str, Any]) -> bytes:
    """The bytes of a JWK of kty `oct`. Raises ValueError."""
    return decode_base64url(str(key["k"]))


def _opaque(data: object) -> Iterator[Finding]:
    if not isinstance(data, Mapping) or not data:
        yield Finding("", "wrong_type", "is a block of names and texts")
        return
    if len(data) > MOST_KEYS:
        yield Finding("", "out_of_bounds", f"has {len(data)} keys, at most {MOST_KEYS} are allowed")
    for key, value in data.items():
        if not isinstance(key, str) or not isinstance(value, str):
            yield Finding(member_path("", str(key)), "wrong_type", "is no text: write it in quotes")


def _tls(data: object) -> Iterator[Finding]:
    missing = yield from _fields(data, "", {"certificate": True, "private_key": True})
    if missing or not isinstance(data, Mapping):
        return
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        chain = x509.load_pem_x509_certificates(data["certificate"].encode())
    except ValueError:
        yield Finding(".certificate", "bad_pem", "is no PEM of certificates")
        return
    try:
        key = load_pem_private_key(data["private_key"].encode(), None)
    except (ValueError, TypeError):
        yield Finding(".private_key", "bad_pem", "is no PEM of a private key without a passphrase")
        return
    if not any(_is_of(each, key) for each in chain):
        yield Finding(".private_key", "bad_pem", "is the key of none of the certificates")


def _is_of(certificate: Any, key: Any) -> bool:
    try:
        return bool(certificate.public_key() == key.public_key())
    except ValueError:  # of a kind that nobody here knows
        return False


def _ca_bundle(data: object) -> Iterator[Finding]:
    if not isinstance(data, str):
        yield Finding("", "wrong_type", "is a text: PEM of certificates")
        return
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificates(data.encode())
    except ValueError:
        yield Finding("", "bad_pem", "is no PEM of certificates")
        return
    if len(found) > MOST_AUTHORITIES:
        yield Finding("", "out_of_bounds", f"has {len(found)} certificates, at most {MOST_AUTHORITIES} are allowed")
    for at, certificate in enumerate(found):
        try:
            is_authority = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except (x509.ExtensionNotFound, ValueError):
            is_authority = False
        if not is_authority:
            yield Finding("", "bad_pem", f"certificate {at} is of no authority (CA:TRUE)")


def _api_keys(data: object) -> Iterator[Finding]:
    fields = {"id": True, "hash": True, "consumer": False, "expires": False}
    for at, entry in _entries(data):
        missing = yield from _fields(entry, at, fields)
        if missing:
            continue
        if not _KEY_ID.match(entry["id"]):
            yield Finding(f"{at}.id", "bad_name", "is the 8 characters between mw_ and the next _")
        if not _HASH.match(entry["hash"]):
            yield Finding(f"{at}.hash", "out_of_bounds", "is sha256: and 64 hex digits; a key itself is not kept here")
        if not _CONSUMER.match(entry.get("consumer", "a")):
            yield Finding(f"{at}.consumer", "bad_name", "names no Consumer")
        yield from _expiry(entry, at)
    yield from _once(data, "id")


def _basic_users(data: object) -> Iterator[Finding]:
    for at, entry in _entries(data):
        missing = yield from _fields(entry, at, {"username": True, "password": False, "hash": False})
        if missing:
            continue
        if not _NAME.match(entry["username"]):
            yield Finding(f"{at}.username", "bad_name", "is 1 to 128 visible characters without a colon")
        if ("password" in entry) == ("hash" in entry):
            yield Finding(at, "forbidden_combination", "needs exactly one of password, hash")
        elif not 1 <= len(entry.get("password", "x").encode()) <= _MOST_PASSWORD:
            yield Finding(f"{at}.password", "out_of_bounds", f"has 1 to {_MOST_PASSWORD} bytes")
        elif "hash" in entry and not _is_bearable(entry["hash"]):
            yield Finding(f"{at}.hash", "out_of_bounds", "is no argon2id in its PHC form that a gateway may compute")
    yield from _once(data, "username")


def _is_bearable(text: str) -> bool:
    found = _ARGON2ID.match(text)
    if found is None:
        return False
    costs = memory, _, lanes = [int(one) for one in found.groups()[:3]]
    return (
        all(1 <= one <= most for one, most in zip(costs, _COSTLIEST, strict=True))
        and memory >= 8 * lanes
        and _length(found[4]) >= _SHORTEST_SALT
        and _length(found[5]) >= _SHORTEST_HASH
    )


def _length(text: str) -> int:
    """Bytes of base64 without padding, 0: it is none."""
    try:
        return len(base64.b64decode(text + "=" * (-len(text) % 4), validate=True))
    except ValueError:
        return 0


def _hmac_keys(data: object) -> Iterator[Finding]:
    for at, entry in _entries(data):
        missing = yield from _fields(entry, at, {"key_id": True, "secret": True, "expires": False})
        if missing:
            continue
        if not TOKEN.match(entry["key_id"]) or len(entry["key_id"]) > 128:
            yield Finding(f"{at}.key_id", "bad_name", "is a name of letters, digits and -._~")
        try:
            length = len(base64.b64decode(entry["secret"], validate=True))
        except ValueError:  # of what is no ASCII; of the rest its kin binascii.Error
            length = 0
        if length < SHORTEST_KEY:
            yield Finding(f"{at}.secret", "out_of_bounds", f"is no base64 of at least {SHORTEST_KEY} bytes")
        yield from _expiry(entry, at)
    yield from _once(data, "key_id")


def _jwks(data: object) -> Iterator[Finding]:
    """Public keys as in an Authentication; or shared secrets, all of them, each for its HMAC."""
    keys = data.get("keys") if isinstance(data, Mapping) else None
    if not isinstance(keys, list | tuple) or not any(
        isinstance(key, Mapping) and key.get("kty") == "oct" for key in keys
    ):
        try:
            if not read_keys(data):
                yield Finding(".keys", "bad_key", "holds no key")
        except KeyFault as fault:
            yield Finding(fault.at, "bad_key", fault.reason)
        return
    for at, key in enumerate(keys):
        place = f".keys[{at}]"
        if not isinstance(key, Mapping) or key.get("kty") != "oct":
            yield Finding(place, "bad_key", "is no oct key, beside others that are: a set is of one sort")
        elif not isinstance(key.get("kid"), str) or not key["kid"]:
            yield Finding(f"{place}.kid", "bad_key", "is required: tokens name their key by it")
        elif key.get("alg") not in _OCT_ALGORITHMS:
            yield Finding(f"{place}.alg", "bad_key", f"is one of {', '.join(_OCT_ALGORITHMS)}")
        elif not _is_long_enough(key):
            yield Finding(f"{place}.k", "bad_key", f"is no base64url of at least {SHORTEST_KEY} bytes")
    kids = [{"kid": key.get("kid")} for key in keys if isinstance(key, Mapping)]
    for finding in _once(kids, "kid"):
        yield finding._replace(at=f".keys{finding.at}")


def _is_long_enough(key: Mapping[str, Any]) -> bool:
    try:
        # RFC 7518 §3.2: a key as long as the hash's output, or longer.
        return len(shared_key(key)) >= int(str(key["alg"])[2:]) // 8
    except (KeyError, ValueError):
        return False


def _entries(data: object) -> Iterator[tuple[str, Any]]:
    """Where each stands, and what it is. One that is no list has no entries, which `_once` tells."""
    yield from ((f"[{at}]", entry) for at, entry in enumerate(data if isinstance(data, list | tuple) else ()))


def _once(data: object, name: str) -> Iterator[Finding]:
    if not isinstance(data, list | tuple):
        yield Finding("", "wrong_type", "is a list")
        return
    if len(data) > MOST_ENTRIES:
        yield Finding("", "out_of_bounds", f"has {len(data)} entries, at most {MOST_ENTRIES} are allowed")
    seen: dict[object, int] = {}
    for at, entry in enumerate(data):
        value = entry.get(name) if isinstance(entry, Mapping) else None
        if isinstance(value, str) and seen.setdefault(value, at) != at:
            yield Finding(f"[{at}].{name}", "duplicate", f"is that of entry {seen[value]} already")


def _fields(entry: object, at: str, known: Mapping[str, bool]) -> Any:
    """Texts, some of them required. Yields findings; returns whether there was one."""
    if not isinstance(entry, Mapping):
        yield Finding(at, "wrong_type", f"is a block of {', '.join(known)}")
        return True
    is_faulty = False
    for key, value in entry.items():
        if key not in known:
            is_faulty = True
            yield Finding(member_path(at, str(key)), "unknown_field", f"unknown field (known: {', '.join(known)})")
        elif not isinstance(value, str):
            is_faulty = True
            yield Finding(f"{at}.{key}", "wrong_type", "is no text: write it in quotes")
    for key, is_required in known.items():
        if is_required and key not in entry:
            is_faulty = True
            yield Finding(f"{at}.{key}", "missing_field", "is required")
    return is_faulty


def _expiry(entry: Mapping[str, str], at: str) -> Iterator[Finding]:
    try:
        parse_instant(entry.get("expires", "2000-01-01"))
    except ValueError:
        yield Finding(f"{at}.expires", "out_of_bounds", "is no point in time: write 2026-12-24T18:00:00Z")


_JUDGES: Final[Mapping[str, Judge]] = {
    "opaque": _opaque,
    "tls": _tls,
    "api_key_set": _api_keys,
    "basic_users": _basic_users,
    "hmac_keys": _hmac_keys,
    "jwks": _jwks,
    "ca_bundle": _ca_bundle,
}
