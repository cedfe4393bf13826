"""Tokens that must be refused, each for one reason: what is known of attacks on JWT, and what a token may not be.

The issuer has an RSA key (`rsa`), a P-256 key (`ec`) and an Ed25519 key (`ed`); rules as in `tests/parts/tokens.py`.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from tests.parts.tokens import AUDIENCE, ISSUER, SigningKey, base64url, claims, raw_token, token

P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
Attack = tuple[str, str]  # name, token


class Issuer:
    """Keys, and what it publishes."""

    def __init__(self) -> None:
        self.rsa, self.ec, self.ed = SigningKey("RSA"), SigningKey("EC"), SigningKey("OKP")

    @property
    def jwks(self) -> dict[str, Any]:
        return {"keys": [self.rsa.jwk("rsa"), self.ec.jwk("ec"), self.ed.jwk("ed", use="sig", alg="EdDSA")]}

    def good(self) -> list[str]:
        """Of each key, and of each form that is allowed."""
        return [
            token(self.rsa, kid="rsa"),
            token(self.ec, kid="ec"),
            token(self.ed, kid="ed"),
            token(self.ec, kid=None),
            token(self.ec, kid="ec", typ=None),
            token(self.ec, kid="ec", typ="at+JWT"),
            token(self.ec, claims(aud=["other", AUDIENCE]), kid="ec"),
            token(self.ec, claims(iat=None), kid="ec"),
            token(self.ec, claims(exp=time.time() + 60.5), kid="ec"),
            token(self.ec, claims(deep={"a": [1, {"b": None}], "ü": "ß€😀"}), kid="ec"),
        ]


def attacks(issuer: Issuer) -> list[Attack]:
    found = [
        attack for make in (_headers, _keys, _claims, _times, _forms, _signatures, _json) for attack in make(issuer)
    ]
    assert len({name for name, _ in found}) == len(found), "two attacks of one name"
    return found


def _unsigned(head: dict[str, Any], signature: bytes = b"") -> str:
    return f"{base64url(_json_bytes(head))}.{base64url(_json_bytes(claims()))}.{base64url(signature)}"


def _json_bytes(value: object) -> bytes:
    return json.dumps(value).encode()


def _headers(issuer: Issuer) -> Iterator[Attack]:
    ec = issuer.ec
    for name in ("none", "None", "NONE", "nOnE", "", "HS256", "hs256", "RS256 ", "es256", "ES256K", "RSA-OAEP", "dir"):
        yield f"unsigned with alg {name!r}", _unsigned({"alg": name, "kid": "ec"})
    yield "no alg", token(ec, kid="ec", alg=None)
    for name, value in {"a number": 1, "a list": ["ES256"], "true": True, "a block": {"ES256": 1}}.items():
        yield f"alg is {name}", token(ec, kid="ec", alg=value)
    yield "alg none with a signature", token(ec, kid="ec", alg="none")
    yield "crit of an unknown name", token(ec, kid="ec", crit=["exp"], exp=0)
    yield "crit empty", token(ec, kid="ec", crit=[])
    yield "b64 false", token(ec, kid="ec", b64=False, crit=["b64"])
    yield "b64 false without crit", token(ec, kid="ec", b64=False)
    yield "b64 true", token(ec, kid="ec", b64=True)
    yield "zip", token(ec, kid="ec", zip="DEF")
    yield "enc", token(ec, kid="ec", enc="A128GCM")
    for kind in ("logout+jwt", "dpop+jwt", "secevent+jwt", "JWE", "", 7, ["JWT"]):
        yield f"typ {kind!r}", token(ec, kid="ec", typ=kind)


def _keys(issuer: Issuer) -> Iterator[Attack]:
    rsa, ec, thief = issuer.rsa, issuer.ec, SigningKey("EC")
    public = thief.jwk("ec")
    for name, secret in {
        "the RSA key's DER": rsa.der,
        "the RSA key's JWK": _json_bytes(rsa.jwk("rsa")),
        "": b"",
    }.items():
        signed = f"{base64url(_json_bytes({'alg': 'HS256', 'kid': 'rsa'}))}.{base64url(_json_bytes(claims()))}"
        mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
        yield f"HS256 by {name or 'nothing'}", f"{signed}.{base64url(mac)}"
    yield "another's key under our kid", token(thief, kid="ec")
    yield "another's key that comes along as jwk", token(thief, kid="ec", jwk=public)
    yield "another's key that comes along as jwk, without kid", token(thief, kid=None, jwk=public)
    yield "another's key by jku", token(thief, kid="ec", jku="http://127.0.0.1:1/jwks")
    yield "another's key by x5u", token(thief, kid="ec", x5u="http://127.0.0.1:1/cert")
    yield "another's key by x5c", token(thief, kid="ec", x5c=["MIIB"])
    yield "an unknown kid", token(ec, kid="gone")
    for name in ("", "../../dev/null", "ec' OR '1'='1", "ec\x00", "EC", "e" * 257, "| id", "ec\n", "é" * 129):
        yield f"kid {name[:12]!r} of {len(name)}", token(ec, kid=name)
    for name, value in {"a number": 1, "a list": ["ec"], "null": json.loads("null"), "a block": {"k": "ec"}}.items():
        head = _json_bytes({"alg": "ES256", "kid": value})
        yield f"kid is {name}", raw_token(ec, head, _json_bytes(claims()))
    yield "the kid of a key of another type", token(ec, kid="rsa")
    yield "ES256 with the kid of the Ed25519 key", token(ec, kid="ed")
    yield "an algorithm that the rules leave out", _signed_as(rsa, "rsa", "RS512")
    yield "PS256 where RS256 is meant", _signed_as(rsa, "rsa", "PS256")
    yield "RS256 named, PS256 made", _signed_as(rsa, "rsa", "RS256", "PS256")


def _signed_as(key: SigningKey, key_id: str, named: str, made: str = "") -> str:
    head = _json_bytes({"alg": named, "kid": key_id})
    return raw_token(key, head, _json_bytes(claims()), made or named)


def _claims(issuer: Issuer) -> Iterator[Attack]:
    others: dict[str, Any] = {
        "none": None, "another": "https://evil.example", "longer": ISSUER + "/", "shorter": ISSUER[:-1],
        "upper case": ISSUER.upper(), "a list": [ISSUER], "empty": "", "with white space": ISSUER + " ",
    }  # fmt: skip
    for name, value in others.items():
        yield f"issuer: {name}", token(issuer.ec, claims(iss=value), kid="ec")
    audiences: dict[str, Any] = {
        "none": None, "another": "bank", "longer": AUDIENCE + "2", "a part": AUDIENCE[:-1], "upper case": "SHOP",
        "an empty list": [], "a number": 1, "a block": {AUDIENCE: True}, "a list with a number": [AUDIENCE, 1],
        "a list in a list": [[AUDIENCE]], "with a comma": f"bank,{AUDIENCE}", "empty": "",
    }  # fmt: skip
    for name, value in audiences.items():
        yield f"audience: {name}", token(issuer.ec, claims(aud=value), kid="ec")
    subjects: dict[str, Any] = {
        "none": None, "empty": "", "a number": 7, "a list": ["ada"], "with a line break": "ada\r\nX-Admin: 1",
        "with a NUL": "ada\x00", "spaced": " ada", "long": "a" * 1025,
    }  # fmt: skip
    for name, value in subjects.items():
        yield f"subject: {name}", token(issuer.ec, claims(sub=value), kid="ec")


def _times(issuer: Issuer) -> Iterator[Attack]:
    now = time.time()
    expiries: dict[str, Any] = {
        "none": None, "past": now - 31, "zero": 0, "below zero": -1, "text": str(int(now + 300)), "true": True,
        "a list": [now + 300], "beyond any clock": 1e300,
    }  # fmt: skip
    for name, value in expiries.items():
        yield f"exp: {name}", token(issuer.ec, claims(exp=value), kid="ec")
    for name, value in {"ahead": now + 60, "text": "0", "true": True, "a list": [0]}.items():
        yield f"nbf: {name}", token(issuer.ec, claims(nbf=value), kid="ec")
    for name, value in {"ahead": now + 60, "text": str(int(now)), "false": False}.items():
        yield f"iat: {name}", token(issuer.ec, claims(iat=value), kid="ec")
    for number in ("NaN", "Infinity", "-Infinity", "1e999", "null", "01", "0x7fffffff", "+9999999999"):
        body = json.dumps(claims(exp=1)).replace('"exp": 1', f'"exp": {number}')
        yield f"exp as {number}", raw_token(issuer.ec, b'{"alg":"ES256","kid":"ec"}', body.encode())


def _forms(issuer: Issuer) -> Iterator[Attack]:
    good = token(issuer.ec, kid="ec")
    head, body, signature = good.split(".")
    yield "two parts", f"{head}.{body}"
    yield "no signature", f"{head}.{body}."
    yield "four parts", f"{good}."
    yield "five parts", f"{head}.{body}.{signature}.{head}.{body}"
    yield "one part", head
    yield "only dots", ".."
    yield "empty head", f".{body}.{signature}"
    yield "empty body", f"{head}..{signature}"
    yield "cut", good[:-1]
    yield "cut by half", good[: len(good) // 2]
    yield "longer signature", good + "AAAA"
    padded = raw_token(issuer.ec, b'{"alg":"ES256","kid":"ec"} ', _json_bytes(claims()))
    for name, text in {"head": padded.replace(".", "=.", 1), "signature": good + "==", "one more": good + "="}.items():
        yield f"padding: {name}", text
    yield "base64 with + and /", _with_standard_alphabet(issuer)
    yield "white space inside", f"{head} .{body}.{signature}"
    yield "spare bits in the signature", good[:-1] + _next_letter(good[-1])
    yield "huge", token(issuer.ec, claims(filler="x" * 8192), kid="ec")
    yield "another body", f"{head}.{base64url(_json_bytes(claims(sub='root')))}.{signature}"
    yield "another head", f"{base64url(_json_bytes({'alg': 'ES256', 'kid': 'ec', 'x': 1}))}.{body}.{signature}"
    yield "head and body changed places", f"{body}.{head}.{signature}"
    yield "JSON serialisation", _json_bytes({"protected": head, "payload": body, "signature": signature}).decode()


def _with_standard_alphabet(issuer: Issuer) -> str:
    while True:
        good = token(issuer.ec, kid="ec")
        if "-" in good or "_" in good:
            return good.replace("-", "+").replace("_", "/")


def _next_letter(letter: str) -> str:
    """64 bytes end in a letter whose two lowest bits are spare."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return letters[letters.index(letter) | 1] if letters.index(letter) & 3 == 0 else "B"


