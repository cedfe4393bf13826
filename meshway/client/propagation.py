"""What a call inside a call takes along: trace, request id, how much it matters, and the time that is left.

The middleware notes it when a request comes in, the transport writes it on every call through the gateway. Context
variables follow tasks and the framework's worker threads, so nothing has to be handed on by the program.
Sources: W3C Trace Context; `meshway-deadline` is the whole milliseconds left, `meshway-criticality` how much the call
matters, which a caller can only lower (docs/guide/sdk.md).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextvars import ContextVar
from typing import Any, Final

import msgspec

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

DEADLINE: Final = "meshway-deadline"
PASSED_ON: Final = ("traceparent", "tracestate", "x-request-id", "meshway-criticality")


class Inbound(msgspec.Struct, frozen=True):
    """headers: of PASSED_ON, those that came. ends_at: of time.monotonic(), None without a deadline."""

    headers: tuple[tuple[str, str], ...] = ()
    ends_at: float | None = None

    def left_s(self) -> float | None:
        """May be below zero: then nobody waits for the answer any more."""
        return None if self.ends_at is None else self.ends_at - time.monotonic()


_NOTHING: Final = Inbound()
_inbound: ContextVar[Inbound] = ContextVar("meshway_inbound", default=_NOTHING)


def inbound() -> Inbound:
    """What the request that is being served brought along; empty outside of one."""
    return _inbound.get()


def note(headers: Iterable[tuple[str, str]]) -> Inbound:
    """Reads lower-case names. A deadline that is no number is as good as none: the caller, not this call, is wrong."""
    kept: list[tuple[str, str]] = []
    ends_at: float | None = None
    for name, value in headers:
        if name in PASSED_ON:
            kept.append((name, value))
        elif name == DEADLINE and value.isascii() and value.isdigit() and len(value) < 10:
            ends_at = time.monotonic() + int(value) / 1000.0
    return Inbound(tuple(kept), ends_at) if kept or ends_at is not None else _NOTHING


class MeshMiddleware:
    """ASGI: `app.add_middleware(mesh.middleware)`."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        found = note((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
        token = _inbound.set(found)
        try:
            await self._app(scope, receive, send)
        finally:
            _inbound.reset(token)


class MeshWsgi:
    """WSGI: the same for Flask, Django and their like (`mesh.wsgi`)."""

    def __init__(self, app: WsgiApp) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        names = (*PASSED_ON, DEADLINE)
        keys = ((name, "HTTP_" + name.upper().replace("-", "_")) for name in names)
        # Not reset afterwards: the body may be produced lazily, and the thread's next request sets it anew.
        _inbound.set(note((name, environ[key]) for name, key in keys if key in environ))
        return self._app(environ, start_response)
