"""Opens connections to endpoints, whatever is spoken on them: finds the host, connects, shakes hands, judges."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

from gateway.upstream.cluster_settings import OpeningSettings, TlsSettings
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.outside import OutsideHosts, is_name, looked_up, refuse_named
from gateway.wire.upstream_tls import UpstreamContexts, fault_of
from meshway.certificates import CertificateFault
from meshway.tasks import spawn
from meshway.tls import ALPN

_P = TypeVar("_P", bound=asyncio.Protocol)


class Opener:
    """contexts: of connections by TLS, None: there are none. outside: finds hosts. alpn: what is spoken, () = something
    without such a name; where that is not HTTP/1.1, the service must have agreed to it."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        contexts: UpstreamContexts | None = None,
        outside: OutsideHosts | None = None,
        alpn: tuple[str, ...] = ALPN,
    ) -> None:
        self._loop, self._contexts, self._alpn = loop, contexts, alpn
        self._hosts = outside or OutsideHosts(loop.time, looked_up)

    def open(
        self,
        endpoint: Endpoint,
        made: Callable[[], _P],
        on_connected: Callable[[_P], None],
        on_failed: Callable[[str], None],
        opening: OpeningSettings,
        preamble: bytes,
    ) -> Callable[[], None]:
        """Calls one of the two, and returns how to give it up: then neither. preamble: said before anything else."""

        async def connect() -> None:
            try:
                transport, protocol = await self._connect(endpoint, made, opening, preamble)
            except ssl.SSLError as error:
                on_failed(fault_of(error))
            except CertificateFault as fault:
                on_failed(str(fault))
            except OSError as error:
                on_failed(error.strerror or str(error))
            else:
                if opening.keepalive is not None:
                    _keep_alive(transport, *opening.keepalive)
                on_connected(protocol)

        task = spawn(connect(), name=f"connect {endpoint.id}")

        def abandon() -> None:
            task.cancel()

        return abandon

    async def _connect(
        self, endpoint: Endpoint, made: Callable[[], _P], opening: OpeningSettings, preamble: bytes
    ) -> tuple[asyncio.Transport, _P]:
        """Raises CertificateFault, OSError (or ssl.SSLError)."""
        address = endpoint.address if endpoint.outside is None else await self._hosts.address(endpoint.outside)
        if opening.tls is not None:
            return await self._connect_by_tls(opening.tls, endpoint, address, made, preamble)
        transport, protocol = await self._loop.create_connection(made, address, endpoint.port)
        _judge(transport, address)
        if preamble:
            transport.write(preamble)
        return transport, protocol

    async def _connect_by_tls(
        self, tls: TlsSettings, endpoint: Endpoint, address: str, made: Callable[[], _P], preamble: bytes
    ) -> tuple[asyncio.Transport, _P]:
        """address: where it is. preamble: goes before the handshake. Raises CertificateFault, OSError (or
        ssl.SSLError)."""
        loop, contexts = self._loop, self._contexts
        assert contexts is not None
        context, name = contexts.context(tls, self._alpn), tls.sni or endpoint.address
        if preamble:
            plain, _ = await loop.create_connection(asyncio.Protocol, address, endpoint.port)
            _judge(plain, address)
            plain.write(preamble)
            protocol = made()
            secured = await loop.start_tls(plain, protocol, context, server_hostname=name)
            if secured is None:
                raise ConnectionResetError("the connection was closed in the handshake")
            transport = secured
            protocol.connection_made(transport)
        else:
            transport, protocol = await loop.create_connection(
                made, address, endpoint.port, ssl=context, server_hostname=name
            )
        _judge(transport, address)
        try:
            session = transport.get_extra_info("ssl_object")
            contexts.check(tls, endpoint.key[:2], session.getpeercert(binary_form=True))
            if self._alpn and self._alpn != ALPN and session.selected_alpn_protocol() not in self._alpn:
                raise CertificateFault(f"the service does not agree to speak {' or '.join(self._alpn)} by TLS (ALPN)")
        except CertificateFault:
            transport.abort()
            raise
        return transport, protocol


def _judge(transport: asyncio.Transport, address: str) -> None:
    """Before anything is said: a name server's word is not believed that a document's would not be. Raises OSError."""
    if is_name(address):
        try:
            refuse_named(address, transport.get_extra_info("peername")[0])
        except OSError:
            transport.abort()
            raise


def _keep_alive(transport: asyncio.Transport, time_s: int, interval_s: int, probes: int) -> None:
    """The kernel asks a silent other side whether it is there, and ends the connection when it is not (RFC 1122
    §4.2.3.6)."""
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", time_s), ("TCP_KEEPINTVL", interval_s), ("TCP_KEEPCNT", probes)):
        if hasattr(socket, option):  # macOS has another name for the first
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
