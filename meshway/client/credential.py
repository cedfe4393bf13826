"""A program's own key and certificate: made, asked for, shown to have (docs/internals/identity.md).

The key never leaves the program: what goes to the registry is signed with it.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Final

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from meshway.identity import RENEWAL, TOKEN_REQUEST, SpiffeId, parse_spiffe_id

_PEM: Final = serialization.Encoding.PEM


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """key: PEM, PKCS #8. certificate: PEM, the leaf and what leads to a root. roots: PEM, whom to trust. Times: seconds
    since 1970."""

    key: str
    certificate: str
    roots: str
    not_before: float
    not_after: float

    def __repr__(self) -> str:
        return f"Credential(until={datetime.fromtimestamp(self.not_after, UTC).isoformat()})"

    @property
    def identity(self) -> SpiffeId:
        """Raises IdentityFault where the certificate names none, or more than one."""
        return spiffe_id_of(x509.load_pem_x509_certificate(self.certificate.encode()))

    @property
    def issued_under(self) -> str:
        """Key id (hex) of the root that the chain leads to, "" = it does not say."""
        above = x509.load_pem_x509_certificates(self.certificate.encode())[-1]
        try:
            key_id = above.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        except x509.ExtensionNotFound:
            return ""
        return "" if key_id is None else key_id.hex()


class Key:
    """A P-256 key. pem: one that was kept; a new one without. Raises ValueError for what is no such key."""

    def __init__(self, pem: str | None = None) -> None:
        if pem is None:
            self._key = ec.generate_private_key(ec.SECP256R1())
            return
        try:
            key = serialization.load_pem_private_key(pem.encode(), None)
        except (TypeError, UnsupportedAlgorithm) as error:
            raise ValueError(str(error)) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("is no EC key")
        self._key = key

    @property
    def pem(self) -> str:
        return self._key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()

    def is_of(self, certificate: str) -> bool:
        """certificate: PEM; the first one counts."""
        leaf = x509.load_pem_x509_certificate(certificate.encode())
        return leaf.public_key() == self._key.public_key()

    def signing_request(self) -> str:
        """PEM. Its names are empty: the registry writes its own."""
        request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        return request.sign(self._key, hashes.SHA256()).public_bytes(_PEM).decode()

    def renewal_proof(self, signing_request: str) -> str:
        """With the live key, over the request for the next."""
        request = x509.load_pem_x509_csr(signing_request.encode())
        return self._signed(RENEWAL + request.public_bytes(serialization.Encoding.DER))

    def token_proof(self, at: int) -> str:
        return self._signed(TOKEN_REQUEST + str(at).encode())

    def _signed(self, message: bytes) -> str:
        return base64.b64encode(self._key.sign(message, ec.ECDSA(hashes.SHA256()))).decode()


def spiffe_id_of(certificate: x509.Certificate) -> SpiffeId:
    """Raises IdentityFault, a ValueError."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        raise ValueError("the certificate has no names") from None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if len(uris) != 1:
        raise ValueError(f"the certificate has {len(uris)} URIs, and one is the rule")
    return parse_spiffe_id(uris[0])
