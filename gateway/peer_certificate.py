"""What a caller's certificate says of him, read once a connection, after the handshake has verified it."""

from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from meshway.certificates import CertificateFault, alternative_names

MESH: Final = "mesh"  # the authority that is the mesh's own


class PeerCertificate:
    """authority: by whose word it holds, `mesh` or a Secret's `namespace/name`. serial: of the certificate, lower-case
    hex. not_after: seconds since 1970."""

    __slots__ = ("authority", "certificate", "dns", "emails", "fingerprint", "not_after", "serial", "subject", "uris")

    def __init__(self, certificate: x509.Certificate, authority: str) -> None:
        """Raises CertificateFault."""
        names = alternative_names(certificate)
        self.certificate = certificate
        self.authority = authority
        self.subject = certificate.subject.rfc4514_string()
        self.uris = () if names is None else tuple(names.get_values_for_type(x509.UniformResourceIdentifier))
        self.dns = () if names is None else tuple(names.get_values_for_type(x509.DNSName))
        self.emails = () if names is None else tuple(names.get_values_for_type(x509.RFC822Name))
        self.serial = f"{certificate.serial_number:x}"
        self.fingerprint = certificate.fingerprint(hashes.SHA256()).hex()
        self.not_after = certificate.not_valid_after_utc.timestamp()

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


def read_peer(der: bytes, authority: str) -> PeerCertificate:
    """Raises CertificateFault for what OpenSSL took and nobody here can read."""
    try:
        return PeerCertificate(x509.load_der_x509_certificate(der), authority)
    except ValueError as error:
        raise CertificateFault(f"the caller's certificate cannot be read: {error}") from error
