"""From a JWKS (RFC 7517) to the keys that verify tokens: public ones, strong enough, each for what it is meant for.

A registry reads a document's keys as a gateway does, so it judges them alike.
"""

import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from meshway.signatures import BadKey, PublicKey, Scheme, SharedKey, ec_key, ed25519_key, rsa_key

# RFC 7518 §3.1, RFC 8037 §3.1. No `none`, and nothing by a shared secret: what is published are public keys.
ALGORITHMS: Final[Mapping[str, tuple[str, str, Scheme]]] = {
    "RS256": ("RSA", "", Scheme("SHA256")),
    "RS384": ("RSA", "", Scheme("SHA384")),
    "RS512": ("RSA", "", Scheme("SHA512")),
    "PS256": ("RSA", "", Scheme("SHA256", is_pss=True)),
    "PS384": ("RSA", "", Scheme("SHA384", is_pss=True)),
    "PS512": ("RSA", "", Scheme("SHA512", is_pss=True)),
    "ES256": ("EC", "P-256", Scheme("SHA256", ecdsa_size=32)),
    "ES384": ("EC", "P-384", Scheme("SHA384", ecdsa_size=48)),
    "ES512": ("EC", "P-521", Scheme("SHA512", ecdsa_size=66)),
    "EdDSA": ("OKP", "Ed25519", Scheme("")),
}
# Of keys that a Secret holds, never beside the others: a public key must not be taken for a shared one.
SHARED_ALGORITHMS: Final[Mapping[str, tuple[str, str, Scheme]]] = {
    f"HS{bits}": ("oct", "", Scheme(f"SHA{bits}")) for bits in (256, 384, 512)
}
MAX_KEYS: Final = 64
MAX_KEY_ID: Final = 256  # bytes
MAX_SET: Final = 256 << 10  # of a fetched set, bytes
_PRIVATE: Final = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_RSA_BITS: Final = range(2048, 8193)  # above, one verification would cost milliseconds
_EC_SIZES: Final = {"P-256": 32, "P-384": 48, "P-521": 66}


class KeyFault(ValueError):
    """Why a key, or a set, is not taken. at: below the set, `.keys[1].n`. Holds nothing of the key's text."""

    def __init__(self, at: str, reason: str) -> None:
        super().__init__(f"{at.lstrip('.')}: {reason}" if at else reason)
        self.at = at
        self.reason = reason


@dataclass(slots=True, frozen=True)
class ReadKey:
    """key_id "": it has none. algorithm "": whatever fits its type."""

    key_id: str
    type: str
    curve: str
    algorithm: str
    public: PublicKey | SharedKey

    def is_for(self, algorithm: str) -> bool:
        kind, curve, _ = algorithm_of(algorithm)
        return self.type == kind and self.curve == curve and self.algorithm in ("", algorithm)


def algorithm_of(name: str) -> tuple[str, str, Scheme]:
    """Its keys' type and curve, and how it signs."""
    return ALGORITHMS.get(name) or SHARED_ALGORITHMS[name]


def decode_base64url(text: str | bytes) -> bytes:
    """Strict (RFC 7515 §2): no padding, no white space, no other alphabet, no spare bits. Raises ValueError."""
    raw = text.encode("ascii") if isinstance(text, str) else text
    decoded = binascii.a2b_base64(raw.replace(b"-", b"+").replace(b"_", b"/") + b"=" * (-len(raw) % 4))
    if binascii.b2a_base64(decoded, newline=False).rstrip(b"=").replace(b"+", b"-").replace(b"/", b"_") != raw:
        raise ValueError("not base64url")
    return decoded


def read_keys(document: object) -> tuple[ReadKey, ...]:
    """Every key of a set; one that is of no use here is an error. Raises KeyFault, for the first."""
    keys, faults = sort_keys(document)
    if faults:
        raise faults[0]
    return keys


