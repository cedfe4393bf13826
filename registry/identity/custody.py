"""Who signs for the mesh now, and the keys they sign with: read from the store, opened only where they are used."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, cast

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization

from meshway.identity import is_trust_domain
from meshway.problem import FieldError, Problem, invalid_request
from meshway.sealing import SealBroken
from registry.identity.issuing import DAY_S, PrivateKey, end_of, new_intermediate, new_key, new_root
from registry.identity.signing_request import key_digest
from registry.store.authorities import (
    AuthorityRecord,
    add_authority,
    authority_of,
    begin_trust,
    read_authorities,
    read_trust,
    trust_of,
)
from registry.store.steps import NoRow

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshway.model.trust_bundle import Phase
    from meshway.sealing import Sealing
    from registry.store.authorities import Role, State
    from registry.store.interface import Store
    from registry.store.steps import Step

_PEM: Final = serialization.Encoding.PEM
# A token key signs for a week; what it signed is good for an hour.
TOKEN_KEY_S: Final = 7 * DAY_S


class Trust(msgspec.Struct, frozen=True):
    """All that is in force at one generation. authorities: the oldest first."""

    trust_domain: str
    phase: Phase
    generation: int
    authorities: tuple[AuthorityRecord, ...]

    def of(self, role: Role, *states: State) -> list[AuthorityRecord]:
        return [one for one in self.authorities if one.role == role and (not states or one.state in states)]

    @property
    def root(self) -> AuthorityRecord:
        return self.of("root", "current")[-1]

    @property
    def issuer(self) -> AuthorityRecord:
        return self.of("intermediate", "current")[-1]

    @property
    def token_key(self) -> AuthorityRecord:
        return self.of("token_key", "current")[-1]

    @property
    def roots_pem(self) -> tuple[str, ...]:
        """Of every root that is trusted now."""
        return tuple(pem_of(one.certificate) for one in self.of("root"))


class Custody:
    """wall: seconds since 1970."""

    def __init__(self, store: Store, sealing: Sealing | None, wall: Callable[[], float]) -> None:
        self._store = store
        self._sealing = sealing
        self._wall = wall
        self._opened: dict[str, PrivateKey] = {}

    async def read(self) -> Trust | None:
        """None: there is no authority yet."""
        trust, authorities = await self._store.do([read_trust(), read_authorities()])
        if not trust:
            return None
        row = trust_of(trust[0])
        return Trust(row.trust_domain, cast("Phase", row.phase), row.generation, tuple(map(authority_of, authorities)))

    async def trust(self) -> Trust:
        """Raises Problem 409 where there is no authority."""
        found = await self.read()
        if found is None:
            raise Problem(
                409,
                "no_authority",
                "No certificate authority",
                detail="this mesh has no certificate authority yet",
                mend="meshway ca init",
            )
        return found

    async def begin(self, trust_domain: str) -> Trust:
        """A root, an intermediate and a token key of our own making. Raises Problem 409, 422."""
        if not is_trust_domain(trust_domain):
            message = f"trust_domain: {trust_domain[:100]!r} is no trust domain: lower case, as in mesh.example.com"
            raise invalid_request(message, (FieldError(path="trust_domain", code="out_of_bounds", message=message),))
        now = self._wall()
        root_key = new_key()
        root = new_root(root_key, trust_domain, now)
        intermediate_key = new_key()
        intermediate = new_intermediate(intermediate_key.public_key(), root, root_key, trust_domain, now)
        signing = self.record("root", root, root_key, state="current")
        issuing = self.record("intermediate", intermediate, intermediate_key, state="current", issuer=signing.id)
        return await self.begin_with(trust_domain, [signing, issuing])

    async def begin_with(self, trust_domain: str, authorities: list[AuthorityRecord]) -> Trust:
        """Raises Problem 409 where there is an authority already."""
        token_key = self.new_token_key("current")
        steps = [begin_trust(trust_domain, "settled"), *map(add_authority, [*authorities, token_key])]
        try:
            await self._store.do(steps)
        except NoRow:
            raise _begun_already() from None
        return await self.trust()

    def record(
        self, role: Role, certificate: x509.Certificate, key: PrivateKey | None, *, state: State, issuer: str = ""
    ) -> AuthorityRecord:
        """key None: it is kept elsewhere."""
        der = certificate.public_bytes(serialization.Encoding.DER)
        authority = authority_id(der)
        sealed = None if key is None else self._seal(authority, key)
        return AuthorityRecord(authority, role, issuer, state, der, sealed, end_of(certificate), self._wall())

    def new_token_key(self, state: State) -> AuthorityRecord:
        key = new_key()
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        authority, now = authority_id(public), self._wall()
        sealed = self._seal(authority, key)
        return AuthorityRecord(authority, "token_key", "", state, public, sealed, now + TOKEN_KEY_S, now)

    def key_of(self, record: AuthorityRecord) -> PrivateKey:
        """Raises Problem 409 where the key is kept elsewhere, 503 where it cannot be opened."""
        if (opened := self._opened.get(record.id)) is not None:
            return opened
        if record.sealed_key is None:
            raise Problem(
                409,
                "key_offline",
                "Key is offline",
                detail=f"the key of {record.role} {record.id} is not kept here",
                mend="send it along: meshway ca rotate intermediate --root-key FILE",
            )
        try:
            der = self._sealed_by().unseal(record.sealed_key, _associated(record.id))
        except SealBroken as broken:
            raise Problem(
                503,
                "key_unreadable",
                "Key cannot be opened",
                detail=f"the key of {record.role} {record.id}: {broken}",
                mend="give the registry the master key that sealed it, or restore a backup",
            ) from broken
        key = cast("PrivateKey", serialization.load_der_private_key(der, None))
        if record.role != "root":  # a root's key signs once in ninety days, and is not kept in memory for that
            self._opened[record.id] = key
        return key

    def given_key(self, record: AuthorityRecord, pem: str) -> PrivateKey:
        """A key that is kept elsewhere, brought for once. Raises Problem 422 where it is another's."""
        key = read_key(pem)
        certificate = x509.load_der_x509_certificate(record.certificate)
        if key_digest(key.public_key()) != key_digest(certificate.public_key()):
            raise _invalid("root_key", f"is not the key of {record.role} {record.id}")
        return key

    def forget(self, kept: Trust) -> None:
        """Keys in memory of authorities that are no more."""
        known = {one.id for one in kept.authorities}
        self._opened = {name: key for name, key in self._opened.items() if name in known}

    def _seal(self, authority: str, key: PrivateKey) -> bytes:
        der = key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return self._sealed_by().seal(der, _associated(authority))

    def _sealed_by(self) -> Sealing:
        if self._sealing is None:
            raise Problem(
                409,
                "no_master_key",
                "No master key",
                detail="keys are sealed by a master key, and this registry was given none",
                mend="name one, the same for all registries on the store: MESHWAY_MASTER_KEY_FILE",
            )
        return self._sealing


