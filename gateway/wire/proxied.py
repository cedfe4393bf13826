"""A connection that may begin with a head of the PROXY protocol: read first, from whom it is believed, and then served.

Bounded in bytes and in time, and counted among the listener's connections from its first moment. Whoever is not let in
is reset: nothing that he would read as an answer was asked yet.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NoReturn, cast

from gateway.exchange import NEVER
from gateway.relay.call import Call
from gateway.relay.forwarding import is_in
from gateway.wire.interfaces import Timer
from gateway.wire.listener_context import ListenerContext
from gateway.wire.places import PROXY
from gateway.wire.proxy_protocol import MAX_BINARY, NoProxyHead, ProxyFault, Told, read_proxy_head


def caller_protocol(listener: ListenerContext) -> asyncio.Protocol:
    """Of a new connection."""
    if listener.proxy_protocol != "off":
        return ProxiedProtocol(listener)
    assert listener.caller is not None
    return listener.caller(listener, None)


async def before_handshake(listener: ListenerContext, accepted: socket.socket) -> Callable[[], asyncio.Protocol]:
    """Of a listener with TLS: the head is in clear, before the handshake. Answers what makes the connection's Protocol.

    What does not belong to the head stays in the socket. Raises PermissionError for whoever is not let in.
    """
    caller, how = listener.caller, listener.proxy_protocol
    assert caller is not None
    told = None
    if how != "off":
        peer = accepted.getpeername()
        is_believed = is_in(str(peer[0]) if peer else "", listener.trusted_proxies)
        told = await _told(listener, accepted, must_tell=how == "require") if is_believed else None
        if told is None and not is_believed and how == "require":
            _refuse(listener, "no trusted proxy")
    return partial(caller, listener, told)


async def _told(listener: ListenerContext, accepted: socket.socket, *, must_tell: bool) -> Told | None:
    """None: nobody said anything."""
    loop, read = asyncio.get_running_loop(), bytearray()
    while True:
        await _readable(loop, accepted)
        data = accepted.recv(MAX_BINARY, socket.MSG_PEEK)
        try:
            told = read_proxy_head(read + data)
        except NoProxyHead as fault:
            if must_tell or read:
                _refuse(listener, str(fault))
            return None
        except ProxyFault as fault:
            _refuse(listener, str(fault))
        if not data:
            raise ConnectionResetError("the caller has left")
        accepted.recv(len(data) if told is None else told.size - len(read))
        if told is not None:
            return told
        read += data


def _refuse(listener: ListenerContext, reason: str) -> NoReturn:
    listener.places.refused[PROXY] += 1
    raise PermissionError(f"PROXY protocol: {reason}")


async def _readable(loop: asyncio.AbstractEventLoop, accepted: socket.socket) -> None:
    came = asyncio.Event()
    loop.add_reader(accepted.fileno(), came.set)
    try:
        await came.wait()
    finally:
        loop.remove_reader(accepted.fileno())


class ProxiedProtocol(asyncio.Protocol):
    """Until it is known for whom the connection is; what is spoken there has it from then on."""

    __slots__ = ("_buffer", "_how", "_is_entered", "_listener", "_peer", "_transport", "_watch")

    _transport: asyncio.Transport
    is_busy: Final = False

    def __init__(self, listener: ListenerContext) -> None:
        self._listener, self._how = listener, listener.proxy_protocol
        self._buffer = bytearray()
        self._is_entered = False
        self._peer = ""
        self._watch = Timer(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast(asyncio.Transport, transport)
        peer, listener = transport.get_extra_info("peername"), self._listener
        self._peer = peer[0] if peer else ""
        if not is_in(self._peer, listener.trusted_proxies):
            if self._how == "require":
                self._refuse()
            else:
                self._serve(None)
            return
        sock = transport.get_extra_info("socket")
        lacking = listener.enter(self, self._peer, sock.fileno() if sock is not None else 0, is_limited=False)
        self._is_entered = True
        if lacking:
            transport.abort()
            return
        listener.relay.wheel.set(self._watch, self, listener.now() + listener.limits.head_s)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        try:
            told = read_proxy_head(self._buffer)
        except NoProxyHead:
            if self._how == "require":
                self._refuse()
            else:
                self._serve(None)
            return
        except ProxyFault:
            self._refuse()
            return
        if told is not None:
            del self._buffer[: told.size]
            self._serve(told)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()

    def on_timer(self, now: float) -> None:
        """The head was not whole in time."""
        self._refuse()

    def start_drain(self) -> None:
        """Its first answer says so."""

    def close(self) -> None:
        self._transport.close()

    def say_goodbye(self) -> bool:
        return False

    def kill(self) -> None:
        self._transport.abort()

    def end_void(self) -> None:
        """It has shown no certificate."""

    def calls(self) -> Sequence[Call]:
        return ()

    def _refuse(self) -> None:
        self._listener.places.refused[PROXY] += 1
        self._transport.abort()

    def _serve(self, told: Told | None) -> None:
        self._leave()
        assert self._listener.caller is not None
        served = self._listener.caller(self._listener, told)
        self._transport.set_protocol(served)
        served.connection_made(self._transport)
        if self._buffer and not self._transport.is_closing():
            served.data_received(bytes(self._buffer))

    def _leave(self) -> None:
        self._watch.due, self._watch.owner = NEVER, None
        if self._is_entered:
            self._is_entered = False
            self._listener.leave(self, self._peer, is_limited=False)