def _signatures(issuer: Issuer) -> Iterator[Attack]:
    """The classes that Project Wycheproof's sets of JWS and of the signatures below it name; vectors of our own."""
    good = token(issuer.ec, kid="ec")
    signed = good.rpartition(".")[0]
    raw = issuer.ec.sign(signed.encode())
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")

    def ecdsa(r: int, s: int, size: int = 32) -> str:
        return f"{signed}.{base64url(r.to_bytes(size, 'big') + s.to_bytes(size, 'big'))}"

    order = P256_ORDER
    numbers = {
        "r and s are 0": (0, 0), "r is 0": (0, s), "s is 0": (r, 0), "r and s are 1": (1, 1),
        "r and s are n": (order, order),
        "r is n": (order, s), "s is n": (r, order), "r and s are n - 1": (order - 1, order - 1),
        "r and s change places": (s, r), "all ones": (2**256 - 1, 2**256 - 1),
    }  # fmt: skip
    for name, pair in numbers.items():
        yield f"ECDSA: {name}", ecdsa(*pair)
    yield "ECDSA: numbers of 33 bytes", ecdsa(r, s, 33)
    yield "ECDSA: s above n", ecdsa(r, s + order, 33)
    yield "ECDSA: DER", f"{signed}.{base64url(_der(r, s))}"
    yield "ECDSA: cut to 63 bytes", f"{signed}.{base64url(raw[:63])}"
    yield "ECDSA: bytes behind", f"{signed}.{base64url(raw + bytes(1))}"
    yield "ECDSA: empty", f"{signed}."
    for bit in (0, 255, 256, 511):
        flipped = (int.from_bytes(raw, "big") ^ (1 << bit)).to_bytes(64, "big")
        yield f"ECDSA: bit {bit}", f"{signed}.{base64url(flipped)}"
    yield from _edwards(issuer)
    yield from _rsa(issuer)


