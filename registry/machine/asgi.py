"""The bridge to the ASGI application: one HTTP exchange of ASGI 3.0 (asgi.readthedocs.io, HTTP & WebSocket 2.5).

The body was read whole before (it is bounded), so `receive` gives it at once; after that it waits for the disconnect.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final

from meshway.problem import Problem, internal_problem
from meshway.tasks import spawn
from registry.machine.request import Reply, problem_reply

if TYPE_CHECKING:
    from registry.machine.request import Outlet, Request

Message = MutableMapping[str, Any]
AsgiApp = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]
ANSWER_S: Final = 60.0
_OURS: Final = frozenset({b"transfer-encoding", b"connection", b"date", b"keep-alive"})

log = logging.getLogger("meshway.registry.asgi")


class AsgiExchange:
    """One request through the application. An answer that comes in one piece is a Reply, others are streamed."""

    __slots__ = (
        "_app",
        "_drained",
        "_gives_up",
        "_gone",
        "_headers",
        "_is_received",
        "_left",
        "_length",
        "_outlet",
        "_request",
        "_revision",
        "_stage",
        "_status",
        "_task",
    )

    is_endless: bool = False

    def __init__(self, app: AsgiApp, request: Request) -> None:
        self._app = app
        self._request = request
        self._outlet: Outlet | None = None
        self._task: asyncio.Task[None] | None = None
        self._drained: asyncio.Event | None = None
        self._gives_up: asyncio.Timeout | None = None
        self._left = asyncio.Event()
        self._gone = self._is_received = False
        self._stage = "waiting"  # -> headed -> opened -> done
        self._status = 500
        self._headers = b""
        self._length: int | None = None
        self._revision: int | None = None

    # --- request.Stream ---

    def start(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._task = spawn(self._run(), name=f"asgi {self._request.method} {self._request.path}")

    def resume(self) -> None:
        if self._drained is not None:
            self._drained.set()

    def stop(self) -> None:
        self._gone = True
        self._left.set()
        self.resume()

    # --- ASGI ---

    async def _run(self) -> None:
        try:
            async with asyncio.timeout(ANSWER_S) as self._gives_up:
                await self._app(self._scope(), self._receive, self._send)
        except TimeoutError:
            self._fail(Problem(503, "timeout", "No answer in time", detail=f"nothing came within {ANSWER_S:g} s"))
        except Exception:
            log.exception("%s %s ended with an error", self._request.method, self._request.path)
            self._fail(internal_problem())
        else:
            if self._stage != "done":
                log.error("%s %s ended without an answer", self._request.method, self._request.path)
                self._fail(internal_problem())

    async def _receive(self) -> Message:
        if not self._is_received:
            self._is_received = True
            return {"type": "http.request", "body": self._request.body, "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if self._gives_up is not None:  # a long answer may take its time as long as it moves
            self._gives_up.reschedule(asyncio.get_running_loop().time() + ANSWER_S)
        if kind == "http.response.start" and self._stage == "waiting":
            self._stage = "headed"
            self._status = message["status"]
            self._take_headers(message.get("headers", ()))
        elif kind == "http.response.body" and self._stage in ("headed", "opened"):
            await self._send_body(message.get("body", b""), more=message.get("more_body", False))
        elif self._stage != "done":
            raise RuntimeError(f"{kind} came while the answer was {self._stage}")

    async def _send_body(self, body: bytes, *, more: bool) -> None:
        outlet = self._outlet
        assert outlet is not None
        if self._stage == "headed" and not more:
            self._stage = "done"
            self._left.set()
            outlet.reply(Reply(self._status, body, content_type=b"", headers=self._headers, revision=self._revision))
            return
        if self._stage == "headed":
            self._stage = "opened"
            length = self._length
            line = b"" if length is None else b"content-length: %d\r\n" % length
            outlet.open(self._status, self._headers + line, length=length, revision=self._revision)
        outlet.send(body)
        if not more:
            self._stage = "done"
            outlet.end()
        elif outlet.is_paused and not self._gone:
            self._drained = asyncio.Event()
            await self._drained.wait()
            self._drained = None

    def _take_headers(self, headers: Any) -> None:
        lines = []
        for name, value in headers:
            lower = name.lower()
            if lower == b"content-length":
                self._length = int(value)
            elif lower == b"meshway-revision":
                self._revision = int(value)
            elif lower not in _OURS:
                if b"\r" in value or b"\n" in value:
                    raise RuntimeError(f"the header {name!r} holds a line break")
                lines.append(b"%b: %b\r\n" % (lower, value))
        self._headers = b"".join(lines)

    def _fail(self, problem: Problem) -> None:
        outlet = self._outlet
        assert outlet is not None
        if self._stage in ("waiting", "headed"):
            self._stage = "done"
            outlet.reply(problem_reply(problem, self._request.request_id))
        elif self._stage == "opened":
            self._stage = "done"
            outlet.cut()

    def _scope(self) -> dict[str, Any]:
        request = self._request
        head = request.head
        headers = [(b"host", head.authority)] if head.authority else []
        for line in head.block.split(b"\r\n"):
            if line:
                name, _, value = line.partition(b":")
                headers.append((name.lower(), value.strip(b" \t")))
        if request.body:
            headers.append((b"content-length", b"%d" % len(request.body)))
        raw_path, _, _ = head.target.partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.5"},
            "http_version": f"1.{head.minor}",
            "method": request.method,  # HEAD comes as GET: the connection leaves the body out
            "scheme": "http",
            "path": request.path,
            "raw_path": raw_path,
            "query_string": request.query.encode("latin-1"),
            "root_path": "",
            "headers": headers,
            "client": (request.peer, 0) if request.peer else None,
            "server": None,
            "state": {
                "request_id": request.request_id,
                "caller": request.caller,
                "peer": request.peer,
                "head": head,
            },
        }
