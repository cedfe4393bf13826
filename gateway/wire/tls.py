"""What a listener shows and asks by TLS, for new connections; replaced whole while others are open.

A connection keeps what it was shown: a request on it for a host of another certificate is misdirected (RFC 9110
§15.5.20), since the caller has verified the name of the first one alone.
"""

import ssl
from collections.abc import Callable, Sequence
from typing import Final

from gateway.wire.server_names import ServerNames
from meshway.certificates import CertificateFault, Pair
from meshway.handshakes import AT_ONCE
from meshway.identity import DEFAULT_TRUST_DOMAIN, Principal
from meshway.peer_certificate import MESH, PeerCertificate, read_peer
from meshway.tls import ALPN, TellingObject, harden, trust

_ASKED_FOR: Final = "meshway_asked_for"  # of an SSLObject, which has no place for it
SNI_REFUSED: Final = ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
_VERIFY: Final = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "require": ssl.CERT_REQUIRED}


class ServingContext(ssl.SSLContext):
    """certificates: those it shows, by namespace and name. authority: by whose word callers' certificates hold, "" =
    nobody is asked for one. pairs: what OpenSSL has loaded, for who does not speak by it (HTTP/3)."""

    pairs: tuple[Pair, ...] = ()
    certificates: frozenset[tuple[str, str]] = frozenset()
    authority = ""
    sslobject_class = TellingObject


Names = ServerNames[ServingContext]


def serving_context(
    min_version: str,
    client_auth: str,
    authorities: bytes | None,
    authority: str = "",
    *,
    resumes: bool = True,
    alpn: Sequence[str] = ALPN,
) -> ServingContext:
    """Without a certificate yet. client_auth: `none optional require`. authorities: PEM, that callers' hold by, and
    authority the name of these. resumes: callers may go on with a session of before. alpn: what is
    spoken, () = something without such a name.

    Raises CertificateFault.
    """
    context = ServingContext(ssl.PROTOCOL_TLS_SERVER)
    harden(context, min_version, alpn)
    if not resumes:
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    if authorities is not None:
        trust(context, authorities)
        context.verify_mode = _VERIFY[client_auth]
        context.authority = authority
    return context


class TlsFace:
    """One a TLS listener. trust_domain: of the mesh, "" = it has no authority.

    wall: seconds since 1970. revoked: `serial_hash` of certificates of the mesh. at_once: handshakes. is_stale: those
    of the mesh are not believed, since revocations were not heard of.
    """

    __slots__ = ("_names", "_wall", "at_once", "context", "is_stale", "revoked", "trust_domain")

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self.at_once = AT_ONCE
        self.is_stale = False
        self.revoked: frozenset[int] = frozenset()
        self.trust_domain = ""
        self._names: Names = ServerNames({}, {}, None)
        self.context: ssl.SSLContext = serving_context("1.2", "none", None)
        self.install(serving_context("1.2", "none", None), self._names)

    def install(self, base: ServingContext, names: Names) -> None:
        """For new connections. base: what handshakes begin with; each name's context asks for the same."""

        # Of these names, whatever comes later: a handshake under way ends as it began.
        def choose(tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
            found = names.choose(name)
            if found is None:
                return SNI_REFUSED
            tls.context = found
            if name:
                setattr(tls, _ASKED_FOR, name)
            return None

        base.sni_callback = choose
        self.context, self._names = base, names

    def choose(self, name: str | None) -> ServingContext | None:
        """What a handshake for this name is shown, for who does not shake hands by `context`; None: it is refused."""
        return self._names.choose(name)

    def serves(self, host: bytes, shown: frozenset[tuple[str, str]]) -> bool:
        """Whether a connection that was shown these may be asked for this host: they are its, or it has none."""
        found = self._names.named(host.decode("latin-1"))
        return found is None or not shown.isdisjoint(found.certificates)

    def caller(self, tls: ssl.SSLObject) -> tuple[PeerCertificate, Principal | None] | None:
        """The caller's certificate, and who that is where the mesh's own authority says it; None: he showed none.

        Raises CertificateFault where it says so in no way that we know.
        """
        certificate = self.peer(tls)
        if certificate is None:
            return None
        if certificate.authority != MESH:
            ours = f"spiffe://{self.trust_domain or DEFAULT_TRUST_DOMAIN}/"
            if any(uri.startswith(ours) for uri in certificate.uris):
                raise CertificateFault(f"{certificate.authority} names a workload of the mesh, which only the mesh may")
            return certificate, None
        return certificate, certificate.workload(self.trust_domain)

    def peer(self, tls: ssl.SSLObject) -> PeerCertificate | None:
        """The caller's certificate. Raises CertificateFault; of one whose time is over, too: a resumed session is not
        verified anew. It holds by the word of whom its handshake asked, whoever is believed by now."""
        der, context = tls.getpeercert(binary_form=True), tls.context
        return None if der is None else read_peer(der, context.authority if isinstance(context, ServingContext) else "")

    def is_void(self, certificate: PeerCertificate) -> bool:
        """Whether it does not hold any more, for a connection that is open."""
        is_revoked = certificate.authority == MESH and (self.is_stale or certificate.serial in self.revoked)
        return is_revoked or certificate.not_after <= self._wall()


def asked_for(tls: ssl.SSLObject) -> str:
    """The host that a connection's handshake named (SNI), "" = none."""
    return str(getattr(tls, _ASKED_FOR, ""))


def shown_by(tls: ssl.SSLObject) -> frozenset[tuple[str, str]]:
    """The certificates of a connection's handshake."""
    context = tls.context
    return context.certificates if isinstance(context, ServingContext) else frozenset()
