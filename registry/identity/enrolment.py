"""How a program gets its certificate: the first by a one-time token, or by a cluster's word whose it is; each further
one by the one it has.

The token is spent in the transaction that writes the certificate, so of many who use it at once one gets it, over all
registries. A renewal is signed with the key of the live certificate, over the new request: that proves who asks on any
way to the registry, also through a balancer that ends TLS, and whoever overhears it gains a certificate for a key that
he does not have.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import secrets
from string import hexdigits
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from meshway.identity import GATEWAY, RENEWAL, SCHEME, IdentityFault, parse_spiffe_id, parse_subject
from meshway.problem import FieldError, Problem, invalid_request, soon
from registry.identity.custody import pem_of
from registry.identity.issuing import end_of, new_leaf, serial_text
from registry.identity.kubernetes import is_account_token
from registry.identity.proof import signed_by
from registry.identity.signing_request import SigningRequest, read_signing_request
from registry.revisions.acts import noted
from registry.store.authorities import hold_trust
from registry.store.certificates import (
    CertificateRecord,
    add_certificate,
    certificate_of,
    certificates_issued_by,
    count_certificates,
    read_certificate,
    replace_certificate,
)
from registry.store.enrolments import EnrolmentRecord, add_enrolment, enrolment_of, read_enrolment, spend_enrolment
from registry.store.steps import NoRow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from meshway.identity import SpiffeId
    from registry.identity.custody import Custody, Trust
    from registry.identity.kubernetes import TokenReviews
    from registry.revisions.revisions import Revisions
    from registry.store.interface import Store
    from registry.store.steps import Step

TOKEN_S: Final = 600.0
MAX_TOKEN_S: Final = 86_400.0
_PREFIX: Final = "mwe_"
_ID_BYTES: Final = 4
_SECRET_BYTES: Final = 32
_TRIES: Final = 5
# Rows are kept until a certificate expires: whoever has one could fill the store by renewing it again and again. Far
# above what a service of many thousand instances has, each with one that it replaced.
MOST_OF_SUBJECT: Final = 100_000
_MAX_PEM: Final = 64 << 10


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """certificate: PEM, the leaf and what leads to a root. roots: PEM, whom to trust. Times: seconds since 1970."""

    subject: str
    serial: str
    certificate: str
    roots: str
    not_before: float
    not_after: float


class EnrolmentToken(msgspec.Struct, frozen=True, kw_only=True):
    """token: shown this once. expires_at: seconds since 1970."""

    id: str
    token: str
    subject: str
    expires_at: float
    cidr: str = ""


class Enrolment:
    """wall: seconds since 1970. lifetime_s: of leaves, as the mesh wants it now. reviews: of accounts' tokens,
    None: of no cluster."""

    def __init__(
        self,
        store: Store,
        custody: Custody,
        revisions: Revisions,
        wall: Callable[[], float],
        lifetime_s: Callable[[], float],
        reviews: TokenReviews | None = None,
    ) -> None:
        self._store = store
        self._custody = custody
        self._revisions = revisions
        self._wall = wall
        self._lifetime_s = lifetime_s
        self._reviews = reviews

    async def create(self, subject: str, *, by: str, ttl_s: float = TOKEN_S, cidr: str = "") -> EnrolmentToken:
        """subject: `NAMESPACE/SERVICE` or `gateway/HOST`. Raises Problem 409, 422."""
        trust = await self._custody.trust()
        try:
            identity = parse_subject(subject, trust.trust_domain)
        except IdentityFault as fault:
            raise _invalid("subject", str(fault)) from None
        if not 0 < ttl_s <= MAX_TOKEN_S:
            raise _invalid("ttl_s", f"{ttl_s:g} is not above 0 and up to {MAX_TOKEN_S:g}")
        if cidr:
            try:
                cidr = str(ipaddress.ip_network(cidr))
            except ValueError as error:
                raise _invalid("cidr", str(error)) from None
        token_id = secrets.token_hex(_ID_BYTES)
        token = f"{_PREFIX}{token_id}_{_written(secrets.token_bytes(_SECRET_BYTES))}"
        record = EnrolmentRecord(token_id, _digest(token), identity.text, cidr, self._wall() + ttl_s, by)
        await self._store.do([add_enrolment(record)])
        if (row := noted({"op": "create", "enrolment": identity.text, "id": token_id})) is not None:
            await self._revisions.submit(row)
        return EnrolmentToken(id=token_id, token=token, subject=identity.text, expires_at=record.expires_at, cidr=cidr)

    async def enrol(self, token: str, csr: str, *, peer: str) -> Issued:
        """peer: the caller's address. Raises Problem 401, 422, 503. The same request may be repeated when its answer
        was lost."""
        request = read_signing_request(csr)
        if self._reviews is not None and is_account_token(token):
            return await self._by_account(await self._reviews.subject(token), request)
        record = await self._unspent(token, peer)
        if record is None:
            return await self._again(token, request)
        identity = parse_spiffe_id(record.subject)
        spent = spend_enrolment(record.id, record.hash, self._wall())
        try:
            return await self._issue(identity, request, _by_enrolment(record.id), [spent])
        except NoRow:
            return await self._again(token, request)

    async def _by_account(self, subject: str, request: SigningRequest) -> Issued:
        """subject: whose token it was; whoever has one may enrol again, as a pod does that starts anew."""
        trust = await self._custody.trust()
        try:
            identity = parse_subject(subject, trust.trust_domain)
        except IdentityFault as fault:
            raise _refused(f"service account {subject} is no name of a service: {fault}") from None
        if identity.gateway:  # a namespace of the cluster's may be called so, and makes nobody a gateway
            raise _refused(f"service account {subject}: a namespace called {GATEWAY} enrols nobody")
        return await self._issue(identity, request, f"account {subject}", [])

    async def renew(self, certificate: str, csr: str, proof: str) -> Issued:
        """certificate: the live one, PEM (what follows the first is left alone). proof: base64 of RENEWAL and the
        request's DER signed with its key. Raises Problem 401, 422."""
        request = read_signing_request(csr)
        record = await self.live(certificate)
        leaf = x509.load_der_x509_certificate(record.value)
        if not signed_by(leaf, RENEWAL + request.der, proof):
            raise _refused("the proof is not signed with the certificate's key")
        try:
            return await self._issue(
                parse_spiffe_id(record.subject),
                request,
                f"renewal {record.serial}",
                [replace_certificate(record.serial, self._wall())],
            )
        except NoRow:
            raise _refused("the certificate is good no more") from None

    async def live(self, certificate: str) -> CertificateRecord:
        """Our record of a certificate that is good now. Raises Problem 401."""
        try:
            leaf = x509.load_pem_x509_certificate(certificate[:_MAX_PEM].encode())
        except ValueError:
            raise _refused("certificate: is no certificate in PEM") from None
        (found,) = await self._store.do([read_certificate(serial_text(leaf))])
        record = certificate_of(found[0]) if found else None
        if record is None or record.value != leaf.public_bytes(serialization.Encoding.DER):
            raise _refused("the certificate was not issued here, or is long over")
        if not record.subject.startswith(SCHEME):
            raise _refused("the certificate names no workload: it is what gateways serve hosts by")
        now = self._wall()
        if record.revoked_at is not None:
            raise _refused("the certificate was revoked")
        if not record.not_before <= now < record.not_after:
            raise _refused("the certificate has expired: a new one-time token is needed")
        return record

    async def _issue(self, identity: SpiffeId, request: SigningRequest, by: str, first: Sequence[Step]) -> Issued:
        """Raises NoRow where one of the first steps does, Problem 429 where the subject has too many already."""
        (((count,),),) = await self._store.do([count_certificates(identity.text, self._wall())])
        if count >= MOST_OF_SUBJECT:
            raise Problem(
                429,
                "too_many_certificates",
                "Too many certificates",
                detail=f"{MOST_OF_SUBJECT} certificates of {identity.text} have not expired",
                mend="look for who renews in a loop; a shorter identity.leaf_lifetime lets them go earlier",
                headers=soon(),
            )
        for _ in range(_TRIES):
            trust = await self._custody.trust()
            record, issued = self._made(trust, identity, request, by)
            try:
                # Trust before any other row, as a revocation has it: two that wait for each other end in error.
                await self._store.do([hold_trust(trust.generation), *first, add_certificate(record)])
            except NoRow as missing:
                if missing.at > 0:
                    raise
                continue  # the authorities have changed in between: by whom it would be signed must be asked again
            return issued
        raise Problem(
            503, "authorities_change", "Authorities change", detail="they changed meanwhile: try again", headers=soon()
        )

    def _made(
        self, trust: Trust, identity: SpiffeId, request: SigningRequest, by: str
    ) -> tuple[CertificateRecord, Issued]:
        now, issuer = self._wall(), trust.issuer
        intermediate = x509.load_der_x509_certificate(issuer.certificate)
        leaf = new_leaf(
            request.public_key, identity, intermediate, self._custody.key_of(issuer), now, self._lifetime_s()
        )
        record = CertificateRecord(
            serial=serial_text(leaf),
            subject=identity.text,
            authority=issuer.id,
            not_before=leaf.not_valid_before_utc.timestamp(),
            not_after=end_of(leaf),
            issued_by=by,
            request=request.digest,
            value=leaf.public_bytes(serialization.Encoding.DER),
        )
        return record, _told(record, issuer.certificate, trust)

    async def _unspent(self, token: str, peer: str) -> EnrolmentRecord | None:
        """None: spent. Whatever else is wrong with it is one and the same answer."""
        token_id = _id_of(token)
        (found,) = await self._store.do([read_enrolment(token_id)])
        if not found:
            return None
        record = enrolment_of(found[0])
        is_same = secrets.compare_digest(record.hash, _digest(token))
        if not is_same or record.expires_at <= self._wall() or not _is_from(peer, record.cidr):
            _refuse_token()
        return record

    async def _again(self, token: str, request: SigningRequest) -> Issued:
        """The certificate that the token was spent for, to the owner of its key alone. Raises Problem 401."""
        (found,) = await self._store.do([certificates_issued_by(_by_enrolment(_id_of(token)))])
        record = certificate_of(found[0]) if found else None
        if record is None or record.request != request.digest or record.revoked_at is not None:
            _refuse_token()
        trust = await self._custody.trust()
        issuers = [one for one in trust.authorities if one.id == record.authority]
        if not issuers:
            _refuse_token()
        return _told(record, issuers[0].certificate, trust)


