"""What a caller's certificate says of him, read once a connection, after the handshake has verified it.

For gateways and registries alike.
"""

from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from meshway.certificates import CertificateFault, alternative_names
from meshway.identity import IdentityFault, Principal, SpiffeId, parse_spiffe_id, serial_hash

MESH: Final = "mesh"  # the authority that is the mesh's own
METHOD: Final = "mtls"
FOREIGN: Final = "x509:"  # begins names that another authority than the mesh's has given


class PeerCertificate:
    """authority: by whose word it holds, `mesh` or a Secret's `namespace/name`. der: of the certificate. serial: its
    `serial_hash`. not_after: seconds since 1970."""

    __slots__ = (
        "authority", "certificate", "der", "dns", "emails", "fingerprint", "not_after", "serial", "subject", "uris",
    )  # fmt: skip

    def __init__(self, certificate: x509.Certificate, der: bytes, authority: str) -> None:
        """Raises CertificateFault."""
        names = alternative_names(certificate)
        self.certificate = certificate
        self.der = der
        self.authority = authority
        self.subject = certificate.subject.rfc4514_string()
        self.uris = () if names is None else tuple(names.get_values_for_type(x509.UniformResourceIdentifier))
        self.dns = () if names is None else tuple(names.get_values_for_type(x509.DNSName))
        self.emails = () if names is None else tuple(names.get_values_for_type(x509.RFC822Name))
        self.serial = serial_hash(certificate.serial_number)
        self.fingerprint = certificate.fingerprint(hashes.SHA256()).hex()
        self.not_after = certificate.not_valid_after_utc.timestamp()

    def workload(self, trust_domain: str) -> Principal:
        """Who shows a certificate of the mesh. Raises CertificateFault."""
        return self.workload_id(trust_domain).principal(METHOD)

    def workload_id(self, trust_domain: str) -> SpiffeId:
        """trust_domain: of the mesh. Raises CertificateFault where the name is not told in exactly one way."""
        if len(self.uris) != 1:
            raise CertificateFault(f"the certificate has {len(self.uris)} URIs, where one is the caller's name")
        try:
            name = parse_spiffe_id(self.uris[0])
        except IdentityFault as fault:
            raise CertificateFault(f"the certificate's name: {fault}") from fault
        if name.trust_domain != trust_domain:
            raise CertificateFault(f"the certificate is of {name.trust_domain}, not of {trust_domain}")
        return name

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


def read_peer(der: bytes, authority: str) -> PeerCertificate:
    """Raises CertificateFault for what OpenSSL took and nobody here can read."""
    try:
        return PeerCertificate(x509.load_der_x509_certificate(der), der, authority)
    except ValueError as error:
        raise CertificateFault(f"the caller's certificate cannot be read: {error}") from error
