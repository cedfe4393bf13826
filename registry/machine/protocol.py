"""One connection to the registry: HTTP/1.1 framed by meshway/http1, answered in order, one request at a time.

Requests of one connection never overlap: RFC 9112 §9.3.2 lets a server overlap safe methods only, and a GET behind a
PUT must see it. Concurrency, and with it the group commit's batch, comes from many connections.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from typing import TYPE_CHECKING, Final, cast

from meshway.http1.framing import LAST_CHUNK, ChunkedReader, LengthReader, chunk
from meshway.http1.head import HeadError, HeadLimits, RequestReader
from meshway.http1.message import CHUNKED
from meshway.problem import Problem
from registry.machine.deadline import Deadline
from registry.machine.encoding import CONTINUE
from registry.machine.request import Reply, Stream, problem_reply, request_id_of

if TYPE_CHECKING:
    from meshway.http1.message import RequestHead
    from registry.machine.request import Request
    from registry.machine.surface import Surface

HEAD_S: Final = 10.0
IDLE_S: Final = 60.0
BODY_S: Final = 30.0
ANSWER_S: Final = 60.0
LINGER_S: Final = 2.0
STALL_S: Final = 30.0
READ_AHEAD: Final = 64 * 1024
LINGER_BYTES: Final = 4 << 20
WRITE_HIGH: Final = 64 * 1024
_LIMITS: Final = HeadLimits()

log = logging.getLogger("meshway.registry.connection")


class RegistryConnection(asyncio.Protocol):
    """uvicorn makes one per connection (registry/app.py); `shutdown` is what it calls when the process ends."""

    __slots__ = (
        "_advancing",
        "_body",
        "_body_left",
        "_busy",
        "_chunked",
        "_deadline",
        "_eof",
        "_framing",
        "_gone",
        "_head",
        "_in_head",
        "_last",
        "_length_left",
        "_linger_left",
        "_loop",
        "_mute",
        "_opened",
        "_out",
        "_out_size",
        "_paused",
        "_reader",
        "_reading",
        "_request",
        "_rest",
        "_stalled_at",
        "_stream",
        "_surface",
        "_transport",
        "peer",
    )

    def __init__(self, surface: Surface, loop: asyncio.AbstractEventLoop) -> None:
        self._surface = surface
        self._loop = loop
        self._reader = RequestReader(_LIMITS, strip=False, lines=surface.lines)
        self._deadline = Deadline(loop, self._on_deadline)
        self._rest = b""
        self._head: RequestHead | None = None
        self._framing: ChunkedReader | LengthReader | None = None
        self._body: list[bytes] = []
        self._body_left = 0
        self._request: Request | None = None
        self._stream: Stream | None = None
        self._busy = self._last = self._gone = self._eof = False
        self._advancing = self._paused = False
        self._reading = self._in_head = True
        self._mute = self._chunked = self._opened = False
        self._length_left: int | None = None
        self._linger_left = 0
        self._stalled_at = 0
        self._out: list[bytes] = []
        self._out_size = 0
        self.peer = ""

    # --- what the transport calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_HIGH, low=WRITE_HIGH // 4)
        self.peer = _address(self._transport.get_extra_info("peername"))
        self._surface.connections.add(self)
        self._deadline.within(HEAD_S)

    def data_received(self, data: bytes) -> None:
        if self._linger_left:
            self._linger_left -= len(data)
            if self._linger_left <= 0:
                self._transport.abort()
            return
        if self._rest:
            data = self._rest + data
        if self._busy or self._paused:
            self._rest = data
            if len(data) >= READ_AHEAD and self._reading:
                self._reading = False
                self._transport.pause_reading()
            return
        self._advance(data)

    def eof_received(self) -> bool:
        """A caller may close its sending side and still read the answer; a stream's caller has just left."""
        self._eof = True
        return self._busy and not self._gone and (self._stream is None or not self._stream.is_endless)

    def pause_writing(self) -> None:
        self._paused = True
        self._stalled_at = self._transport.get_write_buffer_size()
        self._deadline.within(STALL_S)

    def resume_writing(self) -> None:
        self._paused = False
        self._deadline.none()
        if self._stream is not None:
            self._stream.resume()
        elif self._busy:
            self._deadline.within(ANSWER_S)
        else:
            self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone = True
        self._deadline.stop()
        self._surface.connections.discard(self)
        self._rest = b""
        self._body.clear()
        self._leave_stream()

    # --- what the server calls ---

    def shutdown(self) -> None:
        """The process ends: an idle connection closes now, one that is answering afterwards, a stream is cut."""
        self._last = True
        if self._stream is not None and self._stream.is_endless:
            self._leave_stream()
            self._transport.close()
        elif not self._busy:
            self._transport.close()

    # --- reading ---

    def _advance(self, data: bytes) -> None:
        """Handles what is whole in `data`; what is left waits in `_rest`."""
        at = 0
        self._advancing = True
        try:
            while at < len(data) and not (self._busy or self._paused or self._gone or self._linger_left):
                if self._head is not None:
                    at = self._read_body(self._head, data, at)
                    continue
                head = self._reader.read(data, at)
                if head is None:
                    break
                at += head.head_size
                self._open_request(head)
        except HeadError as error:
            at = len(data)
            self._refuse(Problem(error.status, error.code, _title(error.status), detail=error.detail))
        finally:
            self._advancing = False
        self._rest = data[at:] if at < len(data) else b""
        self._flush()
        if not (self._busy or self._paused or self._linger_left or self._gone):
            if self._eof:
                self._close()
            elif self._head is None:
                self._await_head()

    def _await_head(self) -> None:
        if not self._rest:
            self._in_head = False
            self._deadline.within(IDLE_S)
        elif not self._in_head:  # a head has its time from its first byte on, however it dribbles
            self._in_head = True
            self._deadline.within(HEAD_S)

    def _go_on(self) -> None:
        """The answer is out: read what has come meanwhile."""
        if self._advancing or self._gone:
            return
        if not self._reading:
            self._reading = True
            self._transport.resume_reading()
        rest, self._rest = self._rest, b""
        self._advance(rest)

    def _open_request(self, head: RequestHead) -> None:
        """Judges a head before its body is read: what will be refused need not be sent."""
        self._in_head = False
        self._mute = head.method == b"HEAD"
        problem = self._surface.admit(self.peer, head)
        limit = self._surface.body_limit(head) if problem is None else 0
        if problem is None and head.body > limit:
            problem = too_large(limit)
        if problem is not None:
            if head.body:
                self._refuse(problem, head)
            else:
                self._answer(problem_reply(problem, request_id_of(head)), head)
            return
        self._head = head
        if head.body == 0:
            self._head = None
            self._dispatch(head, b"")
            return
        self._body_left = limit
        if head.body == CHUNKED:
            self._framing = ChunkedReader()
        if head.expect_continue:
            self._write(CONTINUE)
        self._deadline.within(BODY_S)

    def _read_body(self, head: RequestHead, data: bytes, at: int) -> int:
        """Takes this request's body from data; dispatches when it is whole. Returns where the next request begins."""
        announced = head.body
        if announced >= 0 and self._framing is None:
            if len(data) - at >= announced:
                self._head = None
                self._dispatch(head, data[at : at + announced])
                return at + announced
            self._framing = LengthReader(announced)
        framing = self._framing
        assert framing is not None
        piece = framing.feed(data[at:])
        self._body_left -= len(piece)
        if self._body_left < 0:
            self._head = self._framing = None
            self._body.clear()
            self._refuse(too_large(self._surface.body_limit(head)), head)
            return len(data)
        self._body.append(piece)
        self._deadline.within(BODY_S)
        if not framing.ended:
            return len(data)
        body = b"".join(self._body)
        self._body.clear()
        self._head = self._framing = None
        rest = len(framing.rest)
        self._dispatch(head, body)
        return len(data) - rest

    # --- answering ---

    def _dispatch(self, head: RequestHead, body: bytes) -> None:
        self._last = self._last or not head.keep_alive
        request = self._request = self._surface.request(head, body, self.peer)
        self._settle(request, self._surface.dispatch(request))

    def _settle(self, request: Request, outcome: Reply | Stream | asyncio.Future[Reply]) -> None:
        if isinstance(outcome, Reply):
            self._busy = False
            self._answer(outcome, request.head)
            return
        self._busy = True
        if isinstance(outcome, asyncio.Future):
            self._deadline.within(ANSWER_S)
            outcome.add_done_callback(lambda done: self._answered(request, done))
            return
        self._deadline.none()
        self._stream = outcome
        self._opened = False
        outcome.start(self)

    def _answered(self, request: Request, done: asyncio.Future[Reply]) -> None:
        outcome = self._surface.settle(request, done)  # also for a caller who left: its key must be remembered
        if self._gone or self._request is not request:
            if isinstance(outcome, asyncio.Future):
                outcome.cancel()
            return
        self._settle(request, outcome)
        if not self._busy:
            self._go_on()

    def _answer(self, reply: Reply, head: RequestHead) -> None:
        keep_alive = head.keep_alive and not self._last
        self._request = None
        self._write(
            self._surface.encoder.whole(reply, keep_alive=keep_alive, minor=head.minor, is_head=head.method == b"HEAD")
        )
        if not keep_alive:
            self._close()

    def _refuse(self, problem: Problem, head: RequestHead | None = None) -> None:
        """Answers, and closes: where the next request would begin is not known, or not worth reading."""
        reply = problem_reply(problem, request_id_of(head))
        self._write(self._surface.encoder.whole(reply, keep_alive=False, minor=1, is_head=self._mute))
        self._flush()
        # Closing with unread bytes in the socket makes the kernel send a reset, which can overtake the answer.
        self._linger_left = LINGER_BYTES
        if not self._reading and not self._gone:
            self._reading = True
            self._transport.resume_reading()
        if self._transport.can_write_eof() and not self._gone:
            self._transport.write_eof()
        self._deadline.within(LINGER_S)

    # --- the outlet of a stream (request.Outlet) ---

    @property
    def is_paused(self) -> bool:
        return self._paused

    def reply(self, reply: Reply) -> None:
        """The whole answer at once, instead of open, send, end."""
        if self._gone or self._stream is None:
            return
        request = self._request
        assert request is not None
        self._leave_stream()
        self._settle(request, self._surface.after(request, reply))
        if not self._busy:
            self._go_on()

    def open(self, status: int, headers: bytes, *, length: int | None = None, revision: int | None = None) -> None:
        if self._gone or self._stream is None:
            return
        head = self._head_of_answer()
        self._chunked = length is None and head.minor == 1 and not self._mute
        self._length_left = length
        if length is None and head.minor == 0:
            self._last = True
        if self._mute and length is None:
            self._last = True  # no body follows, so its end cannot be told by framing
        self._opened = True
        keep_alive = head.keep_alive and not self._last
        self._last = not keep_alive
        self._write(
            self._surface.encoder.open(
                status, headers, revision=revision, chunked=self._chunked, keep_alive=keep_alive, minor=head.minor
            )
        )

    def send(self, data: bytes) -> None:
        if self._gone or self._stream is None or self._mute or not data:
            return
        if self._length_left is not None:
            self._length_left -= len(data)
            if self._length_left < 0:
                log.error("an answer is longer than it announced; the connection is closed")
                self.cut()
                return
        self._write(chunk(data) if self._chunked else data)

    def end(self) -> None:
        if self._gone or self._stream is None:
            return
        if self._length_left and not self._mute:
            log.error("an answer is %d bytes shorter than it announced", self._length_left)
            self.cut()
            return
        if self._chunked:
            self._write(LAST_CHUNK)
        self._leave_stream()
        self._busy = False
        self._request = None
        if self._last:
            self._close()
        else:
            self._go_on()

    def cut(self) -> None:
        if self._gone or self._stream is None:
            return
        self._flush()
        self._leave_stream()
        self._gone = True
        self._transport.abort() if self._opened else self._transport.close()

    # --- small parts ---

    def _head_of_answer(self) -> RequestHead:
        assert self._request is not None
        return self._request.head

    def _leave_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.stop()

    def _write(self, data: bytes) -> None:
        if self._gone:
            return
        if not self._advancing:
            self._transport.write(data)
            return
        self._out.append(data)
        self._out_size += len(data)
        if self._out_size >= WRITE_HIGH:
            self._flush()

    def _flush(self) -> None:
        if self._out:
            data = b"".join(self._out)
            self._out.clear()
            self._out_size = 0
            if not self._gone:
                self._transport.write(data)

    def _close(self) -> None:
        self._flush()
        self._gone = True
        self._transport.close()

    def _on_deadline(self) -> None:
        if self._gone:
            return
        if self._linger_left:
            self._transport.abort()
        elif self._paused:
            size = self._transport.get_write_buffer_size()
            if size >= self._stalled_at:
                self._leave_stream()
                self._transport.abort()
            else:
                self._stalled_at = size
                self._deadline.within(STALL_S)
        elif self._busy:
            if self._stream is None and self._request is not None:
                request, self._request = self._request, None
                self._busy = False
                self._refuse(
                    Problem(
                        503, "timeout", "No answer in time", detail=f"the write was not confirmed in {ANSWER_S:g} s"
                    ),
                    request.head,
                )
        elif self._head is not None or self._rest:
            what = "body" if self._head is not None else "head"
            self._head = None
            self._refuse(Problem(408, "request_timeout", "Request Timeout", detail=f"the {what} did not come in time"))
        else:
            self._close()


def too_large(limit: int) -> Problem:
    return Problem(
        413,
        "too_large",
        "Content Too Large",
        detail=f"a body here has at most {limit} bytes",
        mend="split it: registrations by 1,000, documents by file",
    )


def _title(status: int) -> str:
    return {
        400: "Bad Request",
        408: "Request Timeout",
        414: "URI Too Long",
        431: "Request Header Fields Too Large",
    }.get(status, "Not understood")


def _address(peername: object) -> str:
    """The peer's address; IPv4 in IPv6 (`::ffff:127.0.0.1`) as IPv4, so that it is stored in one form."""
    if not isinstance(peername, tuple) or not peername:
        return ""
    try:
        address = ipaddress.ip_address(str(peername[0]).partition("%")[0])
    except ValueError:
        return ""
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
