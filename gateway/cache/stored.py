"""One answer as it is kept: what its callers get, and what says how long."""

from collections.abc import Callable, Hashable, Sequence
from typing import Final

from gateway.cache.freshness import Freshness
from gateway.cache.http_date import write_date
from meshway.http1.fields import add, find, remove
from meshway.http1.message import NO_BODY, ResponseHead

OVERHEAD: Final = 1024  # bytes of the objects around one answer
_NOT_KEPT: Final = (b"age",)
# Of a 304 these say nothing of the answer that is kept (RFC 9111 §3.2).
_OF_THE_BODY: Final = frozenset({b"content-length", b"content-encoding", b"content-range", b"content-type"})
# What a 304 tells of the answer in whose place it stands (RFC 9110 §15.4.5).
_OF_304: Final = (
    b"cache-control", b"content-location", b"date", b"etag", b"expires", b"vary", b"last-modified", b"set-cookie",
)  # fmt: skip


class StoredAnswer:
    """head: with which callers get it, the rule's changes made, without Age. origin: the fields as the service sent
    them: its word is what counts. came: monotonic seconds. target, parts: where it lies; the store writes them.
    hits: since the store looked at it. served_by: cluster, and key of the endpoint, that it came from. encoded: its
    body by the codings that callers got it in, each with its head.
    """

    __slots__ = (
        "_bodiless", "_unchanged", "asked_with", "body", "came", "encoded", "freshness", "head", "hits", "origin",
        "parts", "served_by", "size", "target",
    )  # fmt: skip

    def __init__(
        self,
        head: ResponseHead,
        origin: bytes,
        body: bytes,
        freshness: Freshness,
        came: float,
        wall_s: float,
        *,
        served_by: tuple[str, tuple[str, str, str]] = ("", ("", "", "")),
        asked_with: Sequence[tuple[bytes, bytes | None]] = (),
    ) -> None:
        """wall_s: when it came, since 1970. asked_with: the names of its Vary and what the request had in them."""
        self.head = kept_head(head, len(body), wall_s)
        self.origin = origin
        self.body = body
        self.freshness = freshness
        self.came = came
        self.target: Hashable = None
        self.parts: Hashable = None
        self.served_by = served_by
        self.asked_with = tuple(asked_with)
        self.hits = 0
        self.encoded: dict[bytes, tuple[ResponseHead, bytes]] = {}
        self._bodiless: ResponseHead | None = None
        self._unchanged: ResponseHead | None = None
        # The store adds what it is found by.
        self.size = len(body) + len(self.head.block) + len(origin) + OVERHEAD

    def age_s(self, now: float) -> float:
        """RFC 9111 §4.2.3. now: monotonic."""
        return self.freshness.age_s + (now - self.came)

    def left_s(self, now: float) -> float:
        """Of its lifetime; below 0: it is stale for so long."""
        freshness = self.freshness
        return freshness.lifetime_s - freshness.age_s - (now - self.came)

    def may_be_given(self, now: float) -> bool:
        """Without asking the service."""
        return not self.freshness.revalidates and self.left_s(now) > 0.0

    def is_of_use(self) -> bool:
        """Whether keeping it can spare anybody anything: it is fresh for a while, may be given stale, or has a
        validator by which the service can say that it has not changed."""
        freshness = self.freshness
        if freshness.lifetime_s > freshness.age_s and not freshness.revalidates:
            return True
        return freshness.stale_s > 0.0 or freshness.error_s > 0.0 or bool(self.validators())

    def validators(self) -> bytes:
        """The fields that ask the service whether it has changed (RFC 9110 §13.1)."""
        lines = b""
        if (tag := find(self.origin, b"etag")) is not None:
            lines += b"If-None-Match: %b\r\n" % tag
        if (modified := find(self.origin, b"last-modified")) is not None:
            lines += b"If-Modified-Since: %b\r\n" % modified
        return lines

    def bodiless(self) -> ResponseHead:
        """For HEAD: the length is told."""
        head = self._bodiless
        if head is None:
            head = self._bodiless = without_body(self.head)
        return head

    def unchanged(self, encoded: ResponseHead | None) -> ResponseHead:
        """304. encoded: the head that the caller's whole answer would have, where it is another one."""
        if encoded is not None:
            return not_modified(encoded)
        head = self._unchanged
        if head is None:
            head = self._unchanged = not_modified(self.head)
        return head

    def renewed(
        self, head: ResponseHead, origin: bytes, freshness_of: Callable[[bytes], Freshness], came: float, wall_s: float
    ) -> "StoredAnswer":
        """By a 304: its fields stand in place of the old ones (RFC 9111 §4.3.4). head: with the rule's changes.
        freshness_of: judges the service's fields."""
        merged = self.head.copy()
        merged.block = merge(self.head.block, head.block)
        origin = merge(remove(self.origin, _NOT_KEPT), origin)  # how old it was then says nothing of now
        return StoredAnswer(
            merged,
            origin,
            self.body,
            freshness_of(origin),
            came,
            wall_s,
            served_by=self.served_by,
            asked_with=self.asked_with,
        )


def kept_head(head: ResponseHead, length: int, wall_s: float) -> ResponseHead:
    """Each answer has a Date, or its Age would say nothing (RFC 9110 §6.6.1)."""
    kept = head.copy()
    kept.block = remove(head.block, _NOT_KEPT)
    if find(kept.block, b"date") is None:
        kept.block = add(kept.block, b"Date", write_date(wall_s))
    kept.body = length
    kept.content_length = length
    return kept


def without_body(head: ResponseHead) -> ResponseHead:
    bare = head.copy()
    bare.content_length = head.body if head.body >= 0 else None
    bare.body = NO_BODY
    return bare


def not_modified(head: ResponseHead) -> ResponseHead:
    unchanged = head.copy()
    lines = [line for line in head.block.split(b"\r\n") if line.partition(b":")[0].lower() in _OF_304]
    unchanged.block = b"".join(line + b"\r\n" for line in lines)
    unchanged.status, unchanged.reason = 304, b"Not Modified"
    unchanged.body, unchanged.content_length = NO_BODY, None
    return unchanged


def merge(kept: bytes, told: bytes) -> bytes:
    """told: the fields of a 304."""
    lines = [line for line in told.split(b"\r\n") if line]
    lines = [line for line in lines if line.partition(b":")[0].lower() not in _OF_THE_BODY]
    names = {line.partition(b":")[0].lower() for line in lines}
    return remove(kept, names) + b"".join(line + b"\r\n" for line in lines)
