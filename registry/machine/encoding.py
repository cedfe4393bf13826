"""Answers as bytes: status line, Date, revision, framing."""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.machine.request import Reply

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_STATUS_LINES: Final[dict[int, bytes]] = {
    status.value: b"HTTP/1.1 %d %s\r\n" % (status.value, status.phrase.encode()) for status in HTTPStatus
}
# RFC 9110 §6.4.1: these carry no content, and 1xx and 204 not even a Content-Length (§8.6).
_BODILESS: Final = frozenset({204, 304})


class AnswerEncoder:
    """Writes answers of one process. revision: the view's head, for answers that name none of their own. stale: the
    line that says how old the view may be; None: never."""

    __slots__ = ("_date", "_date_second", "_revision", "_stale", "_wall")

    def __init__(
        self, revision: Callable[[], int], wall: Callable[[], float], stale: Callable[[], bytes] | None = None
    ) -> None:
        self._revision = revision
        self._stale = stale
        self._wall = wall
        self._date = b""
        self._date_second = -1

    def whole(self, reply: Reply, *, keep_alive: bool, minor: int, is_head: bool) -> bytes:
        """Head and body of a reply. is_head: the body is announced and left out (RFC 9110 §9.3.2)."""
        body = reply.body
        status = reply.status
        parts = [
            _status_line(status),
            self._date_line(),
            b"meshway-revision: %d\r\n" % (self._revision() if reply.revision is None else reply.revision),
            b"" if self._stale is None else self._stale(),
            reply.headers,
            _connection(keep_alive, minor),
        ]
        if status in _BODILESS:
            parts.append(b"\r\n")
        else:
            if body and reply.content_type:
                parts.append(b"content-type: %b\r\n" % reply.content_type)
            if body or not is_head:  # the head of a stream: how long its body would be nobody knows
                parts.append(b"content-length: %d\r\n" % len(body))
            parts.append(b"\r\n")
            if not is_head:
                parts.append(body)
        return b"".join(parts)

    def open(
        self, status: int, headers: bytes, *, revision: int | None, chunked: bool, keep_alive: bool, minor: int
    ) -> bytes:
        """The head of an answer whose body follows piece by piece."""
        return b"".join(
            (
                _status_line(status),
                self._date_line(),
                b"meshway-revision: %d\r\n" % (self._revision() if revision is None else revision),
                b"" if self._stale is None else self._stale(),
                headers,
                b"transfer-encoding: chunked\r\n" if chunked else b"",
                _connection(keep_alive, minor),
                b"\r\n",
            )
        )

    def _date_line(self) -> bytes:
        second = int(self._wall())
        if second != self._date_second:
            self._date_second = second
            self._date = b"date: %b\r\n" % formatdate(second, usegmt=True).encode()
        return self._date


def _status_line(status: int) -> bytes:
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def _connection(keep_alive: bool, minor: int) -> bytes:
    """Only what differs from the version's default (RFC 9112 §9.3)."""
    if not keep_alive:
        return b"connection: close\r\n"
    return b"" if minor else b"connection: keep-alive\r\n"
