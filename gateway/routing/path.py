"""The one place where a request target becomes a path: what is matched is what is limited, logged and forwarded.

Unreserved escapes are decoded, the others upper-cased, repeated slashes merged, dot segments removed. What two readers
might read differently (encoded slashes, controls, overlong UTF-8, a climb above the root) is refused. Idempotent.
A Route may ask to have encoded and repeated slashes as they came (`Slashes`); what climbs beside them is refused then.
Sources: RFC 3986 §6.2.2; the reasons are in docs/internals/routing.md.
"""

import re
from typing import Final

from gateway.plan import STRICT, Slashes

_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PLAIN: Final = _UNRESERVED | frozenset(b"/!$&'()*+,=:@")
# What must be looked at as pairs becomes one byte, what must be looked at closely another: two searches tell a plain
# path, where deleting the plain bytes and asking three times costs three times as much. They are made by `partition`,
# which takes its argument as it is; `find` and `startswith` parse theirs by a format, at twice the cost.
_SHAPE: Final = bytes(0x2F if code in b"/." else 0x2D if code in _PLAIN else 0x25 for code in range(256))
_FORBIDDEN: Final = re.compile(rb"[\x00-\x20\x7f-\xff\\#]")
_OVERLONG: Final = re.compile(rb"%(?:C[01]|E0%[89]|F0%8)")
_SLASHES: Final = {b"2F": b"%2F", b"2f": b"%2F", b"5C": b"%5C", b"5c": b"%5C"}
_ENCODED: Final = re.compile(rb"%2F|%5C")
_SCHEMES: Final = (b"http://", b"https://")


def _decoded(code: int) -> bytes | None:
    """What an escape of this byte becomes; None when it must not occur in a path."""
    if code in _UNRESERVED:
        return bytes((code,))
    if code < 0x20 or code == 0x7F or code in b"/\\":
        return None
    return b"%%%02X" % code


_ESCAPES: Final = {
    bytes((high, low)): _decoded(int(bytes((high, low)), 16))
    for high in b"0123456789abcdefABCDEF"
    for low in b"0123456789abcdefABCDEF"
}


class PathError(Exception):
    """The target is refused: status 400, code `bad_request`; detail names the rule."""

    def __init__(self, detail: str, status: int = 400, code: str = "bad_request") -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


def escaped(text: str) -> bytes:
    """A path as people write it: `/café` is `/caf%C3%A9` on the wire."""
    return b"".join(b"%%%02X" % byte if byte >= 0x80 else bytes((byte,)) for byte in text.encode())


def canonical(target: bytes, keeps: Slashes = STRICT) -> tuple[bytes, bytes]:
    """Path and query of a request target in origin-, absolute- or asterisk-form; the query keeps its `?`, or is b"".

    The query is never rewritten. keeps: what the Route says that is asked. Raises PathError.
    """
    path, mark, query = target.partition(b"?")
    if mark:
        query = mark + query
    if not path or path[0] != 0x2F:  # /
        path = _origin_path(path)
    shape = path.translate(_SHAPE)
    if not shape.partition(b"%")[1] and not shape.partition(b"//")[1]:
        return path, query
    return (_clean(path) if keeps is STRICT else _clean_but(path, keeps)), query


def has_slashes(target: bytes) -> bool:
    """Whether a Route could see another path than others do. Also of the query's, where it costs no more than time."""
    return b"//" in target or b"%2" in target or b"%5" in target


def _origin_path(path: bytes) -> bytes:
    if path == b"*":
        return path
    lower = path[:8].lower()
    for scheme in _SCHEMES:
        if lower.startswith(scheme):
            slash = path.find(b"/", len(scheme))
            return path[slash:] if slash >= 0 else b"/"
    raise PathError("the target is neither a path nor an http URL")


def _clean_but(path: bytes, keeps: Slashes) -> bytes:
    """What another reader could take for a climb is refused: he may decode, or merge, before he climbs."""
    if not keeps.doubled:
        return _clean(path, keeps.encoded)
    if b"//" not in path:
        return _clean(path, keeps.encoded)
    _refuse_forbidden(path)
    spelled = _unescape(path, keeps.encoded) if b"%" in path else path
    for segment in _ENCODED.sub(b"/", spelled).split(b"/"):
        if _plain_name(segment) in (b".", b".."):
            raise PathError("the path holds a dot segment beside repeated slashes")
    return spelled


def _refuse_forbidden(path: bytes) -> None:
    if _FORBIDDEN.search(path):
        raise PathError("the path holds a control character, a space, a backslash, a # or a raw byte above 0x7F")


def _clean(path: bytes, keeps_encoded: bool = False) -> bytes:
    _refuse_forbidden(path)
    if b"%" in path:
        path = _unescape(path, keeps_encoded)
    kept: list[bytes] = []
    is_folder = False
    for segment in path.split(b"/")[1:]:
        name = _plain_name(segment)
        if name == b"..":
            if not kept:
                raise PathError("the path climbs above its root")
            kept.pop()
            is_folder = True
        elif not segment or name == b".":
            is_folder = True
        elif keeps_encoded and _climbs(segment):
            raise PathError("the path holds a dot segment beside an encoded slash")
        else:
            kept.append(segment)
            is_folder = False
    if not kept:
        return b"/"
    return b"/" + b"/".join(kept) + (b"/" if is_folder else b"")


def _plain_name(segment: bytes) -> bytes:
    """Without its parameters: `/..;x/` climbs in servlet containers, so it climbs here."""
    return segment.partition(b";")[0].partition(b"%3B")[0]


def _climbs(segment: bytes) -> bool:
    """Of one that holds encoded slashes: for who decodes them, and only then looks for parameters."""
    parts = _ENCODED.split(segment)
    return len(parts) > 1 and any(_plain_name(part) in (b".", b"..") for part in parts)


def _unescape(path: bytes, keeps_encoded: bool = False) -> bytes:
    first, *escaped = path.split(b"%")
    pieces = [first]
    for piece in escaped:
        code = piece[:2]
        if code not in _ESCAPES:
            raise PathError("the path holds a % that begins no escape")
        decoded = _ESCAPES[code]
        if decoded is None and keeps_encoded:
            decoded = _SLASHES.get(code)
        if decoded is None:
            raise PathError(f"the path holds %{code.decode().upper()}, which others may read as a separator or an end")
        pieces.append(decoded)
        pieces.append(piece[2:])
    path = b"".join(pieces)
    if _OVERLONG.search(path):
        raise PathError("the path holds an overlong UTF-8 escape")
    return path
