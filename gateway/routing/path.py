"""The one place where a request target becomes a path: what is matched is what is limited, logged and forwarded.

Unreserved escapes are decoded, the others upper-cased, repeated slashes merged, dot segments removed. What two readers
might read differently (encoded slashes, controls, overlong UTF-8, a climb above the root) is refused. Idempotent.
Sources: RFC 3986 §6.2.2; the reasons are in docs/internals/routing.md.
"""

import re
from typing import Final

_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PLAIN: Final = _UNRESERVED | frozenset(b"/!$&'()*+,=:@")
# What must be looked at as pairs becomes one byte, what must be looked at closely another: two searches tell a plain
# path, where deleting the plain bytes and asking three times costs three times as much. They are made by `partition`,
# which takes its argument as it is; `find` and `startswith` parse theirs by a format, at twice the cost.
_SHAPE: Final = bytes(0x2F if code in b"/." else 0x2D if code in _PLAIN else 0x25 for code in range(256))
_FORBIDDEN: Final = re.compile(rb"[\x00-\x20\x7f-\xff\\#]")
_OVERLONG: Final = re.compile(rb"%(?:C[01]|E0%[89]|F0%8)")
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


def canonical(target: bytes) -> tuple[bytes, bytes]:
    """Path and query of a request target in origin-, absolute- or asterisk-form; the query keeps its `?`, or is b"".

    The query is never rewritten. Raises PathError.
    """
    path, mark, query = target.partition(b"?")
    if mark:
        query = mark + query
    if not path or path[0] != 0x2F:  # /
        path = _origin_path(path)
    shape = path.translate(_SHAPE)
    if not shape.partition(b"%")[1] and not shape.partition(b"//")[1]:
        return path, query
    return _clean(path), query


def _origin_path(path: bytes) -> bytes:
    if path == b"*":
        return path
    lower = path[:8].lower()
    for scheme in _SCHEMES:
        if lower.startswith(scheme):
            slash = path.find(b"/", len(scheme))
            return path[slash:] if slash >= 0 else b"/"
    raise PathError("the target is neither a path nor an http URL")


def _clean(path: bytes) -> bytes:
    if _FORBIDDEN.search(path):
        raise PathError("the path holds a control character, a space, a backslash, a # or a raw byte above 0x7F")
    if b"%" in path:
        path = _unescape(path)
    kept: list[bytes] = []
    is_folder = False
    for segment in path.split(b"/")[1:]:
        # `/..;x/` climbs in servlet containers, so it climbs here.
        name = segment.partition(b";")[0].partition(b"%3B")[0]
        if name == b"..":
            if not kept:
                raise PathError("the path climbs above its root")
            kept.pop()
            is_folder = True
        elif not segment or name == b".":
            is_folder = True
        else:
            kept.append(segment)
            is_folder = False
    if not kept:
        return b"/"
    return b"/" + b"/".join(kept) + (b"/" if is_folder else b"")


def _unescape(path: bytes) -> bytes:
    first, *escaped = path.split(b"%")
    pieces = [first]
    for piece in escaped:
        code = piece[:2]
        if code not in _ESCAPES:
            raise PathError("the path holds a % that begins no escape")
        decoded = _ESCAPES[code]
        if decoded is None:
            raise PathError(f"the path holds %{code.decode().upper()}, which others may read as a separator or an end")
        pieces.append(decoded)
        pieces.append(piece[2:])
    path = b"".join(pieces)
    if _OVERLONG.search(path):
        raise PathError("the path holds an overlong UTF-8 escape")
    return path
