"""One connection to the registry: HTTP/1.1 framed by meshway/http1, answered in order, one request at a time.

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
from registry.machine.body import BodyReader, BodyTooLarge, too_large
from registry.machine.client_address import peer_address
from registry.machine.deadline import Deadline
from registry.machine.encoding import CONTINUE
from registry.machine.outgoing import Outgoing
from registry.machine.outlet import AnswerOutlet
from registry.machine.refusals import not_come, not_confirmed, not_understood
from registry.machine.request import Reply, Stream, problem_reply, request_id_of
from registry.machine.seat import Seat
from registry.revisions.acts import ASKING
from registry.rights.caller import NOBODY
from registry.rights.workloads import CERTIFICATE_VOID

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from meshway.certificates import CertificateFault
    from meshway.http1.message import RequestHead
    from registry.machine.request import Request
    from registry.machine.surface import Surface
    from registry.rights.caller import Caller

HEAD_S: Final = 10.0
IDLE_S: Final = 60.0
# For one above all places to say what it wants.
CROWDED_S: Final = 2.0
BODY_S: Final = 30.0
ANSWER_S: Final = 60.0
LINGER_S: Final = 2.0
STALL_S: Final = 30.0
# A certificate is renewed at half its life.
OVER_SOON_S: Final = 30.0
READ_AHEAD: Final = 64 * 1024
LINGER_BYTES: Final = 4 << 20
WRITE_HIGH: Final = 64 * 1024
_LIMITS: Final = HeadLimits()


class RegistryConnection(asyncio.Protocol):
    """uvicorn makes one per connection (registry/server.py); `shutdown` is what it calls when the process ends.

    Busy: a request is being answered. Last: the connection ends with the answer under way. Gone: nothing is written
    any more. Lingering: the last answer is out, and what still comes is read and dropped. Refused: it came when there
    were as many as there may be, gets one answer, and has no place among them.
    """

    __slots__ = (
        "_body", "_caller", "_certificate", "_deadline", "_head", "_is_advancing", "_is_busy", "_is_ended", "_is_gone",
        "_is_in_head", "_is_last", "_is_paused", "_is_reading", "_linger_left", "_out", "_outlet", "_reader",
        "_request", "_rest", "_seat", "_stalled_at", "_stream", "_surface", "_transport", "peer",
    )  # fmt: skip

    def __init__(self, surface: Surface, loop: asyncio.AbstractEventLoop) -> None:
        self._surface = surface
        self._reader = RequestReader(_LIMITS, strip=False, lines=surface.lines)
        self._deadline = Deadline(loop, self._on_deadline)
        self._rest = b""
        self._head: RequestHead | None = None
        self._body: BodyReader | None = None
        self._request: Request | None = None
        self._caller = NOBODY
        self._stream: Stream | None = None
        self._outlet: AnswerOutlet | None = None
        self._is_busy = self._is_last = self._is_gone = self._is_ended = False
        self._is_advancing = self._is_paused = False
        self._is_reading = self._is_in_head = True
        self._linger_left = 0
        self._stalled_at = 0
        self._certificate: PeerCertificate | CertificateFault | None = None
        self.peer = ""

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

    # --- answering ---

    def _dispatch(self, head: RequestHead, body: bytes, *, is_waited_for: bool = False) -> None:
        """is_waited_for: the body. Meanwhile the caller's token may have been revoked, or be over."""
        self._is_last = self._is_last or not head.keep_alive
        if is_waited_for:
            admitted = self._surface.admit(self.peer, head, self._certificate)
            if isinstance(admitted, Problem):
                self._answer(problem_reply(admitted, request_id_of(head)), head)
                return
            self._caller = admitted
        request = self._request = self._surface.request(head, body, self.peer, self._caller)
        self._settle(request, self._surface.dispatch(request))
        ASKING.set(None)  # what comes next on this connection is not asked by it, and must not hold its body

    def _settle(self, request: Request, outcome: Reply | Stream | asyncio.Future[Reply]) -> None:
        if isinstance(outcome, Reply):
            self._is_busy = False
            if request.is_denied:
                self._surface.denied(request, outcome.status)
            self._answer(outcome, request.head)
            return
        self._is_busy = True
        if isinstance(outcome, asyncio.Future):
            self._deadline.within(ANSWER_S)
            outcome.add_done_callback(lambda done: self._answered(request, done))
            return
        self._deadline.none()
        self._stream = outcome
        self._outlet = AnswerOutlet(self, self._surface.encoder, request, keep_alive=not self._is_last)
        outcome.start(self._outlet)

    def _answered(self, request: Request, done: asyncio.Future[Reply]) -> None:
        outcome = self._surface.settle(request, done)
        if self._is_gone or self._request is not request:
            if isinstance(outcome, asyncio.Future):
                outcome.cancel()
            return
        self._settle(request, outcome)
        if not self._is_busy:
            self._go_on()

    def _answer(self, reply: Reply, head: RequestHead) -> None:
        keep_alive = head.keep_alive and not self._is_last
        self._request = None
        is_head = head.method == b"HEAD"
        self.write(self._surface.encoder.whole(reply, keep_alive=keep_alive, minor=head.minor, is_head=is_head))
        if not keep_alive:
            self._close()

    def _refuse(self, problem: Problem, head: RequestHead | None) -> None:
        """Answers, and closes: where the next request would begin is not known, or not worth reading."""
        reply = problem_reply(problem, request_id_of(head))
        is_head = head is not None and head.method == b"HEAD"
        self.write(self._surface.encoder.whole(reply, keep_alive=False, minor=1, is_head=is_head))
        self._flush()
        # Closing with unread bytes in the socket makes the kernel send a reset, which can overtake the answer.
        self._linger_left = LINGER_BYTES
        self._read_again()
        if self._transport.can_write_eof() and not self._is_gone:
            self._transport.write_eof()
        self._deadline.within(LINGER_S)

    # --- what an outlet calls (outlet.Writer) ---

    @property
    def is_paused(self) -> bool:
        return self._is_paused

    def write(self, data: bytes) -> None:
        if self._is_gone:
            return
        if self._is_advancing:
            self._out.gather(data)
        else:
            self._transport.write(data)

    def stream_replied(self, request: Request, reply: Reply) -> None:
        self._leave_stream()
        self._settle(request, self._surface.after(request, reply))
        if not self._is_busy:
            self._go_on()

    def stream_ended(self, *, keep_alive: bool) -> None:
        self._leave_stream()
        self._is_busy = False
        self._request = None
        if keep_alive and not self._is_last:
            self._go_on()
        else:
            self._close()

    def stream_cut(self) -> None:
        self._flush()
        self._leave_stream()
        self._is_gone = True
        self._transport.abort()

    # --- small parts ---

    def _leave_stream(self) -> None:
        stream, self._stream = self._stream, None
        if self._outlet is not None:
            self._outlet.detach()
            self._outlet = None
        if stream is not None:
            stream.stop()

    def _flush(self) -> None:
        if not self._is_gone:
            self._out.flush()

    def _close(self) -> None:
        """Once the caller has taken what is written; one that does not is cut off in time."""
        self._flush()
        self._is_gone = True
        self._deadline.within(STALL_S)
        self._transport.close()

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