def _edwards(issuer: Issuer) -> Iterator[Attack]:
    signed = token(issuer.ed, kid="ed").rpartition(".")[0]
    raw = issuer.ed.sign(signed.encode())
    r, s = raw[:32], int.from_bytes(raw[32:], "little")
    made = {
        "S and L more": r + (s + ED25519_ORDER).to_bytes(32, "little"),
        "S is 0": r + bytes(32),
        "R is 0": bytes(32) + raw[32:],
        "R is the neutral point": b"\x01" + bytes(31) + raw[32:],
        "all zeros": bytes(64),
        "all ones": b"\xff" * 64,
        "cut": raw[:63],
        "bytes behind": raw + b"\x00",
        "first bit": bytes([raw[0] ^ 1]) + raw[1:],
        "last bit": raw[:-1] + bytes([raw[-1] ^ 0x80]),
    }
    for name, signature in made.items():
        yield f"Ed25519: {name}", f"{signed}.{base64url(signature)}"


def _rsa(issuer: Issuer) -> Iterator[Attack]:
    signed = token(issuer.rsa, kid="rsa").rpartition(".")[0]
    raw = issuer.rsa.sign(signed.encode())
    made: dict[str, Callable[[], bytes]] = {
        "0": lambda: bytes(256),
        "1": lambda: bytes(255) + b"\x01",
        "all ones": lambda: b"\xff" * 256,
        "a byte before": lambda: b"\x00" + raw,
        "a byte behind": lambda: raw + b"\x00",
        "cut": lambda: raw[:-1],
        "first bit": lambda: bytes([raw[0] ^ 0x80]) + raw[1:],
        "last bit": lambda: raw[:-1] + bytes([raw[-1] ^ 1]),
        "of another digest": lambda: issuer.rsa.sign(signed.encode(), "RS512"),
        "of another message": lambda: issuer.rsa.sign(b"another"),
        "empty": lambda: b"",
    }
    for name, make in made.items():
        yield f"RSA: {name}", f"{signed}.{base64url(make())}"


