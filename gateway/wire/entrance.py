"""What a listener itself says of a request before any Route is asked: of its host, its certificate, its scheme.

Only listeners with something to say have one; a connection keeps the one it came by.
"""

import ssl
from typing import Final

from gateway.exchange import Exchange, Reply
from gateway.relay.refusals import to_https, unserved_host
from gateway.wire.listener_context import ListenerContext
from gateway.wire.tls import TlsFace, asked_for, shown_by
from meshway.identity import Principal
from meshway.peer_certificate import PeerCertificate

JUDGED_S: Final = 1.0


class Entrance:
    """Of one connection. certificate: the caller's; principal: who that is, where the mesh says it.

    shown: the certificates he was shown, None: it has no TLS.
    """

    __slots__ = (
        "_certificate",
        "_host",
        "_judged_until",
        "_listener",
        "_principal",
        "_revoked",
        "_server_name",
        "_shown",
    )

    def __init__(
        self,
        listener: ListenerContext,
        certificate: PeerCertificate | None = None,
        shown: frozenset[tuple[str, str]] | None = None,
        principal: Principal | None = None,
        server_name: str = "",
    ) -> None:
        self._principal = principal
        self._listener = listener
        self._certificate = certificate
        self._shown = shown
        self._server_name = server_name
        self._host: bytes | None = None  # was asked for, and is served
        self._revoked: frozenset[int] | None = None  # those among which the certificate was not
        self._judged_until = 0.0  # monotonic seconds

    def refusal(self, exchange: Exchange) -> Reply | None:
        """None: the call goes on."""
        certificate, host = self._certificate, exchange.host
        if self._shown is not None:
            exchange.added = self._listener.hsts
            if self._listener.alt_svc:
                exchange.added += self._listener.alt_svc % _port_of(exchange.authority)
            exchange.server_name = self._server_name
        if certificate is not None:
            exchange.certificate, exchange.principal = certificate, self._principal
            tls = self._listener.tls
            assert tls is not None
            is_judged = tls.revoked is self._revoked and exchange.started < self._judged_until
            if not is_judged and self._is_void(tls, certificate, exchange.started):
                return self._reply(401, "certificate_void", "the certificate of this connection does not hold any more")
        if host != self._host:
            refusal = self._of_host(host)
            if refusal is not None:
                return refusal
            self._host = host
        elsewhere = self._listener.sends_to_https
        return None if elsewhere is None else to_https(exchange, *elsewhere, self._policy)

    def _is_void(self, tls: TlsFace, certificate: PeerCertificate, now: float) -> bool:
        """Asked when others are revoked, and each second for its end: once a call would be dear."""
        if tls.is_void(certificate):
            return True
        self._revoked, self._judged_until = tls.revoked, now + JUDGED_S
        return False

    @property
    def is_void(self) -> bool:
        """Whether the caller's certificate does not hold any more."""
        tls = self._listener.tls
        return self._certificate is not None and tls is not None and tls.is_void(self._certificate)

    def _of_host(self, host: bytes) -> Reply | None:
        listener, shown = self._listener, self._shown
        if shown is not None and listener.tls is not None and not listener.tls.serves(host, shown):
            detail = "this connection was made for another host: open one for this"
            return self._reply(421, "misdirected_request", detail)
        if listener.hosts is not None and not listener.hosts(host):
            return unserved_host(self._policy)
        return None

    def _reply(self, status: int, reason: str, detail: str) -> Reply:
        return Reply(status, reason, "UAEX" if status == 401 else "NR", detail, policy=self._policy, close=True)

    @property
    def _policy(self) -> str:
        return f"listener {self._listener.name}"


def _port_of(authority: bytes) -> bytes:
    """Where the caller found us."""
    port = authority.rpartition(b":")[2]
    return port if port.isdigit() else b"443"


def entrance(listener: ListenerContext, tls: ssl.SSLObject | None) -> Entrance | None:
    """None: there is nothing to ask. Raises CertificateFault."""
    if tls is not None and listener.tls is not None:
        certificate, principal = listener.tls.caller(tls) or (None, None)
        return Entrance(listener, certificate, shown_by(tls), principal, asked_for(tls))
    if listener.hosts is None and listener.sends_to_https is None:
        return None
    return Entrance(listener)
