"""One connection to the registry: HTTP/1.1 framed by meshway/http1, read here, answered in order (answering.py).

Requests of one connection never overlap: RFC 9112 §9.3.2 lets a server overlap safe methods only, and a GET behind a
PUT must see it. Concurrency, and with it the group commit's batch, comes from many connections.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

from meshway.http1.head import HeadError, HeadLimits, RequestReader
from meshway.peer_certificate import PeerCertificate
from meshway.problem import Problem
from registry.encryption import certificate_of
from registry.machine.answering import ANSWER_S, STALL_S, Answering
from registry.machine.body import BodyReader, BodyTooLarge, too_large
from registry.machine.client_address import peer_address
from registry.machine.deadline import Deadline
from registry.machine.encoding import CONTINUE
from registry.machine.outgoing import Outgoing
from registry.machine.refusals import not_come, not_confirmed, not_understood
from registry.machine.request import problem_reply, request_id_of
from registry.machine.seat import Seat
from registry.rights.workloads import CERTIFICATE_VOID

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from meshway.http1.message import RequestHead
    from registry.machine.surface import Surface
    from registry.rights.caller import Caller

HEAD_S: Final = 10.0
IDLE_S: Final = 60.0
# For one above all places to say what it wants.
CROWDED_S: Final = 2.0
BODY_S: Final = 30.0
# A certificate is renewed at half its life.
OVER_SOON_S: Final = 30.0
READ_AHEAD: Final = 64 * 1024
WRITE_HIGH: Final = 64 * 1024
_LIMITS: Final = HeadLimits()


class RegistryConnection(Answering):
    """uvicorn makes one per connection (registry/server.py); `shutdown` is what it calls when the process ends.

    Refused: it came when there were as many as there may be, gets one answer, and has no place among them.
    """

    __slots__ = (
        "_body", "_head", "_is_ended", "_is_in_head", "_is_reading", "_reader", "_rest", "_seat", "_stalled_at",
    )  # fmt: skip

    def __init__(self, surface: Surface, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(surface, Deadline(loop, self._on_deadline))
        self._reader = RequestReader(_LIMITS, strip=False, lines=surface.lines)
        self._rest = b""
        self._head: RequestHead | None = None
        self._body: BodyReader | None = None
        self._is_ended = False
        self._is_reading = self._is_in_head = True
        self._stalled_at = 0

    # --- what the transport calls ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's classes are no subclasses of it
        self._transport.set_write_buffer_limits(high=WRITE_HIGH, low=WRITE_HIGH // 4)
        self._out = Outgoing(self._transport, WRITE_HIGH)
        self.peer = peer_address(self._transport.get_extra_info("peername"))
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        if tls is not None:
            self._certificate = certificate_of(tls)
        seat = self._seat = Seat(self._surface.caps, self.peer)
        if seat.refusal is None:
            self._surface.connections.add(self)
            self._deadline.within(HEAD_S)
        elif seat.is_out:
            self._is_gone = True
            self._transport.abort()
        else:
            self._is_last = True
            self._deadline.within(CROWDED_S)

    def data_received(self, data: bytes) -> None:
        if self._linger_left:
            self._linger_left -= len(data)
            if self._linger_left <= 0:
                self._transport.abort()
            return
        if self._rest:
            data = self._rest + data
        if self._is_busy or self._is_paused:
            self._rest = data
            if len(data) >= READ_AHEAD and self._is_reading:
                self._is_reading = False
                self._transport.pause_reading()
            return
        self._advance(data)

    def eof_received(self) -> bool:
        """A caller may close its sending side and still read the answer; a stream's caller has just left."""
        self._is_ended = True
        return self._is_busy and not self._is_gone and (self._stream is None or not self._stream.is_endless)

    def pause_writing(self) -> None:
        self._is_paused = True
        self._stalled_at = self._transport.get_write_buffer_size()
        self._deadline.within(STALL_S)

    def resume_writing(self) -> None:
        self._is_paused = False
        if self._is_gone:
            return
        self._deadline.none()
        if self._stream is not None:
            self._stream.resume()
        elif self._is_busy:
            self._deadline.within(ANSWER_S)
        else:
            self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        self._seat.leave()
        self._surface.connections.discard(self)
        self._is_gone = True
        self._deadline.stop()
        self._rest = b""
        self._body = None
        self._leave_stream()

    # --- what the server calls ---

    def shutdown(self) -> None:
        """The process ends: an idle connection closes now, one that is answering afterwards, a stream is cut."""
        self._is_last = True
        if not self._is_busy or (self._stream is not None and self._stream.is_endless):
            self._leave_stream()
            self._close()

    def end_unless_verified_anew(self) -> None:
        """As at a shutdown, where the caller is known by a certificate."""
        if self._certificate is not None:
            self.shutdown()

    def end_when_over(self, wall: float) -> None:
        """As at a shutdown, before its certificate ends: who comes again shows the one that took its place. wall:
        seconds since 1970."""
        certificate = self._certificate
        if isinstance(certificate, PeerCertificate) and certificate.not_after - OVER_SOON_S <= wall:
            self.shutdown()

    def end_stream_unless(self, is_still: Callable[[Caller], bool]) -> None:
        """An answer that goes on for a caller that may not any more is cut: coming again, the caller is told why."""
        request, stream = self._request, self._stream
        if stream is not None and stream.is_endless and request is not None and not is_still(request.caller):
            self.stream_cut()

    # --- reading ---

    def _advance(self, data: bytes) -> None:
        """Handles what is whole in `data`; what is left waits in `_rest`."""
        at = 0
        self._is_advancing = True
        try:
            while at < len(data) and not (self._is_busy or self._is_paused or self._is_gone or self._linger_left):
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
            self._refuse(not_understood(error), self._head)
        finally:
            self._is_advancing = False
        self._rest = data[at:] if at < len(data) else b""
        self._flush()
        if not (self._is_busy or self._is_paused or self._linger_left or self._is_gone):
            if self._is_ended:
                self._close()
            elif self._head is None:
                self._await_head()

    def _await_head(self) -> None:
        if not self._rest:
            self._is_in_head = False
            self._deadline.within(IDLE_S)
        elif not self._is_in_head:  # a head has its time from its first byte on, however it dribbles
            self._is_in_head = True
            self._deadline.within(HEAD_S)

    def _go_on(self) -> None:
        """The answer is out: read what has come meanwhile."""
        if self._is_advancing or self._is_gone:
            return
        self._read_again()
        rest, self._rest = self._rest, b""
        self._advance(rest)

    def _read_again(self) -> None:
        if not self._is_reading and not self._is_gone:
            self._is_reading = True
            self._transport.resume_reading()

    def _open_request(self, head: RequestHead) -> None:
        """Judges a head before its body is read: what will be refused need not be sent."""
        self._is_in_head = False
        problem: Problem | None = None
        admitted = self._surface.admit(self.peer, head, self._certificate)
        if isinstance(admitted, Problem):
            problem = admitted
        else:
            self._caller = admitted
        # Nobody's body is waited for in a crowd: its places are few, and what is answered there needs none.
        crowded = self._seat.refusal
        if problem is None and crowded is not None and (head.body or not self._surface.is_of_the_process(head)):
            problem = crowded
        limit = self._surface.body_limit(head) if problem is None else 0
        if problem is None and head.body > limit:
            problem = too_large(limit)
        if problem is not None:
            # Who shows a younger certificate has to connect anew for that.
            self._is_last = self._is_last or problem.code == CERTIFICATE_VOID
            if head.body:
                self._refuse(problem, head)
            else:
                self._answer(problem_reply(problem, request_id_of(head)), head)
        elif head.body == 0:
            self._dispatch(head, b"")
        else:
            self._head = head
            if head.expect_continue:
                self.write(CONTINUE)
            self._deadline.within(BODY_S)

    def _read_body(self, head: RequestHead, data: bytes, at: int) -> int:
        """Takes this request's body from data; dispatches when it is whole. Returns where the next request begins."""
        is_waited_for = at == 0  # the head came before, some time ago
        if self._body is None:
            end = at + head.body
            if head.body > 0 and end <= len(data):  # all there: the usual case, and nothing is collected
                self._head = None
                self._dispatch(head, data[at:end], is_waited_for=is_waited_for)
                return end
            self._body = BodyReader(head, self._surface.body_limit(head))
        reader = self._body
        try:
            body = reader.feed(data[at:])
        except BodyTooLarge:
            self._head = self._body = None
            self._refuse(too_large(self._surface.body_limit(head)), head)
            return len(data)
        self._deadline.within(BODY_S)
        if body is not None:
            self._head = self._body = None
            self._dispatch(head, body, is_waited_for=is_waited_for)
        return len(data) - len(reader.rest)

    # --- in time ---

    def _on_deadline(self) -> None:
        if self._is_gone or self._linger_left:
            self._transport.abort()
        elif self._is_paused:
            size = self._transport.get_write_buffer_size()
            if size >= self._stalled_at:
                self._leave_stream()
                self._transport.abort()
            else:
                self._stalled_at = size
                self._deadline.within(STALL_S)
        elif self._is_busy:
            if self._stream is None and self._request is not None:
                request, self._request = self._request, None
                self._is_busy = False
                self._refuse(not_confirmed(ANSWER_S), request.head)
        elif self._head is not None or self._rest:
            what = "body" if self._head is not None else "head"
            head, self._head = self._head, None
            self._refuse(not_come(what), head)
        else:
            self._close()