async def done(store: Store, steps: list[Step]) -> bool:
    """False: a step found that things are not as they were when they were read; read and try again."""
    try:
        await store.do(steps)
    except NoRow:
        return False
    return True


def read_key(pem: str) -> PrivateKey:
    """Raises Problem 422."""
    try:
        key = serialization.load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _invalid("key", "is no private key in PEM without a passphrase") from None
    if not isinstance(key, PrivateKey):
        raise _invalid("key", "is of a kind that is not taken: P-256, P-384, Ed25519 or RSA")
    return key


def authority_id(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()[:16]


def pem_of(der: bytes) -> str:
    return x509.load_der_x509_certificate(der).public_bytes(_PEM).decode()


def key_id_of(der: bytes) -> str:
    """Of a root, in hex: what certificates below it call their issuer's key (RFC 5280 §4.2.1.2)."""
    extensions = x509.load_der_x509_certificate(der).extensions
    try:
        return extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest.hex()
    except x509.ExtensionNotFound:  # of another's root
        return ""


def _associated(authority: str) -> str:
    return f"authority {authority}"


def _invalid(path: str, why: str) -> Problem:
    return invalid_request(f"{path}: {why}", (FieldError(path=path, code="out_of_bounds", message=f"{path}: {why}"),))


def _begun_already() -> Problem:
    return Problem(
        409,
        "authority_exists",
        "There is a certificate authority",
        detail="this mesh has a certificate authority, and every certificate depends on it",
        mend="meshway ca show; a new root comes by meshway ca rotate",
    )
