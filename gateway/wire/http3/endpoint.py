"""Where callers of HTTP/3 come: one socket of datagrams of a listener, and the connections whose names they bear.

A caller's address is believed once he has answered from it. Until then he is sent three times his bytes at most, by
QUIC itself; while many handshakes are under way he is first asked to come again with a token (RFC 9000 §8.1.2). One who
speaks of a connection that nobody here knows is told that it is over, so he begins anew at once.
"""

import ipaddress
import logging
import os
import socket
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable, Sequence
from typing import Final

from aioquic._buffer import Buffer
from aioquic.quic.packet import (
    QuicHeader,
    QuicPacketType,
    QuicProtocolVersion,
    encode_quic_retry,
    encode_quic_version_negotiation,
    pull_quic_header,
)
from aioquic.quic.retry import QuicRetryTokenHandler

from gateway.relay.forwarding import Forwarding
from gateway.wire.entrance import Entrance
from gateway.wire.http3.faults import Faults
from gateway.wire.http3.link import Link, Place
from gateway.wire.http3.own_sockets import OwnSockets
from gateway.wire.http3.quic import CID_BYTES, ResetTokens, ServedQuic, Shown, configuration
from gateway.wire.http3.server import Http3Connection
from gateway.wire.http3.shown import ShownPairs
from gateway.wire.interfaces import Address
from gateway.wire.listener_context import ListenerContext
from meshway.handshakes import HANDSHAKE_S, PATIENCE_S

VERSIONS: Final = (QuicProtocolVersion.VERSION_1, QuicProtocolVersion.VERSION_2)
FIRST_BYTES: Final = 1200  # a caller's first datagram has so many at least (RFC 9000 §14.1)
AT_A_TIME: Final = 64  # datagrams that are read before others have their turn
LARGEST: Final = 65_535
GRACE_S: Final = 3.0  # of a new worker: the one before it may still have the connection
RESETS_PER_S: Final = 100
SILENT_MORE: Final = 1.5  # of the idle time, after which a caller is gone who answers nothing

_log = logging.getLogger("meshway.gateway.http3")


