"""What all connections of one listener of a worker share."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Literal, Protocol

from gateway.exchange import EDGE, MESH, Exchange, Reply
from gateway.relay.explained import Tell
from gateway.relay.forwarding import Networks
from gateway.relay.relay import Relay
from gateway.wire.connection_limits import EDGE_LIMITS, ConnectionLimits, StreamLimits
from gateway.wire.interfaces import Address
from gateway.wire.places import ADDRESS, CONNECTIONS, Places
from gateway.wire.proxy_protocol import Told
from gateway.wire.tls import TlsFace
from meshway.http1.field_lines import FieldLines, Underscores, request_lines
from meshway.model.listener import Spoken

if TYPE_CHECKING:
    from gateway.relay.call import Call
    from gateway.relay.forwarding import Forwarding
    from gateway.wire.entrance import Entrance

ProxyProtocol = Literal["off", "accept", "require"]
# Why a connection ends that a listener cuts.
NO_TIME: Final = "the gateway has no more time for it"
VOID: Final = ("UAEX", "certificate_void", "the certificate of this connection does not hold any more")
PREFACE: Final = b"PRI * HTTP/2.0\r\n"  # the beginning of RFC 9113 §3.4's


class Connection(Protocol):
    """A caller's, as its listener knows it."""

    @property
    def is_busy(self) -> bool:
        """A call is running, or its last bytes are still to be sent."""

    def start_drain(self) -> None:
        """It is told to come to an end."""

    def close(self) -> None:
        """When idle."""

    def say_goodbye(self) -> bool:
        """Conversations that are told of their end are ended; they are done in a moment. Whether there were any."""

    def kill(self) -> None: ...

    def end_void(self) -> None:
        """Others are believed from now on: calls of somebody who is not end in the middle."""

    def calls(self) -> "Sequence[Call]":
        """That run on it now, by HTTP."""


class Multiplexed(Connection, Protocol):
    """One that speaks HTTP/2."""

    def begin(self, data: bytes) -> None:
        """data: what came already."""


class Receiver(Protocol):
    """Of a listener's datagrams, in a worker."""

    def open(self) -> None:
        """Reads from now on."""

    def drain(self, *, is_last: bool) -> None:
        """Nobody begins anew. is_last: no other worker reads the socket."""

    def close(self) -> None:
        """For good, with the socket."""

    def beat(self, now: float) -> None:
        """Some times a second."""


Receiving = Callable[["ListenerContext", socket.socket], Receiver]
"""Has the datagrams of a socket."""
Caller = Callable[["ListenerContext", Told | None], asyncio.Protocol]
"""Has a new connection from its first byte on, or from the first one after what a proxy has told of it."""


class ConnectableStream(Protocol):
    """One of a connection that carries many: an `asyncio.Transport` as far as `Side` needs one."""

    def accept(self) -> None:
        """It is connected: what comes from now on is the service's."""

    def turn_away(self, exchange: Exchange, answer: Reply) -> None: ...


class Connecting(Connection, Protocol):
    """One that goes on as a service's, byte by byte. It is a Protocol of asyncio's, too."""

    def take_over(
        self, before: Connection, transport: asyncio.Transport, peer: str, early: bytes, *, is_limited: bool
    ) -> None:
        """early: what came behind the request for it."""

    def take_stream(self, stream: ConnectableStream, peer: str, first: bytes) -> None:
        """Takes over one stream alone. first: what came with the request for it."""

    def data_received(self, data: bytes) -> None: ...

    def eof_received(self) -> bool: ...

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...

    def connection_lost(self, exc: Exception | None) -> None: ...


ConnectingBy = Callable[
    ["ListenerContext", Exchange, "Entrance | None", tuple[Address | None, Address | None]], Connecting
]
"""Carries out a CONNECT: of this request, by what the caller has shown, between these ends."""
Multiplexing = Callable[
    ["ListenerContext", asyncio.Transport, str, "Forwarding", "Entrance | None", StreamLimits], Multiplexed
]
"""Takes over a transport that was welcomed: of the peer's address, with what is told of it, and what it has shown."""


