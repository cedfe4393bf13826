"""What all connections of one listener of a worker share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gateway.exchange import EDGE, Exchange
from gateway.relay.explained import Tell
from gateway.relay.forwarding import Networks
from gateway.relay.relay import Relay
from meshway.http1.field_lines import request_lines
from meshway.http1.head import HeadLimits

if TYPE_CHECKING:
    from gateway.wire.http1.server import ServerProtocol


@dataclass(slots=True, frozen=True)
class ConnectionLimits:
    """Seconds, bytes, counts. body_rate: least bytes per second of a request body after body_grace_s, 0 = any.

    idle_s: kept alive without a request. head_s: from the first byte of a head to its last. write_stall_s: without a
    byte taken by the caller. high_water, low_water: unsent bytes at which the other side is paused and resumed.
    discard: how much of a refused request's body is read and dropped to keep the connection. linger_s: how long a
    closed connection still reads, so that the answer is not lost by a reset. per_address: connections of one peer that
    is no trusted proxy, 0 = any number.
    """

    head: HeadLimits = field(default_factory=HeadLimits)
    idle_s: float = 60.0
    head_s: float = 10.0
    body_rate: int = 0
    body_grace_s: float = 10.0
    write_stall_s: float = 30.0
    linger_s: float = 2.0
    high_water: int = 64 * 1024
    low_water: int = 16 * 1024
    discard: int = 64 * 1024
    connections: int = 20_000
    per_address: int = 0


EDGE_LIMITS: Final = ConnectionLimits(body_rate=100, per_address=1_000)


class ListenerContext:
    """face: EDGE or MESH. via_id: our name in Via, `meshway-<node>`. connections: the open ones.

    per_address: open connections by the peer's address; kept only where they are limited. explain: what to tell of a
    call that asks for it, None where nobody may ask.
    """

    __slots__ = (
        "connections", "draining", "explain", "face", "limits", "lines", "now", "per_address", "relay", "scheme",
        "trusted_proxies", "via_id", "via_line",
    )  # fmt: skip

    def __init__(
        self,
        face: int,
        relay: Relay,
        via_id: bytes,
        *,
        limits: ConnectionLimits | None = None,
        trusted_proxies: Networks = (),
        scheme: bytes = b"http",
        explain: Callable[[Exchange], Tell | None] | None = None,
    ) -> None:
        if limits is None:
            limits = EDGE_LIMITS if face == EDGE else ConnectionLimits()
        self.face = face
        self.relay = relay
        self.via_id = via_id
        self.via_line = b"Via: 1.1 %b\r\n" % via_id
        self.limits = limits
        self.trusted_proxies = trusted_proxies
        self.scheme = scheme
        self.lines = request_lines(method_override="drop" if face == EDGE else "pass")
        self.now: Callable[[], float] = relay.now
        self.connections: set[ServerProtocol] = set()
        self.per_address: dict[str, int] = {}
        self.draining = False
        self.explain = explain

    def enter(self, connection: "ServerProtocol", peer: str, *, is_limited: bool) -> bool:
        """Counts a new connection. False: its address has too many. is_limited: trusted proxies are not."""
        self.connections.add(connection)
        if not self.limits.per_address or not is_limited:
            return True
        count = self.per_address[peer] = self.per_address.get(peer, 0) + 1
        return count <= self.limits.per_address

    def leave(self, connection: "ServerProtocol", peer: str, *, is_limited: bool) -> None:
        self.connections.discard(connection)
        if self.limits.per_address and is_limited:
            left = self.per_address[peer] - 1
            if left:
                self.per_address[peer] = left
            else:
                del self.per_address[peer]

    def start_drain(self) -> None:
        """Each connection's next answer says close. Idle ones stay: a request may be on its way on them."""
        self.draining = True

    @property
    def is_idle(self) -> bool:
        """No call is running."""
        return not any(connection.is_busy for connection in self.connections)

    def close_idle(self) -> None:
        """At the end of the drain time."""
        for connection in tuple(self.connections):
            if not connection.is_busy:
                connection.close()

    def abort_all(self) -> None:
        """When the patience with running calls is over as well."""
        for connection in tuple(self.connections):
            connection.kill()
