"""What a caller asks on condition, answered from the store (RFC 9110 §13, §14; RFC 9111 §4.3.2)."""

import re
from typing import Final, NamedTuple

from gateway.cache.http_date import read_date
from meshway.http1.fields import add, find, find_all, remove
from meshway.http1.message import NO_BODY, ResponseHead

_TAG: Final = re.compile(rb'(?:W/)?"[^"]*"')
_RANGE: Final = re.compile(rb"bytes=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.IGNORECASE)


def is_unchanged(request: bytes, answer: bytes) -> bool:
    """Whether the caller has this answer already. request: its fields; answer: fields of the one that is kept.

    A list of tags is compared weakly, and where there is one, dates say nothing.
    """
    wanted = find_all(request, b"if-none-match")
    if wanted:
        tags = b",".join(wanted)
        if tags.strip(b" \t") == b"*":
            return True
        own = find(answer, b"etag")
        return own is not None and weakly(own) in {weakly(tag) for tag in _TAG.findall(tags)}
    since = find(request, b"if-modified-since")
    if since is None:
        return False
    known = read_date(since)
    modified = find(answer, b"last-modified") or find(answer, b"date")
    changed = read_date(modified) if modified is not None else None
    return known is not None and changed is not None and changed <= known


def weakly(tag: bytes) -> bytes:
    return tag[2:] if tag[:2] == b"W/" else tag


class Part(NamedTuple):
    """first, last: bytes of the body; last < first: what is asked for lies behind its end."""

    first: int
    last: int


def part_of(request: bytes, answer: bytes, length: int) -> Part | None:
    """The part that is asked for, of a body that is there whole; None: all of it is given, as of what is asked for in
    several parts, in another unit, or only in case that it has not changed, when it has."""
    asked = find(request, b"range")
    if asked is None:
        return None
    match = _RANGE.fullmatch(asked)
    if match is None or match[1] == match[2] == b"":
        return None
    if (case := find(request, b"if-range")) is not None and not _is_same(case, answer):
        return None
    if not match[1]:
        suffix = int(match[2])
        return Part(max(0, length - suffix), length - 1) if suffix and length else Part(length, length - 1)
    first = int(match[1])
    last = min(int(match[2]), length - 1) if match[2] else length - 1
    if match[2] and int(match[2]) < first:
        return None  # no range at all (§14.1.2)
    return Part(first, last) if first < length else Part(length, length - 1)


def _is_same(case: bytes, answer: bytes) -> bool:
    """If-Range (§13.1.5): strongly, and a date to the second."""
    if case[:1] == b'"':
        return find(answer, b"etag") == case
    return case[:2] != b"W/" and find(answer, b"last-modified") == case


def partial(head: ResponseHead, body: bytes, part: Part) -> tuple[ResponseHead, bytes]:
    """206 or 416. head: of the whole answer."""
    other = head.copy()
    if part.first > part.last:
        other.status, other.reason = 416, b"Range Not Satisfiable"
        other.block = add(remove(head.block, (b"content-type", b"content-encoding", b"etag", b"last-modified")),
                          b"Content-Range", b"bytes */%d" % len(body))  # fmt: skip
        other.body, other.content_length = NO_BODY, 0
        return other, b""
    other.status, other.reason = 206, b"Partial Content"
    other.block = add(head.block, b"Content-Range", b"bytes %d-%d/%d" % (part.first, part.last, len(body)))
    piece = body[part.first : part.last + 1]
    other.body = other.content_length = len(piece)
    return other, piece