class ListenerContext:
    """face: EDGE or MESH. via_id: our name in Via, `meshway-<node>`. connections: the open ones.

    per_address: open connections by the peer's address, but for trusted proxies. usual_limits: where no document says
    otherwise. explain: what to tell of a call that asks for it, None where nobody may ask. places: of the worker,
    shared by its listeners. cut: connections that were ended since their caller took nothing for too long. crowded:
    told of each connection that was refused since its address has too many. kept_out: addresses whose new connections
    the system drops. name: of the listener; title: as refusals name it. tls: what it shows, None: it speaks without.
    hsts: a field of every answer, or b"". hosts: what is served at all, None: any. sends_to_https: status and port by
    which callers are sent there, None: they are served. streams: what holds for connections that speak HTTP/2, None:
    nobody may; http3: likewise. alt_svc: a field of every answer, with a place for the port, or b"": that HTTP/3 stands
    there as well. multiplexing: makes them, None: nothing does. caller: makes the Protocol of a connection, of what is
    spoken; receiving: has the datagrams, None: it has connections. connecting: carries out a CONNECT, None: nothing
    does. proxy_protocol: whether trusted proxies may or must tell for whom a connection is.
    """

    __slots__ = (
        "_together", "alt_svc", "caller", "connecting", "connections", "crowded", "cut", "draining", "explain", "face",
        "hosts", "hsts", "http3", "kept_out", "limits", "lines", "multiplexing", "name", "now", "per_address", "places",
        "proxy_protocol", "receiving", "relay", "scheme", "sends_to_https", "spoken", "streams", "title", "tls",
        "trusted_proxies", "underscores", "usual_limits", "via_id", "via_line",
    )  # fmt: skip

    def __init__(
        self,
        face: int,
        relay: Relay,
        via_id: bytes,
        *,
        limits: ConnectionLimits | None = None,
        trusted_proxies: Networks = (),
        explain: Callable[[Exchange], Tell | None] | None = None,
        places: Places | None = None,
        tls: TlsFace | None = None,
        name: str = "",
        multiplexing: Multiplexing | None = None,
        caller: Caller | None = None,
        spoken: Spoken | None = None,
        receiving: Receiving | None = None,
        connecting: ConnectingBy | None = None,
    ) -> None:
        if limits is None:
            limits = EDGE_LIMITS if face == EDGE else ConnectionLimits()
        self.face = face
        self.relay = relay
        self.via_id = via_id
        self.via_line = b"Via: 1.1 %b\r\n" % via_id
        self.limits = self.usual_limits = limits
        self.trusted_proxies = trusted_proxies
        self.name = name or ("mesh" if face == MESH else "edge") + ("-tls" if tls is not None else "")
        self.title = f"listener {self.name}"
        self.tls = tls
        self.scheme = b"http" if tls is None else b"https"
        self.spoken: Spoken = spoken or ("http" if tls is None else "https")
        self.caller = caller
        self.receiving = receiving
        self.connecting = connecting
        self.hosts: Callable[[bytes], bool] | None = None
        self.hsts = b""
        self.alt_svc = b""
        self.sends_to_https: tuple[int, int] | None = None
        self.underscores: Underscores = "drop"
        self.proxy_protocol: ProxyProtocol = "off"
        self.lines = self._lines()
        self.now: Callable[[], float] = relay.now
        self.streams: StreamLimits | None = None if multiplexing is None else StreamLimits()
        self.http3: StreamLimits | None = None
        self.multiplexing = multiplexing
        self.connections: set[Connection] = set()
        self.per_address: dict[str, int] = {}
        self._together: list[set[Connection]] = [self.connections]
        self.draining = False
        self.explain = explain
        self.places = Places() if places is None else places
        self.cut = 0
        self.kept_out = 0
        self.crowded: Callable[[str], None] = lambda _: None

    def _lines(self) -> FieldLines:
        return request_lines(underscores=self.underscores, method_override="drop" if self.face == EDGE else "pass")

    def read_underscores(self, how: Underscores) -> None:
        """On new connections."""
        if how != self.underscores:
            self.underscores = how
            self.lines = self._lines()

    def enter(self, connection: Connection, peer: str, descriptor: int, *, is_limited: bool) -> str:
        """Counts a new connection. Returns what there is too little of for it, "" when it is welcome.

        is_limited: trusted proxies are not, by their address.
        """
        limits, places = self.limits, self.places
        self.connections.add(connection)
        places.taken += 1
        lacking = places.lacking(descriptor)
        if not lacking and limits.connections and sum(map(len, self._together)) > limits.connections:
            lacking = CONNECTIONS
        if is_limited:
            count = self.per_address[peer] = self.per_address.get(peer, 0) + 1
            if limits.per_address and count > limits.per_address:
                lacking = ADDRESS
                self.crowded(peer)
        if lacking:
            places.refused[lacking] += 1
        return lacking

    def leave(self, connection: Connection, peer: str, *, is_limited: bool) -> None:
        self.connections.discard(connection)
        self.places.taken -= 1
        if is_limited:
            left = self.per_address[peer] - 1
            if left:
                self.per_address[peer] = left
            else:
                del self.per_address[peer]

    def count_with(self, other: "ListenerContext") -> None:
        """Of the same name: an address has its share of a Listener once, and so have all, whichever of its sockets they
        come to."""
        self.per_address, self._together = other.per_address, other._together
        self._together.append(self.connections)

    def count_alone(self) -> None:
        """It is gone, and has no connections."""
        self._together[:] = [each for each in self._together if each is not self.connections]

    def hand_over(self, before: Connection, connection: Connection) -> None:
        """The same connection, spoken otherwise."""
        self.connections.discard(before)
        self.connections.add(connection)

    def start_drain(self) -> None:
        """Each connection's next answer says close. Idle ones stay: a request may be on its way on them."""
        self.draining = True
        for connection in tuple(self.connections):
            connection.start_drain()

    def end_void(self) -> None:
        """Calls of callers whose certificates hold no more."""
        for connection in tuple(self.connections):
            connection.end_void()

    @property
    def cut_off(self) -> tuple[str, str, str]:
        """Flag, reason and detail of what it cuts."""
        return "", "drained" if self.draining else "closed", NO_TIME

    @property
    def is_idle(self) -> bool:
        """No call is running."""
        return not any(connection.is_busy for connection in self.connections)

    def close_idle(self) -> None:
        """At the end of the drain time."""
        for connection in tuple(self.connections):
            if not connection.is_busy:
                connection.close()

    def say_goodbye(self) -> bool:
        """To those that can be told: WebSockets whose frames are looked at. Whether there were any."""
        return sum(connection.say_goodbye() for connection in tuple(self.connections)) > 0

    def abort_all(self) -> None:
        """When the patience with running calls is over as well."""
        for connection in tuple(self.connections):
            connection.kill()