def _der(r: int, s: int) -> bytes:
    numbers = b"".join(
        bytes((2, number.bit_length() // 8 + 1)) + number.to_bytes(number.bit_length() // 8 + 1, "big")
        for number in (r, s)
    )
    return bytes((0x30, len(numbers))) + numbers


def _json(issuer: Issuer) -> Iterator[Attack]:
    head, body = b'{"alg":"ES256","kid":"ec"}', json.dumps(claims())
    ec = issuer.ec
    yield "a claim twice", raw_token(ec, head, body[:-1].encode() + b',"sub":"root"}')
    yield "exp twice", raw_token(ec, head, body[:-1].encode() + b',"exp":99999999999}')
    yield "a claim twice, once escaped", raw_token(ec, head, body[:-1].encode() + b',"s\\u0075b":"root"}')
    yield "a claim twice inside", raw_token(ec, head, body[:-1].encode() + b',"a":{"b":1,"b":2}}')
    yield "alg twice", raw_token(ec, b'{"alg":"none","alg":"ES256","kid":"ec"}', body.encode())
    yield "kid twice", raw_token(ec, b'{"alg":"ES256","kid":"x","kid":"ec"}', body.encode())
    deep = b"[" * 40 + b"]" * 40
    yield "deep", raw_token(ec, head, body[:-1].encode() + b',"a":' + deep + b"}")
    yield "deeper than any stack", raw_token(ec, head, b'{"a":' + b"[" * 2500 + b"]" * 2500 + b"}")
    yield "a body that is a list", raw_token(ec, head, f"[{body}]".encode())
    yield "a body that is text", raw_token(ec, head, b'"sub"')
    yield "a body that is no JSON", raw_token(ec, head, b"sub=ada")
    yield "something behind the body", raw_token(ec, head, body.encode() + b"{}")
    yield "a comma too many", raw_token(ec, head, body[:-1].encode() + b",}")
    yield "UTF-16", raw_token(ec, head, body.encode("utf-16"))
    yield "a byte order mark", raw_token(ec, head, b"\xef\xbb\xbf" + body.encode())
    yield "bytes that are no UTF-8", raw_token(ec, head, body[:-1].encode() + b',"a":"\xc0\xaf"}')
    yield "half a character", raw_token(ec, head, body[:-1].encode() + b',"a":"\\ud800"}')
    yield "a head that is a list", raw_token(ec, b'["ES256"]', body.encode())
    yield "a head that is empty", raw_token(ec, b"{}", body.encode())
