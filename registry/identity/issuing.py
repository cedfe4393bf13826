"""Certificates made: root, intermediate, leaf (RFC 5280; SPIFFE X509-SVID). Pure, but for the keys and serials drawn.

A root signs intermediates alone, an intermediate leaves alone (`pathlen:0`), and none of another trust domain (its name
constraint), so a stolen intermediate harms one mesh for as long as it lives. Times are seconds since 1970.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from meshway.identity import serial_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshway.identity import SpiffeId

DAY_S: Final = 86_400.0
ROOT_S: Final = 3650 * DAY_S
INTERMEDIATE_S: Final = 90 * DAY_S
LEAF_S: Final = DAY_S
# A clock that goes a little after ours must not find what is new not yet valid.
_SKEW_S: Final = 300.0

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey


def new_key() -> ec.EllipticCurvePrivateKey:
    """P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def new_root(key: PrivateKey, trust_domain: str, now: float) -> x509.Certificate:
    name = _name(f"Meshway root {_tag(key.public_key())}", trust_domain)
    builder = _begun(name, name, key.public_key(), now, now + ROOT_S)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName([_domain(trust_domain)]), critical=False)
    return _signed(builder, key, key.public_key())


def new_intermediate(
    public_key: PublicKey, root: x509.Certificate, root_key: PrivateKey, trust_domain: str, now: float
) -> x509.Certificate:
    """Never beyond the root's own end."""
    name = _name(f"Meshway intermediate {_tag(public_key)}", trust_domain)
    builder = _begun(name, root.subject, public_key, now, min(now + INTERMEDIATE_S, end_of(root)))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName([_domain(trust_domain)]), critical=False)
    constraint = x509.NameConstraints([x509.UniformResourceIdentifier(trust_domain)], None)
    builder = builder.add_extension(constraint, critical=True)
    return _signed(builder, root_key, root.public_key())


def new_leaf(
    public_key: PublicKey,
    identity: SpiffeId,
    issuer: x509.Certificate,
    issuer_key: PrivateKey,
    now: float,
    lifetime_s: float,
) -> x509.Certificate:
    """Names are ours alone: one URI, and host names for clients that ask for them."""
    common = identity.dns_names[0] if identity.dns_names else identity.gateway
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])
    builder = _begun(name, issuer.subject, public_key, now, min(now + lifetime_s, end_of(issuer)))
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    is_rsa = isinstance(public_key, rsa.RSAPublicKey)
    builder = builder.add_extension(_usage(encrypts_keys=is_rsa), critical=True)
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    names = [x509.UniformResourceIdentifier(identity.text), *map(x509.DNSName, identity.dns_names)]
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return _signed(builder, issuer_key, issuer.public_key())


def new_serving_leaf(
    public_key: PublicKey,
    hosts: Sequence[str],
    issuer: x509.Certificate,
    issuer_key: PrivateKey,
    now: float,
    lifetime_s: float,
) -> x509.Certificate:
    """For what serves these hosts. It names no workload and is good for no client: whoever holds it calls as nobody."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])])
    builder = _begun(name, issuer.subject, public_key, now, min(now + lifetime_s, end_of(issuer)))
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(encrypts_keys=isinstance(public_key, rsa.RSAPublicKey)), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    builder = builder.add_extension(x509.SubjectAlternativeName([*map(x509.DNSName, hosts)]), critical=False)
    return _signed(builder, issuer_key, issuer.public_key())


def end_of(certificate: x509.Certificate) -> float:
    return certificate.not_valid_after_utc.timestamp()


def serial_text(certificate: x509.Certificate) -> str:
    """As it is kept and shown: hex, two digits a byte."""
    return written_serial(certificate.serial_number)


def written_serial(serial: int) -> str:
    """The same of a number, however somebody else wrote it."""
    return serial_bytes(serial).hex()


def _begun(
    subject: x509.Name, issuer: x509.Name, public_key: PublicKey, not_before: float, not_after: float
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.fromtimestamp(not_before - _SKEW_S, UTC))
        .not_valid_after(datetime.fromtimestamp(not_after, UTC))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _signed(builder: x509.CertificateBuilder, key: PrivateKey, issuer: object) -> x509.Certificate:
    assert isinstance(issuer, PublicKey)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), critical=False)
    return builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())


def _name(common: str, trust_domain: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, trust_domain[:64]),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _domain(trust_domain: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(f"spiffe://{trust_domain}")


def _tag(public_key: PublicKey) -> str:
    """Tells two apart where people read them; a name that both bore would confuse chain building, too."""
    return hashlib.sha256(x509.SubjectKeyIdentifier.from_public_key(public_key).digest).hexdigest()[:8]


def _usage(*, signs_certificates: bool = False, encrypts_keys: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=encrypts_keys,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
