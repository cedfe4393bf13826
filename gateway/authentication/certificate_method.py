"""Who calls, by the certificate of his connection: the handshake has verified it, here it becomes a principal.

Of the mesh's authority the name is a workload's; of another one it is `x509:SECRET:NAME`, so that no authority but the
mesh's can name a workload. What the service is told: X-Forwarded-Client-Cert, in Envoy's form.
"""

from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from gateway.authentication.places import Credentials
from gateway.authentication.proof import REMEMBERED_S, Fault, Proof
from gateway.exchange import Exchange
from gateway.routing.string_match import compile_string
from meshway.certificates import CertificateFault
from meshway.http1.fields import is_value
from meshway.identity import Principal
from meshway.model.authentication import Mtls
from meshway.peer_certificate import FOREIGN, MESH, METHOD, PeerCertificate, read_peer

MOST_KNOWN: Final = 10_000
MAX_NAME: Final = 512
_UNNAMED: Final = Fault("the certificate has no name that counts here")


def certificate_of(authority: Callable[[], str]) -> Credentials:
    """The connection's certificate, if it holds by this authority's word: the same object while the connection lives.

    authority: as in PeerCertificate; it may be another one with each call.
    """

    def shown(exchange: Exchange) -> Sequence[bytes]:
        certificate = exchange.certificate
        return (certificate.der,) if certificate is not None and certificate.authority == authority() else ()

    return shown


class CertificateMethod:
    """policy: `Authentication shop/partners`. trust: `mesh`, or the name of a Secret. trust_domain: of the mesh, told
    when it is asked for. now: monotonic seconds."""

    challenge = b"Certificate"

    def __init__(
        self, spec: Mtls, policy: str, trust: str, trust_domain: Callable[[], str], now: Callable[[], float]
    ) -> None:
        self._spec, self._policy, self._trust = spec, policy, trust
        self._trust_domain, self._now = trust_domain, now
        self._allowed = [compile_string(text) for text in spec.allowed]
        self._known: dict[bytes, Proof] = {}

    def judge(self, credential: bytes) -> Proof | Fault:
        """That it was not revoked, and is still good, the connection has seen for this very call."""
        now, found = self._now(), self._known.get(credential)
        if found is not None and found.until > now:
            return found
        try:
            certificate = read_peer(credential, self._trust)
            principal = self._principal(certificate)
        except CertificateFault as fault:
            return Fault(str(fault))
        if principal is None:
            return _UNNAMED
        if self._allowed and not any(holds(_plain_name(principal, self._trust)) for holds in self._allowed):
            return Fault("the certificate's name is none of those that are allowed")
        lines = client_certificate_line(certificate) if self._spec.forward_certificate else b""
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()  # whoever fills it costs the others one reading each
        proof = self._known[credential] = Proof(principal, lines, now + REMEMBERED_S)
        return proof

    def forget(self) -> None:
        self._known.clear()

    def _principal(self, certificate: PeerCertificate) -> Principal | None:
        """Raises CertificateFault."""
        if self._trust == MESH:
            return msgspec.structs.replace(certificate.workload(self._trust_domain()), policy=self._policy)
        names = {
            "uri": certificate.uris,
            "dns": certificate.dns,
            "email": certificate.emails,
            "subject": (certificate.subject,) if certificate.subject else (),
        }
        name = next((names[kind][0] for kind in self._spec.principal if names[kind]), "")
        if not name or len(name) > MAX_NAME or not name.isprintable():
            return None
        return Principal(f"{FOREIGN}{self._trust}:{name}", namespace="", method=METHOD, policy=self._policy)


def _plain_name(principal: Principal, trust: str) -> bytes:
    """As it stands in the certificate."""
    return principal.name.removeprefix(f"{FOREIGN}{trust}:").encode()


def client_certificate_line(certificate: PeerCertificate) -> bytes:
    """Envoy's x-forwarded-client-cert; a name that cannot stand in a field is left out."""
    parts = [f"Hash={certificate.fingerprint}", f'Cert="{quote(certificate.pem.decode(), safe="")}"']
    parts.append(f"Subject={_quoted(certificate.subject)}")
    parts += [f"URI={_quoted(uri)}" for uri in certificate.uris]
    parts += [f"DNS={_quoted(name)}" for name in certificate.dns]
    sound = [part.encode() for part in parts if is_value(part.encode())]
    return b"X-Forwarded-Client-Cert: %b\r\n" % b";".join(sound)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
