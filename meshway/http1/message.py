"""What a head says once it was read: facts about a request or a response, never a decision.

The fields that go on as they came stay one block of bytes. A message is then written as start line + block + the
fields we add, in one write (docs/internals/wire.md).
"""

from collections.abc import Callable, Collection
from typing import Final

from meshway.http1.fields import remove

NO_BODY: Final = 0
CHUNKED: Final = -1
UNTIL_CLOSE: Final = -2


class RequestHead:
    """A request's head.

    target: as received. minor: 0 or 1, and 2 or 3 where it came by HTTP/2 or HTTP/3. host: lower-case authority of Host
    or of an absolute-form target, without port and trailing dot; b"" only in HTTP/1.0. authority: the same as received,
    with its port.
    block: the fields that may be forwarded, each `Name: value CRLF`: without Host, framing and hop-by-hop fields,
    what Connection names, the identity and forwarding fields that outsiders must not set, traceparent and x-request-id.
    body: bytes announced, or CHUNKED. named: lower-case names we read ourselves (docs in head.py), by value.
    head_size: bytes of the head on the wire. path: canonical, and the query, once somebody has read them from the
    target, since the same head comes again; else None.
    """

    __slots__ = (
        "authority",
        "block",
        "body",
        "expect_continue",
        "head_size",
        "host",
        "is_absolute",
        "keep_alive",
        "method",
        "minor",
        "named",
        "path",
        "request_id",
        "target",
        "te_trailers",
        "traceparent",
        "upgrade",
    )

    method: bytes
    target: bytes
    minor: int
    host: bytes
    authority: bytes
    is_absolute: bool
    block: bytes
    body: int
    keep_alive: bool
    expect_continue: bool
    upgrade: bytes
    te_trailers: bool
    traceparent: bytes
    request_id: bytes
    named: dict[bytes, bytes]
    head_size: int
    path: tuple[bytes, bytes] | None

    def copy(self) -> "RequestHead":
        """For whoever changes it: a reader gives the same head for the same bytes again."""
        other = RequestHead()
        other.method, other.target, other.minor, other.path = self.method, self.target, self.minor, self.path
        other.host, other.authority, other.is_absolute = self.host, self.authority, self.is_absolute
        other.block, other.named, other.head_size = self.block, self.named, self.head_size
        other.body, other.expect_continue, other.te_trailers = self.body, self.expect_continue, self.te_trailers
        other.keep_alive, other.upgrade = self.keep_alive, self.upgrade
        other.request_id, other.traceparent = self.request_id, self.traceparent
        return other


def bare_head(method: bytes = b"", authority: bytes = b"") -> RequestHead:
    """Of a request that nobody sent, or that could not be read: no body, no fields."""
    head = RequestHead()
    head.method, head.authority = method, authority
    head.target = head.host = head.block = b""
    head.upgrade = head.traceparent = head.request_id = b""
    head.minor = 1
    head.body = NO_BODY
    head.is_absolute = head.keep_alive = head.expect_continue = head.te_trailers = False
    head.named = {}
    head.head_size = 0
    head.path = None
    return head


class ResponseHead:
    """A response's head.

    block: forwardable fields as in RequestHead. body: bytes announced, CHUNKED or UNTIL_CLOSE; NO_BODY for HEAD, 1xx,
    204 and 304 whatever the fields say. content_length: the announced length even where no body follows (HEAD, 304),
    else None. keep_alive: whether the connection may be used again, as far as the head tells.
    keep_alive_timeout_s: from `Keep-Alive: timeout=n`, or None. opening: start line, block and framing, once somebody
    has written them, since the same head mostly comes again; fields: the same as HTTP/2 has them. is_dated: whether a
    Date is in them.
    """

    __slots__ = (
        "_changed",
        "_changes",
        "block",
        "body",
        "content_length",
        "fields",
        "head_size",
        "is_dated",
        "keep_alive",
        "keep_alive_timeout_s",
        "minor",
        "named",
        "opening",
        "reason",
        "status",
        "upgrade",
    )

    status: int
    reason: bytes
    minor: int
    block: bytes
    body: int
    content_length: int | None
    keep_alive: bool
    keep_alive_timeout_s: float | None
    upgrade: bytes
    named: dict[bytes, bytes]
    head_size: int
    opening: bytes | None
    fields: list[tuple[bytes, bytes]] | None
    is_dated: bool

    def __init__(self) -> None:
        self.opening = None
        self.fields = None
        self.is_dated = False
        self._changes: HeadChanges = ()
        self._changed: ResponseHead | None = None

    def changed(self, changes: "HeadChanges") -> "ResponseHead":
        """A copy that went through the changes: the same copy for the same ones, as a head mostly comes again."""
        other = self._changed
        if other is None or self._changes is not changes:
            other = self.copy()
            for change in changes:
                change(other)
            self._changes, self._changed = changes, other
        return other

    def without(self, names: Collection[bytes]) -> "ResponseHead":
        """A copy without the fields of these names (lower-case)."""
        other = self.copy()
        other.block = remove(other.block, names)
        return other

    def copy(self) -> "ResponseHead":
        """For whoever changes it: a reader gives the same head for the same bytes again."""
        other = ResponseHead()
        other.status, other.reason, other.minor = self.status, self.reason, self.minor
        other.block, other.named, other.head_size = self.block, self.named, self.head_size
        other.body, other.content_length, other.upgrade = self.body, self.content_length, self.upgrade
        other.keep_alive, other.keep_alive_timeout_s = self.keep_alive, self.keep_alive_timeout_s
        return other


# What they do depends on the head alone.
HeadChanges = tuple[Callable[[ResponseHead], None], ...]
