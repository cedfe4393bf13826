"""Certificates and their keys as people keep them (PEM): read, put in order and judged before they serve.

Sources: RFC 5280; RFC 6125 §6.4.3 (a wildcard covers one label); RFC 7633 (must-staple, which Python's ssl cannot do).
"""

import time
from collections.abc import Iterable
from typing import Final, Literal

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

MIN_RSA_BITS: Final = 2048
MOST_IN_CHAIN: Final = 10
MOST_IN_BUNDLE: Final = 100
MAX_PEM: Final = 64 << 10
_EXPIRES_SOON_S: Final = 21 * 86_400.0
_CRITICAL_S: Final = 3 * 86_400.0
_SHORT_LIFE_S: Final = 168 * 3600.0  # of those a quarter of the life is soon, a tenth is critical
_WEAK: Final = (hashes.MD5, hashes.SHA1)
_SERVING_KEYS: Final = (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)


class CertificateFault(Exception):
    """Why it may not serve, for people; it holds nothing of a key."""


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate with its chain, leaf first, and its key, both PEM.

    hosts: DNS names of the leaf, lower-case. algorithm: `ec`, `rsa` or `ed25519`. not_before, not_after: seconds since
    1970. fingerprint: SHA-256 of the leaf, hex. is_reordered: the chain was written in another order.
    """

    chain: bytes
    key: bytes
    hosts: tuple[str, ...]
    algorithm: str
    not_before: float
    not_after: float
    issuer: str
    serial: str
    fingerprint: str
    is_reordered: bool = False

    def __repr__(self) -> str:
        return f"Pair({self.fingerprint[:16]})"


def read_pair(certificate: bytes, key: bytes, wall_s: float | None = None) -> Pair:
    """Raises CertificateFault where it must not serve. wall_s: seconds since 1970, None: now."""
    wall_s = time.time() if wall_s is None else wall_s
    private = _read_key(key)
    written = _read_certificates(certificate, MOST_IN_CHAIN)
    leaf = _leaf_of(written, private)
    chain = _in_order(leaf, written)
    _judge(leaf, wall_s)
    for each in chain[1:]:
        _refuse_weak_signature(each)
    return Pair(
        chain=b"".join(_pem(each) for each in chain),
        key=private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        hosts=host_names(leaf),
        algorithm=_algorithm(private),
        not_before=leaf.not_valid_before_utc.timestamp(),
        not_after=leaf.not_valid_after_utc.timestamp(),
        issuer=short_name(leaf.issuer),
        serial=f"{leaf.serial_number:x}",
        fingerprint=leaf.fingerprint(hashes.SHA256()).hex(),
        is_reordered=chain != written[: len(chain)],
    )


Urgency = Literal["", "warn", "critical"]


def urgency(
    not_before: float, not_after: float, wall_s: float, warn_s: float | None = None, critical_s: float | None = None
) -> Urgency:
    """How near the end is, for people. Times: seconds since 1970. warn_s, critical_s: before it, None: as usual."""
    life_s, left_s = not_after - not_before, not_after - wall_s
    is_short = life_s <= _SHORT_LIFE_S
    usual_critical, usual_warn = (life_s / 10, life_s / 4) if is_short else (_CRITICAL_S, _EXPIRES_SOON_S)
    if left_s <= (usual_critical if critical_s is None else critical_s):
        return "critical"
    return "warn" if left_s <= (usual_warn if warn_s is None else warn_s) else ""


def read_bundle(text: bytes) -> bytes:
    """Certificates of authorities, PEM, each once. Raises CertificateFault for what is none."""
    found = list(dict.fromkeys(_read_certificates(text, MOST_IN_BUNDLE)))
    for each in found:
        if not _is_authority(each):
            raise CertificateFault(f"{short_name(each.subject)} is no authority (CA:TRUE is missing)")
    return b"".join(_pem(each) for each in found)


def covers(names: Iterable[str], host: str) -> bool:
    """Whether names of a certificate are good for a host, or for all that a written wildcard means.

    host: lower-case, exact or `*.suffix`.
    """
    _, _, parent = host.partition(".")
    return any(name == host or (bool(parent) and name == f"*.{parent}") for name in names)


def host_names(certificate: x509.Certificate) -> tuple[str, ...]:
    """Its DNS names, lower-case, without a last dot."""
    names = alternative_names(certificate)
    return () if names is None else tuple(n.lower().rstrip(".") for n in names.get_values_for_type(x509.DNSName))


def alternative_names(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    """Raises CertificateFault for extensions that cannot be read."""
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    except (ValueError, x509.DuplicateExtension, UnsupportedAlgorithm) as error:
        raise CertificateFault(f"its extensions cannot be read: {error}") from error


def short_name(name: x509.Name) -> str:
    """The common name, or else the whole name."""
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(common[0].value) if common else name.rfc4514_string()


def _read_certificates(text: bytes, most: int) -> list[x509.Certificate]:
    if len(text) > most * MAX_PEM:
        raise CertificateFault("the certificates are too large")
    try:
        found = x509.load_pem_x509_certificates(text)
        for each in found:  # names and times are parsed when they are first asked for
            _ = each.subject, each.issuer, each.not_valid_before_utc, each.not_valid_after_utc
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateFault("no certificate in PEM can be read") from error
    if len(found) > most:
        raise CertificateFault(f"{len(found)} certificates are more than {most}")
    return found


def _read_key(
    text: bytes,
) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(text, password=None)
    except TypeError as error:
        raise CertificateFault("the key is locked by a passphrase") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateFault("no private key in PEM can be read") from error
    if not isinstance(key, _SERVING_KEYS):
        raise CertificateFault("the key is of no kind that serves: RSA, EC or Ed25519")
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < MIN_RSA_BITS:
        raise CertificateFault(f"the RSA key of {key.key_size} bits is below {MIN_RSA_BITS}")
    return key


def _leaf_of(
    written: list[x509.Certificate], key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
) -> x509.Certificate:
    public = key.public_key()
    for each in written:
        try:
            if each.public_key() == public:
                return each
        except (ValueError, UnsupportedAlgorithm):  # of a key that nobody here could use
            continue
    raise CertificateFault("the key is not the certificate's")


def _in_order(leaf: x509.Certificate, written: list[x509.Certificate]) -> list[x509.Certificate]:
    """Each one followed by its issuer, as far as they were written; a root that signed itself is left out."""
    chain, left = [leaf], [each for each in written if each != leaf]
    while True:
        issuer = next((each for each in left if _has_issued(each, chain[-1])), None)
        if issuer is None or issuer.issuer == issuer.subject:
            return chain
        chain.append(issuer)
        left.remove(issuer)


def _has_issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    if issuer.subject != certificate.issuer:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _judge(leaf: x509.Certificate, wall_s: float) -> None:
    if alternative_names(leaf) is None:
        raise CertificateFault("it has no subject alternative name, the only one that clients read")
    if leaf.not_valid_after_utc.timestamp() <= wall_s:
        raise CertificateFault(f"it expired at {leaf.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}")
    _refuse_weak_signature(leaf)
    try:
        wanted = leaf.extensions.get_extension_for_class(x509.TLSFeature).value
    except x509.ExtensionNotFound:
        return
    if x509.TLSFeatureType.status_request in wanted:
        raise CertificateFault("it must be served with a stapled answer of its authority, which is not offered here")


def _refuse_weak_signature(certificate: x509.Certificate) -> None:
    try:
        algorithm = certificate.signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateFault(f"{short_name(certificate.subject)} is signed in no way known here") from error
    if isinstance(algorithm, _WEAK):
        raise CertificateFault(f"{short_name(certificate.subject)} is signed with {algorithm.name}")


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, x509.DuplicateExtension, UnsupportedAlgorithm, ValueError):
        return False


def _algorithm(key: object) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        return "rsa"
    return "ec" if isinstance(key, ec.EllipticCurvePrivateKey) else "ed25519"


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