def read_shared_keys(document: Mapping[str, Any]) -> tuple[ReadKey, ...]:
    """Of a Secret's set of `oct` keys, which was judged when it was written. Raises KeyFault all the same."""
    try:
        return tuple(
            ReadKey(key["kid"], "oct", "", key["alg"], SharedKey(decode_base64url(key["k"])))
            for key in document["keys"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise KeyFault("", "holds a key that is no shared secret") from error


def sort_keys(document: object) -> tuple[tuple[ReadKey, ...], tuple[KeyFault, ...]]:
    """The keys that can be used, and why the others cannot. Raises KeyFault when it is no set at all.

    document: plain values, as JSON gives them. A set holds keys for other purposes, too, whoever publishes it.
    """
    written = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(written, list | tuple) or not all(isinstance(key, Mapping) for key in written):
        raise KeyFault("", 'is no JWKS: a block with "keys", a list of keys (RFC 7517 §5)')
    if len(written) > MAX_KEYS:
        raise KeyFault(".keys", f"has {len(written)} keys, at most {MAX_KEYS} are allowed")
    keys: list[ReadKey] = []
    faults: list[KeyFault] = []
    seen: set[tuple[str, str]] = set()
    for at, key in enumerate(written):
        try:
            read = _read_key(key, f".keys[{at}]")
            if read.key_id and (read.key_id, read.type) in seen:
                raise KeyFault(f".keys[{at}].kid", "is another key's kid already")
            seen.add((read.key_id, read.type))
            keys.append(read)
        except KeyFault as fault:
            faults.append(fault)
    return tuple(keys), tuple(faults)


def parse_set(text: bytes) -> object:
    """Plain values of a fetched set. Raises KeyFault."""
    if len(text) > MAX_SET:
        raise KeyFault("", f"is above {MAX_SET >> 10} KiB")
    try:
        return json.loads(text.decode())
    except (ValueError, RecursionError) as error:
        raise KeyFault("", "is no JSON") from error


def _read_key(key: Mapping[str, Any], at: str) -> ReadKey:
    for name in _PRIVATE:
        if name in key:
            raise KeyFault(f"{at}.{name}", "belongs to a private or secret key: publish the public one alone")
    for name in ("kty", "kid", "alg", "use", "crv"):
        if not isinstance(key.get(name, ""), str):
            raise KeyFault(f"{at}.{name}", "is no text")
    if "use" in key and key["use"] != "sig":
        raise KeyFault(f"{at}.use", "is not sig: the key is not for signatures")
    if "key_ops" in key and (not isinstance(key["key_ops"], list | tuple) or "verify" not in key["key_ops"]):
        raise KeyFault(f"{at}.key_ops", "does not hold verify: the key is not for signatures")
    key_id, algorithm, kind = key.get("kid", ""), key.get("alg", ""), key.get("kty", "")
    if len(key_id.encode("utf-8", "surrogatepass")) > MAX_KEY_ID:
        raise KeyFault(f"{at}.kid", f"is above {MAX_KEY_ID} bytes")
    if algorithm and algorithm not in ALGORITHMS:
        raise KeyFault(f"{at}.alg", f"is none of {', '.join(ALGORITHMS)}")
    if kind == "RSA":
        read = ReadKey(key_id, kind, "", algorithm, _rsa(key, at))
    elif kind == "EC":
        read = ReadKey(key_id, kind, key.get("crv", ""), algorithm, _ec(key, at))
    elif kind == "OKP":
        if key.get("crv") != "Ed25519":
            raise KeyFault(f"{at}.crv", "is not Ed25519")
        read = ReadKey(key_id, kind, "Ed25519", algorithm, ed25519_key(_bytes(key, "x", at, 32)))
    else:
        raise KeyFault(f"{at}.kty", "is none of RSA, EC, OKP")
    if algorithm and not read.is_for(algorithm):
        raise KeyFault(f"{at}.alg", "does not fit the key's type")
    return read


def _rsa(key: Mapping[str, Any], at: str) -> PublicKey:
    modulus = int.from_bytes(_bytes(key, "n", at), "big")
    exponent = int.from_bytes(_bytes(key, "e", at), "big")
    if modulus.bit_length() not in _RSA_BITS or not modulus & 1:
        raise KeyFault(f"{at}.n", f"is no modulus of {_RSA_BITS[0]} to {_RSA_BITS[-1]} bits")
    if not exponent & 1 or not 3 <= exponent < 1 << 32:
        raise KeyFault(f"{at}.e", "is no odd exponent of 3 to 32 bits")
    return rsa_key(modulus, exponent)


def _ec(key: Mapping[str, Any], at: str) -> PublicKey:
    size = _EC_SIZES.get(key.get("crv", ""))
    if size is None:
        raise KeyFault(f"{at}.crv", f"is none of {', '.join(_EC_SIZES)}")
    try:
        return ec_key(key["crv"], _bytes(key, "x", at, size), _bytes(key, "y", at, size))
    except BadKey as error:
        raise KeyFault(f"{at}.x", "and y are a point off the curve") from error


def _bytes(key: Mapping[str, Any], name: str, at: str, size: int | None = None) -> bytes:
    try:
        value = decode_base64url(key[name])
    except (KeyError, ValueError, AttributeError) as error:
        raise KeyFault(f"{at}.{name}", "is no base64url without padding") from error
    if size is not None and len(value) != size:
        raise KeyFault(f"{at}.{name}", f"has {len(value)} bytes, needs {size}")
    return value


class KeySet:
    """Keys by their id."""

    __slots__ = ("_by_id", "_keys")

    def __init__(self, keys: Iterable[ReadKey]) -> None:
        self._keys = tuple(keys)
        self._by_id: dict[str, list[ReadKey]] = {}
        for key in self._keys:
            if key.key_id:
                self._by_id.setdefault(key.key_id, []).append(key)

    def __len__(self) -> int:
        return len(self._keys)

    def knows(self, key_id: str) -> bool:
        return key_id in self._by_id

    def find(self, key_id: str | None, algorithm: str) -> PublicKey | SharedKey | None:
        """The one key of this id for this algorithm. Without an id: the only one that fits, if there is no other."""
        candidates = self._keys if key_id is None else self._by_id.get(key_id, ())
        fitting = [key.public for key in candidates if key.is_for(algorithm)]
        return fitting[0] if len(fitting) == 1 else None
