"""All that a connection asks: who may call, how large a body may be, who answers, and what becomes of the answer."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Final, Protocol

from meshway import call_lines, log_lines, spans, telemetry
from meshway.http1.field_lines import request_lines
from meshway.problem import Problem, internal_problem
from registry.logs.intake import MOST_BODY
from registry.machine.asgi import AsgiApp, AsgiExchange
from registry.machine.client_address import ClientAddresses
from registry.machine.confirming import NOT_FOUND, OF_THE_PROCESS, ConfirmedAnswer, DoubtedAnswer
from registry.machine.request import Reply, Request, Stream, answer_when, problem_reply
from registry.machine.targets import Targets
from registry.revisions.acts import ASKING, Actor
from registry.rights.caller import NOBODY, unauthenticated

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshway.certificates import CertificateFault
    from meshway.http1.message import RequestHead
    from meshway.peer_certificate import PeerCertificate
    from registry.gateways import Applied, Gateways
    from registry.machine.confirming import Head
    from registry.machine.encoding import AnswerEncoder
    from registry.machine.guards import Guards
    from registry.machine.protocol import RegistryConnection
    from registry.machine.routes import Routes
    from registry.manners.places import Caps
    from registry.rights.caller import Caller
    from registry.sign_in import SignIn

BODY_LIMIT: Final = 1 << 20
APPLY_LIMIT: Final = 16 << 20
_LIMITS: Final = {"/v1/apply": APPLY_LIMIT, log_lines.PATH: MOST_BODY}
MAX_WAIT_S: Final = 30.0
_PREFER_WAIT: Final = re.compile(r"(?:\A|[,;\s])wait\s*=\s*\"?(\d{1,6})")
# Where other projects' clients sign in, or ask how the process is.
OPEN_COMPAT: Final = frozenset(
    {
        "/nacos/v1/auth/login",
        "/nacos/v1/auth/users/login",
        "/nacos/v1/console/health/liveness",
        "/nacos/v1/console/health/readiness",
    }
)

_REPEATED: Final = (
    "/v1/heartbeats", "/v1/reports", "/v1/assignments", "/v1/answers/", telemetry.PATH, call_lines.PATH, spans.PATH,
    log_lines.PATH,
)  # fmt: skip

log = logging.getLogger("meshway.registry")


class Files(Protocol):
    """What is the same for everybody: the console (registry/console/assets.py)."""

    def serves(self, path: str) -> bool:
        """path: percent-decoded."""

    def answer(self, request: Request) -> Reply:
        """Of a GET that it serves."""


Outcome = Reply | Stream | asyncio.Future[Reply]


class Surface:
    """One for the process. app: answers what `routes` does not; gateways: waited for (Prefer: wait). caps: how many may
    be connected. sign_in: who calls; guards: what each may; note_denied: of writes, with the status they got. head:
    where other registries write to the store too. files: answered without a look at who asks. clients: whose address a
    request counts for."""

    def __init__(
        self,
        *,
        routes: Routes,
        app: AsgiApp,
        sign_in: SignIn,
        guards: Guards,
        note_denied: Callable[[Actor, int], None],
        encoder: AnswerEncoder,
        gateways: Gateways,
        caps: Caps,
        head: Head | None = None,
        files: Files | None = None,
        clients: ClientAddresses | None = None,
    ) -> None:
        self.caps = caps
        self.connections: set[RegistryConnection] = set()
        self.lines = request_lines(strip=False)
        self.encoder = encoder
        self._routes = routes
        self.application = app
        self._sign_in = sign_in
        self._guards = guards
        self._clients = ClientAddresses(()) if clients is None else clients
        self._note_denied = note_denied
        self._gateways = gateways
        self._head = head
        self._files = files
        self._targets = Targets()
        sign_in.takes_cookies = self._takes_cookies

    # --- before the body is read ---

    def admit(
        self, peer: str, head: RequestHead, certificate: PeerCertificate | CertificateFault | None
    ) -> Caller | Problem:
        """Who calls. certificate: of its connection, as in SignIn.caller. A Problem: nothing more of it is read."""
        if self._is_file(head):
            return NOBODY
        peer = self._clients.of(peer, head)
        try:
            caller = self._sign_in.caller(peer, head, certificate)
            path = self._targets.place(head.target)[0]
        except Problem as refused:
            return self._turned_away(peer, head, refused)
        except ValueError as error:
            return Problem(400, "bad_request", "Bad Request", detail=str(error))
        if caller is NOBODY and path not in self._guards.open_paths and path not in OPEN_COMPAT:
            return self._turned_away(peer, head, unauthenticated("nobody is signed in", code="not_signed_in"))
        return caller

    def _is_file(self, head: RequestHead) -> bool:
        """A page is shown whoever asks, also with a session that is over: it is where people sign in."""
        if self._files is None or head.method not in (b"GET", b"HEAD") or head.target.startswith(b"/v1/"):
            return False
        try:
            return self._files.serves(self._targets.place(head.target)[0])
        except ValueError:
            return False

    def _turned_away(self, peer: str, head: RequestHead, refused: Problem) -> Problem:
        """Whoever came without a token, with one that holds no more, or from another site's page."""
        method, path = head.method.decode("latin-1"), head.target.partition(b"?")[0].decode("latin-1")
        if _is_write(method, path):  # without a query, which may hold a token
            self._note_denied(Actor(NOBODY.principal.name, peer, f"{method} {path}"), refused.status)
        return refused

    def body_limit(self, head: RequestHead) -> int:
        """Bytes. Asked of admitted heads only."""
        return _LIMITS.get(self._targets.place(head.target)[0], BODY_LIMIT)

    def is_of_the_process(self, head: RequestHead) -> bool:
        """Whether it is answered in a crowd, too. Asked of admitted heads only."""
        return self._targets.place(head.target)[0] in OF_THE_PROCESS

    # --- once it is whole ---

    def denied(self, request: Request, status: int) -> None:
        """Called with the answer: writes that were denied stand in the audit log, too."""
        if _is_write(request.method, request.path):
            self._note_denied(Actor(request.who, request.peer, f"{request.method} {request.path}"), status)

    def rights_changed(self) -> None:
        """Called when a token has come or was revoked, or somebody who signs in was changed."""
        self._sign_in.forget()
        self.end_revoked()

    def end_revoked(self) -> None:
        """Ends the streams whose caller's token was revoked, or is over by now."""
        for connection in tuple(self.connections):
            connection.end_stream_unless(self._sign_in.is_still)

    def trust_shrank(self) -> None:
        """An authority of the mesh is believed no more, nor are connections that were made by its word: whoever comes
        again is verified anew."""
        for connection in tuple(self.connections):
            connection.end_unless_verified_anew()

    def end_over(self, wall: float) -> None:
        """Ends connections whose certificate is about to be over. wall: seconds since 1970."""
        for connection in tuple(self.connections):
            connection.end_when_over(wall)

    def request(self, head: RequestHead, body: bytes, peer: str, caller: Caller) -> Request:
        path, segments, query = self._targets.place(head.target)
        method = head.method
        return Request(
            head,
            body,
            method="GET" if method == b"HEAD" else method.decode("latin-1"),
            path=path,
            segments=segments,
            query=query,
            peer=self._clients.of(peer, head),
            caller=caller,
        )

    def dispatch(self, request: Request) -> Outcome:
        """Never raises: what goes wrong is an answer too."""
        if self._files is not None and self._is_file(request.head):
            return self._files.answer(request)
        if self._head is None:
            return self._answer(request)
        outcome = None if self._head.has_to_ask(request) else self._answer(request)
        # One that finds nothing has done nothing, and what it asks for may have been made elsewhere a moment ago.
        if outcome is None or (isinstance(outcome, Reply) and outcome.status == NOT_FOUND):
            return ConfirmedAnswer(self._head, request, self._answer, self.settle)
        if isinstance(outcome, AsgiExchange) and request.method == "GET" and request.path not in OF_THE_PROCESS:
            return DoubtedAnswer(outcome, ConfirmedAnswer(self._head, request, self._answer, self.settle))
        return outcome

    def _answer(self, request: Request) -> Outcome:
        ASKING.set(request)
        handler = self._routes.find(request.method, request.segments)
        try:
            if handler is None:
                self._guards.check(request)
                return AsgiExchange(self.application, request)
            outcome = handler(request)
        except Exception as error:
            return self._failed(request, error)
        return self.after(request, outcome) if isinstance(outcome, Reply) else outcome

    def settle(self, request: Request, done: asyncio.Future[Reply]) -> Outcome:
        """The answer that had to be waited for. Never raises."""
        try:
            reply = done.result()
        except asyncio.CancelledError:
            stopping = Problem(503, "stopping", "The registry stops", headers={"Retry-After": "1"})
            return problem_reply(stopping, request.request_id)
        except Exception as error:
            return self._failed(request, error)
        return self.after(request, reply)

    def after(self, request: Request, reply: Reply) -> Outcome:
        """Holds the answer to a write until the gateways run it, when the caller prefers so."""
        if request.waited or reply.revision is None or reply.status >= 300 or request.method == "GET":
            return reply
        wait_s = preferred_wait_s(request.field(b"prefer"))
        if wait_s is None:
            return reply
        request.waited = True
        return answer_when(
            self._gateways.applied(reply.revision, within_s=wait_s), lambda applied: _with_applied(reply, applied)
        )

    # --- small parts ---

    def _takes_cookies(self, head: RequestHead) -> bool:
        try:
            segments = self._targets.place(head.target)[1]
        except ValueError:
            return False
        return self._guards.takes_cookies(head.method.decode("latin-1"), segments)

    def _failed(self, request: Request, error: Exception) -> Reply:
        if isinstance(error, Problem):
            return problem_reply(error, request.request_id)
        log.error("%s %s failed, request %s", request.method, request.path, request.request_id, exc_info=error)
        return problem_reply(internal_problem(), request.request_id)


def _is_write(method: str, path: str) -> bool:
    """What programs repeat every few seconds writes nothing: with tokens that are over, a mesh would fill the log."""
    return method not in ("GET", "HEAD") and not path.startswith(_REPEATED) and not path.endswith("/heartbeat")


def preferred_wait_s(prefer: str | None) -> float | None:
    """Seconds of `Prefer: wait=n` (RFC 7240 §4.3), at most MAX_WAIT_S."""
    if prefer is None or (found := _PREFER_WAIT.search(prefer)) is None:
        return None
    return min(float(found[1]), MAX_WAIT_S)


def _with_applied(reply: Reply, applied: Applied) -> Reply:
    lines = f"meshway-applied: {applied.count}/{applied.live}\r\n"
    if applied.pending:
        lines += f"meshway-pending: {', '.join(applied.pending)}\r\n"
    return Reply(
        reply.status,
        reply.body,
        content_type=reply.content_type,
        headers=reply.headers + lines.encode("latin-1", "replace"),
        revision=reply.revision,
    )
