"""What a route is given and what it gives back, on the machine side and through the bridge alike."""

from __future__ import annotations

import re
import uuid
from asyncio import CancelledError
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

import msgspec

from meshway.problem import CONTENT_TYPE as PROBLEM_TYPE
from meshway.problem import Problem

if TYPE_CHECKING:
    from asyncio import Future

    from meshway.http1.message import RequestHead
    from meshway.identity import Principal
    from registry.rights.caller import Caller

T = TypeVar("T")
JSON: Final = b"application/json"
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{8,128}\Z")
_encode: Final = msgspec.json.Encoder().encode


class Request:
    """One whole request: head and body are there.

    path: percent-decoded, without query. segments: the path split at `/` before it was decoded, each decoded.
    peer: the caller's address; caller: who it is, and what it may. A HEAD arrives here as GET; the connection leaves
    out the body of the answer.
    waited: its `Prefer: wait` is fulfilled. is_denied: the caller lacks the right for it.
    """

    __slots__ = (
        "_request_id",
        "body",
        "caller",
        "head",
        "is_denied",
        "method",
        "path",
        "peer",
        "query",
        "segments",
        "waited",
    )

    def __init__(
        self,
        head: RequestHead,
        body: bytes,
        *,
        method: str,
        path: str,
        segments: tuple[str, ...],
        query: str,
        peer: str,
        caller: Caller,
    ) -> None:
        self.head = head
        self.body = body
        self.method = method
        self.path = path
        self.segments = segments
        self.query = query
        self.peer = peer
        self.caller = caller
        self.is_denied = False
        self.waited = False
        self._request_id = ""

    @property
    def request_id(self) -> str:
        """Made when it is first asked for: most answers bear none."""
        if not self._request_id:
            self._request_id = request_id_of(self.head)
        return self._request_id

    @property
    def principal(self) -> Principal:
        return self.caller.principal

    @property
    def who(self) -> str:
        return self.caller.principal.name

    @property
    def is_head(self) -> bool:
        return self.head.method == b"HEAD"

    def field(self, name: bytes) -> str | None:
        """A header the reader names (meshway/http1/head.py), as text."""
        value = self.head.named.get(name)
        return None if value is None else value.decode("latin-1")


def request_id_of(head: RequestHead | None) -> str:
    """The caller's, when it is one that can stand in a log, else a new one."""
    if head is not None and head.request_id and _REQUEST_ID.match(head.request_id):
        return head.request_id.decode("latin-1")
    return uuid.uuid4().hex


class Reply:
    """A whole answer. revision None: the head of the view stands in `Meshway-Revision`.

    headers: ready lines, `name: value CRLF` each.
    """

    __slots__ = ("body", "content_type", "headers", "revision", "status")

    def __init__(
        self,
        status: int,
        body: bytes = b"",
        *,
        content_type: bytes = JSON,
        headers: bytes = b"",
        revision: int | None = None,
    ) -> None:
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers = headers
        self.revision = revision


class Outlet(Protocol):
    """What a stream writes to: the connection, whose turn it is. Nothing here raises when the caller is gone."""

    @property
    def is_paused(self) -> bool:
        """The caller reads slower than we write: hold back until `resume`."""

    def reply(self, reply: Reply) -> None:
        """The whole answer at once, instead of open, send and end."""

    def open(self, status: int, headers: bytes, *, length: int | None = None, revision: int | None = None) -> None:
        """The head. headers: ready lines. length: of the body when it is known, else the body is chunked. revision: as
        in Reply."""

    def send(self, data: bytes) -> None:
        """A piece of the body."""

    def end(self) -> None:
        """The body is complete; the connection may serve another request."""

    def cut(self) -> None:
        """Close now, without the end of the body: the caller sees that something is missing."""


class Stream(Protocol):
    """An answer that goes on: server-sent events, feed frames. All calls come from the connection."""

    is_endless: bool
    """No answer is lost when the connection is closed in the middle: the caller comes again."""

    def start(self, outlet: Outlet) -> None:
        """Called once; from here on the stream may write, at once or later."""

    def resume(self) -> None:
        """The caller has taken what was waiting."""

    def stop(self) -> None:
        """Called exactly once: the caller is gone, the process ends, or the stream itself said `end` or `cut`."""


Handler = Callable[[Request], "Reply | Stream | Future[Reply]"]


def json_reply(value: object, status: int = 200, *, headers: bytes = b"", revision: int | None = None) -> Reply:
    return Reply(status, _encode(value) + b"\n", headers=headers, revision=revision)


def answer_when(future: Future[T], reply_of: Callable[[T], Reply]) -> Future[Reply]:
    """The future of a core call as a future of its answer. The core's own future is never cancelled from here: others
    wait for the same commit."""
    answer: Future[Reply] = future.get_loop().create_future()

    def done(future: Future[T]) -> None:
        if answer.done():
            return
        try:
            answer.set_result(reply_of(future.result()))
        except CancelledError:
            answer.cancel()
        except Exception as error:
            answer.set_exception(error)

    future.add_done_callback(done)
    return answer


def problem_reply(problem: Problem, request_id: str | None) -> Reply:
    """The one form of an error. request_id becomes the document's `instance`."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in problem.headers.items())
    return Reply(
        problem.status,
        problem.encode(request_id),
        content_type=PROBLEM_TYPE.encode(),
        headers=lines.encode("latin-1", "replace"),
    )
