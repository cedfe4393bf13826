"""How a connection answers the requests that it has read: at once, later, or by a stream, one at a time.

The bottom of a connection (registry/machine/protocol.py), which is told of requests and says what becomes of them.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import TYPE_CHECKING, Final

from meshway.problem import Problem
from registry.machine.outlet import AnswerOutlet
from registry.machine.request import Reply, Stream, problem_reply, request_id_of
from registry.revisions.acts import ASKING
from registry.rights.caller import NOBODY

if TYPE_CHECKING:
    from meshway.certificates import CertificateFault
    from meshway.http1.message import RequestHead
    from meshway.peer_certificate import PeerCertificate
    from registry.machine.deadline import Deadline
    from registry.machine.outgoing import Outgoing
    from registry.machine.request import Request
    from registry.machine.surface import Surface

ANSWER_S: Final = 60.0
LINGER_S: Final = 2.0
STALL_S: Final = 30.0
LINGER_BYTES: Final = 4 << 20


class Answering(asyncio.Protocol):
    """Busy: a request is being answered. Last: the connection ends with the answer under way. Gone: nothing is written
    any more. Lingering: the last answer is out, and what still comes is read and dropped. Advancing: what has come is
    being read, and answers are gathered.
    """

    __slots__ = (
        "_caller", "_certificate", "_deadline", "_is_advancing", "_is_busy", "_is_gone", "_is_last", "_is_paused",
        "_linger_left", "_out", "_outlet", "_request", "_stream", "_surface", "_transport", "peer",
    )  # fmt: skip

    _transport: asyncio.Transport
    _out: Outgoing

    def __init__(self, surface: Surface, deadline: Deadline) -> None:
        self._surface, self._deadline = surface, deadline
        self._request: Request | None = None
        self._caller = NOBODY
        self._stream: Stream | None = None
        self._outlet: AnswerOutlet | None = None
        self._is_busy = self._is_last = self._is_gone = self._is_advancing = self._is_paused = False
        self._linger_left = 0
        self._certificate: PeerCertificate | CertificateFault | None = None
        self.peer = ""

    @abstractmethod
    def _go_on(self) -> None:
        """The answer is out: what has come meanwhile is read."""

    @abstractmethod
    def _read_again(self) -> None:
        """Whatever comes."""

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
