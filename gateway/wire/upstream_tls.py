"""TLS to services: contexts by what a policy says, made when a connection needs one, and what must hold after it.

Whatever is missing (a Secret, the mesh's roots, the gateway's own certificate) fails the connection: nothing is ever
sent without the proof that was asked for. Connections that are open stay while Secrets change.
"""

import ssl
import time
from collections.abc import Callable, Collection
from typing import Any

from cryptography import x509

from gateway.secret_ring import SecretRing, authorities
from gateway.trust import Trust
from gateway.upstream.cluster_settings import MESH, TlsSettings
from meshway.certificates import CertificateFault, Pair, alternative_names, read_pair
from meshway.identity import IdentityFault, parse_spiffe_id, serial_hash
from meshway.tls import ALPN, client_context


class UpstreamContexts:
    """One a process. trust, identity: what is known of the mesh now, and the gateway's own certificate of it. wall:
    seconds since 1970."""

    def __init__(
        self,
        secrets: SecretRing,
        trust: Callable[[], Trust],
        identity: Callable[[], Pair | None],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._secrets, self._wall = secrets, wall
        self._trust, self._identity = trust, identity
        self._made: dict[tuple[TlsSettings, tuple[str, ...]], tuple[tuple[Any, ...], ssl.SSLContext]] = {}

    def context(self, tls: TlsSettings, alpn: tuple[str, ...] = ALPN) -> ssl.SSLContext:
        """alpn: what is offered to be spoken. Raises CertificateFault, which says what is missing."""
        made_of = self._materials(tls)
        known = self._made.get((tls, alpn))
        if known is not None and known[0] == made_of:
            return known[1]
        context = client_context(*made_of)
        context.set_alpn_protocols(list(alpn))
        # The name is another one than what was asked for: it is looked at after the handshake.
        context.check_hostname = not tls.names and tls.mode != MESH
        self._made[tls, alpn] = made_of, context
        return context

    def keep(self, used: Collection[TlsSettings]) -> None:
        """Policies say these and no others: keys of former ones are not held for ever."""
        for key in [key for key in self._made if key[0] not in used]:
            del self._made[key]

    def _materials(self, tls: TlsSettings) -> tuple[bytes | None, Pair | None]:
        """Authorities, and what the gateway shows."""
        if tls.mode == MESH:
            roots, own = "".join(self._trust().roots).encode(), self._identity()
            if not roots or own is None:
                raise CertificateFault("this gateway has no certificate of the mesh")
            return roots, own
        return self._authorities(tls), self._pair(tls)

    def _authorities(self, tls: TlsSettings) -> bytes | None:
        if tls.ca is None:
            return None
        believed = authorities(self._secrets.held(tls.namespace, tls.ca), self._wall())
        if believed is None:
            raise CertificateFault(f'Secret "{tls.ca.secret}" is not known here, or of another type')
        return believed.contents

    def _pair(self, tls: TlsSettings) -> Pair | None:
        if tls.certificate is None:
            return None
        frame = self._secrets.held(tls.namespace, tls.certificate)
        if frame is None or frame.type != "tls":
            raise CertificateFault(f'Secret "{tls.certificate.secret}" is not known here, or of another type')
        data = frame.versions[0].data
        return read_pair(str(data["certificate"]).encode(), str(data["private_key"]).encode())

    def check(self, tls: TlsSettings, service: tuple[str, str], der: bytes | None) -> None:
        """What the handshake has not looked at. service: namespace and name. Raises CertificateFault."""
        if tls.mode != MESH and not tls.names:
            return
        if der is None:
            raise CertificateFault("the service showed no certificate")
        try:
            certificate = x509.load_der_x509_certificate(der)
        except ValueError as error:
            raise CertificateFault(f"the service's certificate cannot be read: {error}") from error
        names = alternative_names(certificate)
        if tls.mode == MESH:
            self._check_workload(certificate, names, service)
        elif not _texts(names) & set(tls.names):
            raise CertificateFault(f"the service's certificate has none of the names {', '.join(tls.names)}")

    def _check_workload(
        self, certificate: x509.Certificate, names: x509.SubjectAlternativeName | None, service: tuple[str, str]
    ) -> None:
        trust = self._trust()
        uris = () if names is None else names.get_values_for_type(x509.UniformResourceIdentifier)
        try:
            name = parse_spiffe_id(uris[0]) if len(uris) == 1 else None
        except IdentityFault:
            name = None
        if name is None or (name.trust_domain, name.namespace, name.service) != (trust.trust_domain, *service):
            raise CertificateFault(f"the instance's certificate is not of service {'/'.join(service)}")
        if serial_hash(certificate.serial_number) in trust.revoked:
            raise CertificateFault("the instance's certificate is revoked")


def fault_of(error: ssl.SSLError) -> str:
    """Why a handshake with a service failed, for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the service's certificate: {error.verify_message}"
    return f"TLS: {(error.reason or str(error)).replace('_', ' ').lower()}"


def _texts(names: x509.SubjectAlternativeName | None) -> set[str]:
    if names is None:
        return set()
    found = {name.lower() for name in names.get_values_for_type(x509.DNSName)}
    found |= set(names.get_values_for_type(x509.UniformResourceIdentifier))
    found |= set(names.get_values_for_type(x509.RFC822Name))
    return found | {str(address) for address in names.get_values_for_type(x509.IPAddress)}
