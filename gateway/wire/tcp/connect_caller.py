"""A CONNECT of the mesh: after its 200 the connection is a service's, byte by byte (RFC 9110 §9.3.6), or the stream is.

Only ports of tcp and tls of registered services are connected to: whoever reaches the mesh reaches nothing else by it.
"""

import asyncio
from typing import Final, cast

from gateway.authentication.service_token import FIELD as SERVICE_TOKEN
from gateway.authentication.service_token import prove
from gateway.exchange import Exchange, Reply
from gateway.relay.passage import not_connected
from gateway.relay.trace import begin_trace
from gateway.routing.connection_table import ConnectionPlan
from gateway.routing.table import Tables
from gateway.wire.entrance import Entrance
from gateway.wire.heads import CLOSE_FIELD, reply
from gateway.wire.interfaces import Address
from gateway.wire.listener_context import ConnectableStream, Connection, ListenerContext
from gateway.wire.tcp.caller import Carriage, TcpCaller

_CONNECTED: Final = b"HTTP/1.1 200 OK\r\n\r\n"


class ConnectCaller(TcpCaller):
    """Takes over from the connection that has read the request, or one of its streams."""

    __slots__ = ("_is_welcomed", "_stream")

    def __init__(
        self,
        carriage: Carriage,
        listener: ListenerContext,
        exchange: Exchange,
        entrance: Entrance | None,
        ends: tuple[Address | None, Address | None],
    ) -> None:
        super().__init__(listener, None, carriage)
        self.exchange, self._entrance, self._ends = exchange, entrance, ends
        self._stream: ConnectableStream | None = None
        self._is_welcomed = False

    def take_over(
        self, before: Connection, transport: asyncio.Transport, peer: str, early: bytes, *, is_limited: bool
    ) -> None:
        """peer, is_limited: as the listener knows the connection. early: what came behind the request."""
        self._is_limited = is_limited
        self._listener.hand_over(before, self)
        transport.set_protocol(self)
        self._take(transport, peer, early)

    def take_stream(self, stream: ConnectableStream, peer: str, first: bytes) -> None:
        """first: what came with the request. The stream's connection stays the listener's."""
        self._stream = stream
        self._take(cast(asyncio.Transport, stream), peer, first)

    def _take(self, transport: asyncio.Transport, peer: str, early: bytes) -> None:
        self._peer, self._is_entered = peer, True
        self.attach(transport)
        if early:
            self.size = len(early)
            self.put_back(early)
        exchange = self.exchange
        begin_trace(exchange)
        tables = self._carriage.tables.tables
        if SERVICE_TOKEN in exchange.head.named:
            refusal = prove(exchange, tables.trust, tables.parts.wall())
            if refusal is not None:
                self.refused(refusal)
                return
        self._route()

    def _plan_of(self, tables: Tables) -> ConnectionPlan | None:
        return tables.connection_to(self.exchange)

    def _no_route(self) -> Reply:
        return not_connected(self.exchange)

    def _turn_away(self, answer: Reply) -> None:
        if self._stream is not None:
            self._stream.turn_away(self.exchange, answer)
        else:
            head, body = reply(self.exchange, answer, CLOSE_FIELD)
            self.transport.write(head + body)
        self.leave_slowly()

    def _revoke(self, refusal: Reply) -> None:
        if self._is_welcomed:
            super()._revoke(refusal)
            return
        # Whoever waits for an answer gets one; what he was waiting for must not come behind it.
        self._leave_passage()
        if self._service is not None:
            self._service.abort()
        self.refused(refusal)

    def _welcome(self) -> None:
        self._is_welcomed = True
        if self._stream is not None:
            self._stream.accept()
        else:
            self.transport.write(_CONNECTED)

    def _leave_listener(self) -> None:
        if self._stream is None:
            super()._leave_listener()
