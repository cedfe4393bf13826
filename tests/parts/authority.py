"""A certificate authority for tests, and what it issues: any names, ages, keys and defects."""

import ipaddress
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_BOTH = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
_RSA: dict[int, rsa.RSAPrivateKey] = {}


class Issued:
    """certificate: PEM, the leaf and what is above it but the root. key: PEM."""

    def __init__(self, leaf: x509.Certificate, chain: Iterable[x509.Certificate], key: PrivateKey) -> None:
        self.leaf = leaf
        self.private = key
        self.certificate = b"".join(pem_of(each) for each in (leaf, *chain))
        self.key = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def der(self) -> bytes:
        return self.leaf.public_bytes(serialization.Encoding.DER)


class Authority:
    """A root, or with `parent` an intermediate below it."""

    def __init__(self, name: str = "Test Root", parent: "Authority | None" = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.parent = parent
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(self.name if parent is None else parent.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=365))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(self.key if parent is None else parent.key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        return pem_of(self.certificate)

    def issue(
        self,
        *names: str,
        rsa_bits: int = 0,
        days: float = 30.0,
        begins_days: float = -1.0,
        must_staple: bool = False,
        has_names: bool = True,
        subject: str = "",
    ) -> Issued:
        """names: DNS names, addresses, URIs, mail addresses, by their look."""
        key: PrivateKey = _rsa(rsa_bits) if rsa_bits else ec.generate_private_key(ec.SECP256R1())
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject or (names or ("leaf",))[0][:64])]))
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=begins_days))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(_BOTH), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if has_names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_named(n) for n in names]), critical=False)
        if must_staple:
            builder = builder.add_extension(x509.TLSFeature([x509.TLSFeatureType.status_request]), critical=False)
        above = [] if self.parent is None else [self.certificate]
        return Issued(builder.sign(self.key, hashes.SHA256()), above, key)


def pem_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _named(name: str) -> x509.GeneralName:
    if "://" in name:
        return x509.UniformResourceIdentifier(name)
    if "@" in name:
        return x509.RFC822Name(name)
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _rsa(bits: int) -> rsa.RSAPrivateKey:
    """One a size: making it takes long, and nobody compares."""
    if bits not in _RSA:
        _RSA[bits] = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    return _RSA[bits]
