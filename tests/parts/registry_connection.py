"""A registry connection with bytes in and bytes out; routes and application stand in for the real ones."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meshway.problem import Problem
from registry.gateways import Gateways
from registry.machine.encoding import AnswerEncoder
from registry.machine.guards import Guards
from registry.machine.protocol import RegistryConnection
from registry.machine.request import Outlet, Reply, Request
from registry.machine.routes import Routes
from registry.machine.surface import Surface
from registry.manners.places import Caps
from registry.settings import RegistrySettings
from registry.sign_in import SignIn
from tests.parts.registry_wire import RecordingTransport

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.revisions.acts import Actor


class Ticker:
    """A stream under the test's hand."""

    is_endless = True

    def __init__(self) -> None:
        self.outlet: Outlet | None = None
        self.stops = self.resumes = 0

    def start(self, outlet: Outlet) -> None:
        self.outlet = outlet
        outlet.open(200, b"content-type: text/plain\r\n")

    def resume(self) -> None:
        self.resumes += 1

    def stop(self) -> None:
        self.stops += 1


class Wire:
    """A connection, its transport, and routes: /echo answers the body, /later when told, /tick streams."""

    def __init__(self, app: Callable[..., Any] | None = None, peer: str = "127.0.0.1") -> None:
        loop = asyncio.get_running_loop()
        self.later: list[asyncio.Future[Reply]] = []
        self.order: list[str] = []
        self.denied: list[tuple[Actor, int]] = []
        self.ticker = Ticker()
        self.gateways = Gateways(loop.time)
        routes = Routes(
            [
                ("POST", "/v1/echo", self._echo),
                ("GET", "/v1/echo", self._echo),
                ("PUT", "/v1/later/{id}", self._later),
                ("GET", "/v1/tick", lambda _: self.ticker),
                ("GET", "/v1/broken", self._broken),
                ("GET", "/v1/refused", self._refused),
            ]
        )
        surface = Surface(
            routes=routes,
            app=app or _empty_app,
            sign_in=SignIn(dict, lambda: 0.0, trusts_loopback=True),
            guards=Guards([]),
            note_denied=lambda actor, status: self.denied.append((actor, status)),
            encoder=AnswerEncoder(lambda: 812, lambda: 0.0),
            gateways=self.gateways,
            caps=Caps(RegistrySettings(data_dir=Path())),
        )
        self.surface = surface
        self.connection = RegistryConnection(surface, loop)
        self.transport = RecordingTransport(peer)
        self.connection.connection_made(self.transport)

    def send(self, data: bytes) -> None:
        self.connection.data_received(data)

    def _echo(self, request: Request) -> Reply:
        self.order.append("echo")
        return Reply(200, request.body, content_type=b"text/plain")

    def _later(self, request: Request) -> asyncio.Future[Reply]:
        self.order.append(request.segments[2])
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.later.append(future)
        return future

    def _broken(self, request: Request) -> Reply:
        raise RuntimeError("secret reason")

    def _refused(self, request: Request) -> Reply:
        raise Problem(503, "busy", "Busy", headers={"Retry-After": "1"})


async def _empty_app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})
