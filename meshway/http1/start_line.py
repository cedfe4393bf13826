"""Request lines and status lines (RFC 9112 §3, §4), whole and without their CRLF.

Only HTTP/1.0 and 1.1. A target is origin-form, absolute-form of http or https, authority-form for CONNECT, or `*` for
OPTIONS; what its path means is decided where paths are normalised, here only what no target may hold is refused.
"""

from string import ascii_letters, digits
from typing import Final

from meshway.http1.alphabet import table
from meshway.http1.authority import parse_authority

MAX_METHOD: Final = 32
TOKEN: Final = (ascii_letters + digits + "!#$%&'*+-.^_`|~").encode()

_METHODS: Final = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"})
_VERSIONS: Final = {b"HTTP/1.1": 1, b"HTTP/1.0": 0}
_TARGET: Final = table(byte for byte in range(0x21, 0x7F) if byte != 0x23)  # no space, no fragment
_TEXT: Final = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])

# method, target, minor, host, authority, is_absolute; host None: the Host field decides
RequestLine = tuple[bytes, bytes, int, bytes | None, bytes, bool]


class TooLong(ValueError):
    """The target is over its limit: 414."""


class WrongVersion(ValueError):
    """Well formed, but a version we do not speak: 505."""


def parse_request_line(line: bytes, max_target: int) -> RequestLine:
    """Raises ValueError, its text is fit for the answer."""
    parts = line.split(b" ")
    if len(parts) == 3:
        method, target, version = parts
        minor = _VERSIONS.get(version)
        # The usual line by the fewest steps; whatever else it is, the judge below finds out.
        if (
            minor is not None
            and method in _METHODS
            and target
            and target[0] == 0x2F  # /
            and len(target) <= max_target
            and target.translate(_TARGET).isdigit()
        ):
            return method, target, minor, None, b"", False
    return _judge_request_line(parts, max_target)


def _judge_request_line(parts: list[bytes], max_target: int) -> RequestLine:
    method = parts[0]
    check_method(method)
    if len(parts) < 2:
        raise ValueError("request line has no target")
    target = parts[1]
    if len(target) > max_target:
        raise TooLong(f"target is longer than {max_target} bytes")
    if not target or len(parts) != 3:
        raise ValueError("request line is not `method target version`, parted by one space each")
    minor = _VERSIONS.get(parts[2])
    if minor is None:
        raise _version_error(parts[2])
    if not target.translate(_TARGET).isdigit():
        raise ValueError("target holds a control, a fragment or a byte that must be escaped")
    if target[0] == 0x2F and method != b"CONNECT":  # /
        return method, target, minor, None, b"", False
    return _other_form(method, target, minor)


def check_method(method: bytes) -> None:
    """Raises ValueError."""
    if not method or len(method) > MAX_METHOD or method.translate(None, TOKEN):
        raise ValueError(f"method is not a token of 1 to {MAX_METHOD} bytes")


def _version_error(version: bytes) -> ValueError:
    digits_only = version[5:6].isdigit() and version[7:].isdigit() and version[6:7] == b"."
    if len(version) == 8 and version.startswith(b"HTTP/") and digits_only:
        return WrongVersion("only HTTP/1.0 and HTTP/1.1 are spoken here")
    return ValueError("request line does not end with an HTTP version")


def _other_form(method: bytes, target: bytes, minor: int) -> RequestLine:
    if method == b"CONNECT":
        host, port = parse_authority(target)
        if not port:
            raise ValueError("CONNECT names no port")
        return method, target, minor, host, target, False
    if target == b"*":
        if method != b"OPTIONS":
            raise ValueError("`*` is a target of OPTIONS only")
        return method, target, minor, None, b"", False
    scheme, colon, rest = target.partition(b"://")
    if not colon or scheme.lower() not in (b"http", b"https"):
        raise ValueError("target is neither a path nor an absolute http or https URL")
    end = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
    authority = rest[:end]
    host, _ = parse_authority(authority)
    return method, target, minor, host, authority, True


def parse_status_line(line: bytes) -> tuple[int, int, bytes]:
    """Returns (status, minor, reason). Raises ValueError.

    The space after the status may be missing together with the reason: many servers leave it out.
    """
    minor = _VERSIONS.get(line[:8])
    status = line[9:12]
    if minor is None or line[8:9] != b" ":
        raise ValueError("status line does not begin with HTTP/1.0 or HTTP/1.1")
    if len(status) != 3 or not status.isdigit() or not 100 <= int(status) <= 599 or line[12:13] not in (b"", b" "):
        raise ValueError("status is not three digits from 100 to 599")
    reason = line[13:]
    if reason.translate(None, _TEXT):
        raise ValueError("reason holds a control")
    return int(status), minor, reason