class Endpoint:
    """listener: whose it is. accepting: its socket. tokens: of resets. count: told of handshakes, and whether each
    failed. may_migrate: no other worker reads this port."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        listener: ListenerContext,
        accepting: socket.socket,
        tokens: ResetTokens,
        count: Callable[[bool], None],
        *,
        may_migrate: bool,
    ) -> None:
        self.listener = listener
        self._loop, self._socket = loop, accepting
        self._tokens, self._count = tokens, count
        self._may_migrate = may_migrate
        self.faults = Faults()
        self._pairs = ShownPairs()
        self._retry = QuicRetryTokenHandler()
        self._links: dict[bytes, Link] = {}
        self._shaking: dict[Link, None] = {}  # the oldest first
        self._resets_from = self._resets = 0.0
        self._is_open = self._is_draining = False
        self._own = OwnSockets(loop, accepting, self._read)
        self._local = _known(accepting.getsockname())
        # It says each packet that it drops, and who connects: that is for who debugs QUIC.
        logging.getLogger("quic").setLevel(logging.ERROR)

    def open(self) -> None:
        self._is_open = True
        self._resets_from = time.monotonic() + GRACE_S
        self._loop.add_reader(self._socket, self._read, self._socket)

    # Datagrams.

    def _read(self, source: socket.socket) -> None:
        for _ in range(AT_A_TIME):
            try:
                data, peer = source.recvfrom(LARGEST)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # of a datagram that went: nobody is there
                continue
            try:
                self.take(data, peer)
            except Exception as error:
                self.faults.tell("a datagram is dropped", error)

    def _send(self, data: bytes, peer: Place) -> None:
        try:
            self._own.of(peer).sendto(data, peer)
        except OSError:  # full, or nobody is there: QUIC sends again what is not acknowledged
            return

    def take(self, data: bytes, peer: Place) -> None:
        """A datagram of a caller."""
        link = self._links.get(data[1 : 1 + CID_BYTES]) if data and not data[0] & 0x80 else None
        if link is not None:
            link.receive(data, peer)
            return
        try:
            header = pull_quic_header(Buffer(data=data), host_cid_length=CID_BYTES)
        except ValueError:
            return
        link = self._links.get(header.destination_cid)
        if link is not None:
            link.receive(data, peer)
        elif header.packet_type == QuicPacketType.ONE_RTT:
            self._reset(header.destination_cid, len(data), peer)
        elif len(data) < FIRST_BYTES or header.packet_type == QuicPacketType.VERSION_NEGOTIATION:
            return
        elif header.version not in VERSIONS:
            self._send(encode_quic_version_negotiation(header.destination_cid, header.source_cid, list(VERSIONS)), peer)
        elif header.packet_type == QuicPacketType.INITIAL and not self._is_draining:
            self._begin(header, data, peer)

    def _reset(self, cid: bytes, size: int, peer: Place) -> None:
        """So that it ends there as well. Shorter than what it answers, or two of us would never stop."""
        now = time.monotonic()
        length = min(size - 1, 42)
        if self._is_draining or now < self._resets_from or length < 5 + 16:
            return
        self._resets = max(self._resets, now - 1.0) + 1.0 / RESETS_PER_S
        if self._resets <= now:
            filler = os.urandom(length - 16)
            self._send(bytes((0x40 | filler[0] & 0x3F,)) + filler[1:] + self._tokens.of(cid), peer)

    # Handshakes.

    def _begin(self, header: QuicHeader, data: bytes, peer: Place) -> None:
        tls = self.listener.tls
        streams = self.listener.http3
        if tls is None or streams is None:
            return
        cid, retry_cid = header.destination_cid, None
        if header.token:
            try:
                original = self._retry.validate_token(
                    address=peer, destination_cid=cid, token=header.token, now=time.monotonic()
                )
            except ValueError:
                return  # it is of another time or worker: a caller without one is asked anew
            cid, retry_cid = original, cid
        elif 2 * len(self._shaking) >= tls.at_once:
            self._ask_again(header, peer)
            return
        if len(self._shaking) >= tls.at_once and not self._make_room():
            return
        how = configuration(streams.stream_window, streams.connection_window, self.listener.limits.idle_s * SILENT_MORE)
        quic = ServedQuic(
            how, cid, retry_cid, streams.streams, self._choose, self._tokens, may_migrate=self._may_migrate
        )
        now = time.monotonic()
        link = Link(self, quic, peer, self._send, now)
        self._shaking[link] = None
        self.name(header.destination_cid, link)
        self.name(quic.host_cid, link)
        link.receive(data, peer)

    def _ask_again(self, header: QuicHeader, peer: Place) -> None:
        cid = os.urandom(CID_BYTES)
        token = self._retry.create_token(
            address=peer,
            original_destination_connection_id=header.destination_cid,
            retry_source_connection_id=cid,
            now=time.monotonic(),
        )
        assert header.version is not None
        answer = encode_quic_retry(
            version=header.version,
            source_cid=cid,
            destination_cid=header.source_cid,
            original_destination_cid=header.destination_cid,
            retry_token=token,
        )
        self._send(answer, peer)

    def _make_room(self) -> bool:
        """Who has had his place for a while gives it to one who waits."""
        oldest = next(iter(self._shaking))
        if time.monotonic() - oldest.began < PATIENCE_S:
            return False
        oldest.drop()
        return True

    def beat(self, now: float) -> None:
        """Ends handshakes that take too long."""
        while self._shaking and now - (oldest := next(iter(self._shaking))).began > HANDSHAKE_S:
            oldest.drop()

    def _choose(self, name: str | None, signatures: Sequence[int]) -> Shown | None:
        tls = self.listener.tls
        context = tls.choose(name) if tls is not None else None
        return None if context is None else self._pairs.choose(context.pairs, signatures)

    # Connections.

    def welcome(self, link: Link) -> Http3Connection | None:
        listener, tls, streams = self.listener, self.listener.tls, self.listener.http3
        self._shaking.pop(link, None)
        self._count(False)
        if tls is None or streams is None:
            return None
        peer = str(link.peer[0])
        port = self._local[1] if self._local is not None else self._socket.getsockname()[1]
        forwarding = Forwarding(peer, listener.scheme, port, listener.via_id, listener.trusted_proxies)
        asked_for = link.quic.asked_for
        context = tls.choose(asked_for)
        if context is None:  # what is shown has changed meanwhile
            return None
        entrance = Entrance(listener, None, context.certificates, None, asked_for or "")
        served = Http3Connection(listener, link, self._local, forwarding, entrance, streams)
        if listener.enter(served, peer, 0, is_limited=not forwarding.is_trusted):
            served.lost()
            return None
        served.begin()
        return served

    def name(self, cid: bytes, link: Link) -> None:
        self._links[cid] = link
        link.names.add(cid)

    def unname(self, cid: bytes) -> None:
        self._links.pop(cid, None)

    def forget(self, link: Link) -> None:
        for cid in link.names:
            self._links.pop(cid, None)
        if link in self._shaking:
            del self._shaking[link]
            self._count(True)
        self._own.leave(link)

    # The end.

    def drain(self, *, is_last: bool) -> None:
        """Where the next worker reads the socket, this one does no more: what runs goes on by sockets of its own."""
        for link in tuple(self._shaking):
            link.drop()
        if self._is_draining or not self._is_open:
            return
        self._is_draining = True
        if is_last:
            return
        self._is_open = False
        self._loop.remove_reader(self._socket)
        for peer, error in self._own.open(self._links.values()):
            _log.info("%s: %s stays without his datagrams: %s", self.listener.name, peer[0], error.strerror or error)

    def close(self) -> None:
        """For good, with the socket."""
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._socket)
        for link in set(self._links.values()):
            link.drop()
        self._own.close()
        self._socket.close()


def _known(place: Place) -> Address | None:
    """None: it is that of any interface."""
    host, port = place[:2]
    return None if ipaddress.ip_address(str(host).partition("%")[0]).is_unspecified else (host, port)
