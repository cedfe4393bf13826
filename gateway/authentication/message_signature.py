"""Signatures of requests (RFC 9421) and digests of bodies (RFC 9530): what was signed, put together as the caller did.

Pure. Strict where the standard leaves room: one signature a request, components without parameters, and of derived
components those of which a gateway is sure.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Collection
from typing import Final, NamedTuple

from gateway.exchange import Exchange
from meshway.http1.fields import find_all
from meshway.http1.message import NO_BODY

INPUT: Final = b"signature-input"
SIGNATURE: Final = b"signature"
DIGEST: Final = b"content-digest"
MOST_COMPONENTS: Final = 32
MAX_INPUT: Final = 4096  # bytes
_KEY: Final = rb"[a-z*][a-z0-9_.*-]{0,63}"
_TEXT: Final = rb'"(?:[\x20-\x21\x23-\x5b\x5d-\x7e]{0,256})"'  # RFC 8941 §3.3.3, without escapes
_PARAMETER: Final = re.compile(rb";(" + _KEY + rb")=(" + _TEXT + rb"|[0-9]{1,15})")
_INPUT: Final = re.compile(
    rb"("
    + _KEY
    + rb")=(\(((?:"
    + _TEXT
    + rb"(?: "
    + _TEXT
    + rb")*)?)\)((?:;"
    + _KEY
    + rb"=(?:"
    + _TEXT
    + rb"|[0-9]{1,15}))*))\Z"
)
_SIGNATURE: Final = re.compile(rb"(" + _KEY + rb")=:([A-Za-z0-9+/]{1,1024}={0,2}):\Z")
_DIGEST: Final = re.compile(rb" *(" + _KEY + rb")=:([A-Za-z0-9+/]{1,128}={0,2}): *\Z")
_NAME: Final = re.compile(rb"[a-z0-9!#$%&'*+.^_`|~-]+\Z")
_KNOWN: Final = frozenset({b"created", b"expires", b"keyid", b"alg", b"nonce", b"tag"})
_DIGESTS: Final = {b"sha-256": hashlib.sha256, b"sha-512": hashlib.sha512}
_PORTS: Final = {b"http": b":80", b"https": b":443"}


class Unsigned(Exception):
    """Why this is no signature that can be judged; one line, nothing of the caller's in it."""


class Signed(NamedTuple):
    """base: what was signed. key_id, algorithm, nonce: "" = not told. created, expires: seconds since 1970."""

    base: bytes
    signature: bytes
    key_id: str
    algorithm: str
    nonce: str
    created: int | None
    expires: int | None


def read_signed(exchange: Exchange, required: Collection[bytes]) -> Signed | None:
    """None: the request shows no signature. required: components that it must cover, `content-digest` besides where
    there is a body. Raises Unsigned."""
    block = exchange.head.block
    inputs, signatures = find_all(block, INPUT), find_all(block, SIGNATURE)
    if not inputs and not signatures:
        return None
    if len(inputs) != 1 or len(signatures) != 1:
        raise Unsigned("Signature-Input and Signature are not there once each")
    told = _INPUT.match(inputs[0]) if len(inputs[0]) <= MAX_INPUT else None
    signed = _SIGNATURE.match(signatures[0])
    if told is None or signed is None or told[1] != signed[1]:
        raise Unsigned("Signature-Input and Signature are not of one signature in the form that is taken here")
    names = [name[1:-1] for name in told[3].split(b" ")] if told[3] else []
    _check_names(names, required, has_body=exchange.head.body != NO_BODY)
    parameters = _parameters(told[4])
    lines = [b'"%b": %b\n' % (name, _value(exchange, name)) for name in names]
    base = b"".join(lines) + b'"@signature-params": %b' % told[2]
    return Signed(
        base,
        _decoded(signed[2]),
        _text(parameters, b"keyid"),
        _text(parameters, b"alg"),
        _text(parameters, b"nonce"),
        _number(parameters, b"created"),
        _number(parameters, b"expires"),
    )


def digest_holds(exchange: Exchange, body: bytes) -> bool:
    """Whether each Content-Digest that is known here is the body's, and one is there."""
    known = 0
    for line in find_all(exchange.head.block, DIGEST):
        for member in line.split(b","):
            told = _DIGEST.match(member)
            if told is None:
                return False
            algorithm = _DIGESTS.get(told[1])
            if algorithm is None:
                continue
            try:
                digest = base64.b64decode(told[2] + b"=" * (-len(told[2]) % 4))
            except binascii.Error:
                return False
            if algorithm(body).digest() != digest:
                return False
            known += 1
    return known > 0


def _check_names(names: list[bytes], required: Collection[bytes], *, has_body: bool) -> None:
    if len(names) > MOST_COMPONENTS or len(set(names)) != len(names):
        raise Unsigned("the signature covers a component twice, or too many")
    wanted = [*required, *([DIGEST] if has_body and DIGEST not in required else [])]
    missing = [name.decode() for name in wanted if name not in names]
    if missing:
        raise Unsigned(f"the signature does not cover {', '.join(missing)}")


def _value(exchange: Exchange, name: bytes) -> bytes:
    """RFC 9421 §2.1, §2.2. Raises Unsigned."""
    if name == b"@method":
        return exchange.head.method
    if name == b"@authority":
        return exchange.head.authority.lower().removesuffix(_PORTS[exchange.scheme])
    if name == b"@path":
        return exchange.path
    if name == b"@query":
        return exchange.query or b"?"
    if name == b"@scheme":
        return exchange.scheme
    lines = find_all(exchange.head.block, name) if _NAME.match(name) else ()
    if not lines:
        raise Unsigned("the signature covers a field that is not there, or a component that is not known here")
    return b", ".join(line.strip(b" \t") for line in lines)


def _parameters(text: bytes) -> dict[bytes, bytes]:
    pairs = [(found[1], found[2]) for found in _PARAMETER.finditer(text)]
    parameters = dict(pairs)
    if len(parameters) != len(pairs) or not parameters.keys() <= _KNOWN:
        raise Unsigned("the signature has a parameter twice, or one that is not known here")
    return parameters


def _text(parameters: dict[bytes, bytes], name: bytes) -> str:
    value = parameters.get(name, b'""')
    if not value.startswith(b'"'):
        raise Unsigned(f"the signature's {name.decode()} is no text")
    return value[1:-1].decode()


def _number(parameters: dict[bytes, bytes], name: bytes) -> int | None:
    value = parameters.get(name)
    if value is None:
        return None
    if value.startswith(b'"'):
        raise Unsigned(f"the signature's {name.decode()} is no number")
    return int(value)


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise Unsigned("the signature is no base64") from error
