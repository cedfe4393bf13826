"""From the lines of one header block to its facts: the part of a head that a repeated block need not pay again.

Everything here depends on the block and on the minor version alone, never on the start line's method, target or
status: that is what makes the facts good for the connection's next message with the same block.
"""

from typing import Final

from meshway.http1.block_memo import ABSENT, Id
from meshway.http1.field_lines import (
    CODING,
    CONNECTION,
    EXPECT,
    HOST,
    KEEP_ALIVE,
    LENGTH,
    READ,
    READ_KEPT,
    REQUEST_ID,
    SINGLE,
    SINGLE_READ,
    TE,
    TRACEPARENT,
    UPGRADE,
    FieldLines,
    tokens,
)
from meshway.http1.message import CHUNKED, NO_BODY, UNTIL_CLOSE

_MAX_IDLE_HINT_S: Final = 86_400
# Never taken out by Connection: without them the next reader would have to guess where the message ends or goes.
_OPTIONS: Final = frozenset({b"close", b"keep-alive", b"upgrade", b"host", b"content-length", b"transfer-encoding"})

# host, authority, block, body, keep_alive, expect_continue, upgrade, te_trailers, named
RequestFacts = tuple[bytes, bytes, bytes, int, bool, bool, bytes, bool, dict[bytes, bytes]]
# block, body as far as the fields tell, content_length, keep_alive, keep_alive_timeout_s, upgrade, named
ResponseFacts = tuple[bytes, int, int | None, bool, float | None, bytes, dict[bytes, bytes]]


def collect_request(lines: list[bytes], known: FieldLines, minor: int) -> tuple[RequestFacts, Id, Id]:
    """Returns (facts, traceparent, x-request-id). Raises ValueError."""
    kept: list[bytes] = []
    named: dict[bytes, bytes] = {}
    host: bytes | None = None
    traceparent = request_id = ABSENT
    authority = connection = upgrade = b""
    length = -1
    chunked = expect = te_trailers = False
    for line in lines:
        fact = known[line]
        if fact is None:
            kept.append(line)
            continue
        code, name, value = fact
        if code >= READ:
            _report(named, code, name, value)
            if code >= READ_KEPT:
                kept.append(line)
        elif code == HOST:
            if host is not None:
                raise ValueError("host is given twice")
            host, authority = name, value
        elif code == TRACEPARENT:
            traceparent = (b"" if traceparent[1] else value), line
        elif code == REQUEST_ID:
            request_id = (b"" if request_id[1] else value), line
        elif code == CONNECTION:
            connection = connection + b"," + value if connection else value
        elif code == LENGTH:
            length = _length_once(length, value)
        elif code == CODING:
            chunked = _coding_once(chunked, minor)
        elif code == EXPECT:
            # RFC 9110 §10.1.1: an HTTP/1.0 caller cannot wait for the 100.
            expect = expect or (minor == 1 and value.lower() == b"100-continue")
            kept.append(line)
        elif code == UPGRADE:
            upgrade = upgrade or value
        elif code == TE:
            te_trailers = te_trailers or bool(value)
    if host is None:
        if minor == 1:
            raise ValueError("host is missing")
        host = b""
    keep_alive = minor == 1
    if minor == 0:
        upgrade = b""
    if connection or upgrade:
        keep_alive, upgrade, kept = _apply_connection(connection, keep_alive, upgrade, kept)
    block = b"\r\n".join(kept) + b"\r\n" if kept else b""
    body = _body(chunked, length, NO_BODY)
    return (host, authority, block, body, keep_alive, expect, upgrade, te_trailers, named), traceparent, request_id


def collect_response(lines: list[bytes], known: FieldLines, minor: int) -> tuple[ResponseFacts, Id]:
    """Returns (facts, x-request-id). Raises ValueError."""
    kept: list[bytes] = []
    named: dict[bytes, bytes] = {}
    request_id = ABSENT
    connection = upgrade = b""
    length = -1
    chunked = False
    timeout_s: float | None = None
    for line in lines:
        fact = known[line]
        if fact is None:
            kept.append(line)
            continue
        code, name, value = fact
        if code >= READ:
            _report(named, code, name, value)
            kept.append(line)
        elif code == LENGTH:
            length = _length_once(length, value)
        elif code == CODING:
            chunked = _coding_once(chunked, minor)
        elif code == CONNECTION:
            connection = connection + b"," + value if connection else value
        elif code == KEEP_ALIVE:
            timeout_s = _idle_hint(value)
        elif code == REQUEST_ID:
            request_id = (b"" if request_id[1] else value), line
        elif code == UPGRADE:
            upgrade = upgrade or value
    keep_alive = minor == 1
    if connection or upgrade:
        keep_alive, upgrade, kept = _apply_connection(connection, keep_alive, upgrade, kept)
    block = b"\r\n".join(kept) + b"\r\n" if kept else b""
    body = _body(chunked, length, UNTIL_CLOSE)
    content_length = None if length < 0 else length
    return (block, body, content_length, keep_alive, timeout_s, upgrade, named), request_id


def _report(named: dict[bytes, bytes], code: int, name: bytes, value: bytes) -> None:
    if name not in named:
        named[name] = value
    elif code in (SINGLE, SINGLE_READ):
        raise ValueError(f"{name.decode('ascii')} is given twice")
    else:
        named[name] += b", " + value


def _length_once(length: int, value: bytes) -> int:
    if length >= 0:
        raise ValueError("content-length is given twice")
    return int(value)


def _coding_once(chunked: bool, minor: int) -> bool:
    if chunked:
        raise ValueError("transfer-encoding is given twice")
    if minor == 0:
        raise ValueError("transfer-encoding in HTTP/1.0")
    return True


def _body(chunked: bool, length: int, unannounced: int) -> int:
    if chunked and length >= 0:
        raise ValueError("content-length and transfer-encoding exclude each other")
    return CHUNKED if chunked else unannounced if length < 0 else length


def _apply_connection(
    connection: bytes, keep_alive: bool, upgrade: bytes, kept: list[bytes]
) -> tuple[bool, bytes, list[bytes]]:
    """Returns (keep_alive, upgrade, kept lines without those that Connection names); RFC 9110 §7.6.1."""
    if not upgrade:
        if connection == b"keep-alive":
            return True, b"", kept
        if connection == b"close":
            return False, b"", kept
    options = tokens(connection)
    if b"close" in options:
        keep_alive = False
    elif b"keep-alive" in options:
        keep_alive = True
    if b"upgrade" not in options:
        upgrade = b""
    names = options - _OPTIONS
    if names:
        kept = [line for line in kept if line.partition(b":")[0].lower() not in names]
    return keep_alive, upgrade, kept


def _idle_hint(value: bytes) -> float | None:
    """`timeout=n` of Keep-Alive (RFC 2068 §19.7.1.1) in seconds; nonsense is no hint."""
    for member in value.lower().split(b","):
        name, _, number = member.strip().partition(b"=")
        if name == b"timeout" and number.isdigit() and len(number) <= 9:
            return float(min(int(number), _MAX_IDLE_HINT_S))
    return None
