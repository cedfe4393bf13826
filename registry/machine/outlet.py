"""What one streamed answer writes to: head, pieces, end. It is done with its answer, never with the next one's."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from meshway.http1.framing import LAST_CHUNK, chunk

if TYPE_CHECKING:
    from registry.machine.encoding import AnswerEncoder
    from registry.machine.request import Reply, Request

log = logging.getLogger("meshway.registry.connection")


class Writer(Protocol):
    """The connection, as an outlet sees it. stream_*: said once, and the outlet is detached."""

    @property
    def is_paused(self) -> bool: ...

    def write(self, data: bytes) -> None: ...

    def stream_replied(self, request: Request, reply: Reply) -> None: ...

    def stream_ended(self, *, keep_alive: bool) -> None: ...

    def stream_cut(self) -> None: ...


class AnswerOutlet:
    """request.Outlet over a connection. keep_alive: the connection may serve on behind this answer."""

    __slots__ = ("_chunked", "_encoder", "_is_detached", "_is_muted", "_keep_alive", "_left", "_request", "_writer")

    def __init__(self, writer: Writer, encoder: AnswerEncoder, request: Request, *, keep_alive: bool) -> None:
        self._writer = writer
        self._encoder = encoder
        self._request = request
        self._keep_alive = keep_alive
        self._is_muted = request.head.method == b"HEAD"
        self._is_detached = self._chunked = False
        self._left: int | None = None

    def detach(self) -> None:
        """The answer is over: whatever its stream still says is lost."""
        self._is_detached = True

    @property
    def is_paused(self) -> bool:
        return self._writer.is_paused

    def reply(self, reply: Reply) -> None:
        if not self._is_detached:
            self._writer.stream_replied(self._request, reply)

    def open(self, status: int, headers: bytes, *, length: int | None = None, revision: int | None = None) -> None:
        if self._is_detached:
            return
        minor = self._request.head.minor
        self._left = length
        self._chunked = length is None and minor == 1 and not self._is_muted
        if length is None and not self._chunked:
            self._keep_alive = False  # the end of the connection is the end of the body
        self._writer.write(
            self._encoder.open(
                status, headers, revision=revision, chunked=self._chunked, keep_alive=self._keep_alive, minor=minor
            )
        )

    def send(self, data: bytes) -> None:
        if self._is_detached or self._is_muted or not data:
            return
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                log.error("%s: the answer is longer than it announced", self._request.path)
                self.cut()
                return
        self._writer.write(chunk(data) if self._chunked else data)

    def end(self) -> None:
        if self._is_detached:
            return
        if self._left and not self._is_muted:
            log.error("%s: the answer is %d bytes shorter than it announced", self._request.path, self._left)
            self.cut()
            return
        if self._chunked:
            self._writer.write(LAST_CHUNK)
        self._writer.stream_ended(keep_alive=self._keep_alive)

    def cut(self) -> None:
        if not self._is_detached:
            self._writer.stream_cut()
