"""A connection by TLS that is passed on as it is, by the host that its first message names."""

import struct
from typing import Final

from gateway.exchange import Reply
from gateway.relay.passage import no_route_for
from gateway.wire.listener_context import ListenerContext
from gateway.wire.proxy_protocol import Told
from gateway.wire.tcp.caller import Carriage, TcpCaller
from gateway.wire.tcp.client_hello import HelloFault, HelloReader
from gateway.wire.tcp.side import OPENING

HELLO_S: Final = 5.0
# RFC 8446 §6: what is told in clear before there are keys.
_FATAL: Final = 2
DECODE_ERROR, ACCESS_DENIED, INTERNAL_ERROR, UNRECOGNIZED_NAME = 50, 49, 80, 112
_ALERTS: Final = {404: UNRECOGNIZED_NAME, 400: DECODE_ERROR, 403: ACCESS_DENIED, 401: ACCESS_DENIED}


class NamedCaller(TcpCaller):
    """Reads the first message before it has a route; it goes to the service as it came."""

    __slots__ = ("_hello",)

    def __init__(self, listener: ListenerContext, told: Told | None, carriage: Carriage) -> None:
        super().__init__(listener, told, carriage)
        self._hello: HelloReader | None = None

    def _begin(self) -> None:
        self._hello = HelloReader()
        relay = self._listener.relay
        relay.wheel.set(self._timer, self, relay.now() + HELLO_S)
        self.go_on(OPENING)

    def data_received(self, data: bytes) -> None:
        hello = self._hello
        if hello is None:
            super().data_received(data)
            return
        self.size += len(data)
        try:
            name = hello.read(data)
        except HelloFault as fault:
            self.refused(Reply(400, "bad_client_hello", "DPE", str(fault), policy=self._listener.title))
            return
        if name is not None:
            self._hello = None
            self.exchange.server_name = name
            self.exchange.authority = name.encode("ascii")  # a name of the hello holds no other letters
            self.put_back(bytes(hello.came))
            self._route()

    def _no_route(self) -> Reply:
        return no_route_for(self.exchange, "TlsRoute")

    def eof_received(self) -> bool:
        return False if self._hello is not None else super().eof_received()

    def _turn_away(self, reply: Reply) -> None:
        """By an alert, so that the caller knows why."""
        alert = struct.pack("!BBBHBB", 21, 3, 3, 2, _FATAL, _ALERTS.get(reply.status, INTERNAL_ERROR))
        self.transport.write(alert)
        self.leave_slowly()
