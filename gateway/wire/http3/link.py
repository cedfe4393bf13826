"""A QUIC connection on its way: datagrams to and fro, its timer, and who is told of what it hears."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from aioquic.quic import events
from aioquic.quic.packet import QuicFrameType

from gateway.wire.http3.faults import Faults
from gateway.wire.http3.frames import INTERNAL_ERROR, NO_ERROR
from gateway.wire.http3.quic import ServedQuic

Place = tuple[Any, ...]
"""A socket's address, as the system tells it."""
_CONNECTION_REFUSED: Final = 0x02  # of QUIC itself (RFC 9000 §20.1)


class Served(Protocol):
    """Who hears what comes once the handshake is done."""

    def heard(self, event: events.QuicEvent) -> None: ...

    def flush_soon(self) -> None: ...

    def lost(self) -> None:
        """Nothing comes any more."""


class Owner(Protocol):
    """The endpoint that brings datagrams."""

    faults: Faults

    def welcome(self, link: "Link") -> Served | None:
        """Its handshake is done. None: there is no place for it."""

    def name(self, cid: bytes, link: "Link") -> None:
        """Datagrams for this one are the link's."""

    def unname(self, cid: bytes) -> None: ...

    def forget(self, link: "Link") -> None:
        """It is over."""


class Link:
    """quic: the connection. send: gives a datagram to the system. began: monotonic seconds. names: of it, in
    datagrams. peer: where the caller came from."""

    __slots__ = (
        "_due", "_is_broken", "_is_sending_soon", "_loop", "_owner", "_served", "_timer", "began", "names", "peer",
        "quic", "send",
    )  # fmt: skip

    def __init__(
        self, owner: Owner, quic: ServedQuic, peer: Place, send: Callable[[bytes, Place], None], began: float
    ) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._served: Served | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._is_broken = self._is_sending_soon = False
        self.quic = quic
        self.peer = peer
        self.send = send
        self.began = began
        self.names: set[bytes] = set()

    @property
    def place(self) -> Place:
        """Where the caller is by now."""
        return self.quic.get_peer_address() or self.peer

    def receive(self, data: bytes, peer: Place) -> None:
        try:
            self.quic.receive_datagram(data, peer, time.monotonic())
            self._hear()
        except Exception as error:
            self._break(error)
            return
        self._flush_soon()

    def _break(self, error: Exception) -> None:
        self._owner.faults.tell("a caller's connection of HTTP/3 is ended", error)
        if self._is_broken:  # what shall take its leave breaks, too
            self._over()
            return
        self._is_broken = True
        self.end(INTERNAL_ERROR)

    def _flush_soon(self) -> None:
        if self._served is not None:
            self._served.flush_soon()
        elif not self._is_sending_soon:
            self._is_sending_soon = True
            self._loop.call_soon(self._send_soon)

    def _send_soon(self) -> None:
        self._is_sending_soon = False
        self.transmit()

    def _hear(self) -> None:
        quic = self.quic
        while (event := quic.next_event()) is not None:
            if isinstance(event, events.StreamDataReceived):
                if self._served is not None:
                    self._served.heard(event)
            elif isinstance(event, events.HandshakeCompleted):
                self._served = self._owner.welcome(self)
                if self._served is None:
                    self.quic.close(_CONNECTION_REFUSED, QuicFrameType.PADDING, "no place")
            elif isinstance(event, events.ConnectionIdIssued):
                self._owner.name(event.connection_id, self)
            elif isinstance(event, events.ConnectionIdRetired):
                self._owner.unname(event.connection_id)
                self.names.discard(event.connection_id)
            elif isinstance(event, events.ConnectionTerminated):
                self._over()
            elif self._served is not None:
                self._served.heard(event)

    def transmit(self) -> None:
        """All that may go now; the timer is set for what must come after it."""
        quic, now = self.quic, time.monotonic()
        try:
            for data, peer in quic.datagrams_to_send(now):
                self.send(data, peer)
            due = quic.get_timer()
            self._hear()
        except Exception as error:
            self._owner.faults.tell("a caller's connection of HTTP/3 cannot go on", error)
            self._over()
            return
        if due is None:
            return
        if self._timer is None or due < self._due:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_later(max(0.0, due - now), self._on_time)
            self._due = due
        # Due later than it is set for, the timer looks again then: it is rarely let run out.

    def _on_time(self) -> None:
        self._timer = None
        now = time.monotonic()
        try:
            due = self.quic.get_timer()
            if due is None:
                return
            if due <= now:
                self.quic.handle_timer(now)
                self._hear()
        except Exception as error:
            self._break(error)
            return
        if self._served is not None:
            self._served.flush_soon()
        self.transmit()

    def end(self, error: int = NO_ERROR, why: str = "") -> None:
        """The caller is told, and what he sends from now on is not read."""
        self.quic.close(error, reason_phrase=why)
        self.transmit()

    def drop(self) -> None:
        """Nobody is told."""
        self._over()

    def _over(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        served, self._served = self._served, None
        if served is not None:
            served.lost()
        self._owner.forget(self)