def _told(record: CertificateRecord, issuer: bytes, trust: Trust) -> Issued:
    return Issued(
        subject=record.subject,
        serial=record.serial,
        certificate=pem_of(record.value) + pem_of(issuer),
        roots="".join(trust.roots_pem),
        not_before=record.not_before,
        not_after=record.not_after,
    )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _id_of(token: str) -> str:
    """Raises Problem 401 for what is no token at all."""
    prefix, _, rest = token.partition("_")
    token_id, _, secret = rest.partition("_")
    is_whole = len(token_id) == 2 * _ID_BYTES and len(secret) == len(_written(bytes(_SECRET_BYTES)))
    if prefix + "_" != _PREFIX or not is_whole or not set(token_id) <= set(hexdigits):
        _refuse_token()
    return token_id


def _written(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).rstrip(b"=").decode()


def _by_enrolment(token_id: str) -> str:
    return f"enrolment {token_id}"


def _is_from(peer: str, cidr: str) -> bool:
    if not cidr:
        return True
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address in ipaddress.ip_network(cidr)


def _refuse_token() -> NoReturn:
    raise Problem(
        401,
        "invalid_enrolment_token",
        "Not enrolled",
        detail="the token is unknown, used, expired, or for another address",
        mend="make a new one: meshway token create --enrol NAMESPACE/SERVICE",
    )


def _refused(why: str) -> Problem:
    return Problem(401, "invalid_certificate", "Not renewed", detail=why)


def _invalid(path: str, why: str) -> Problem:
    return invalid_request(f"{path}: {why}", (FieldError(path=path, code="out_of_bounds", message=f"{path}: {why}"),))
