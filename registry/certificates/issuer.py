"""Issues what Certificates with `mesh_ca` ask for, and issues it anew before it ends.

By one registry of all. The pair lies sealed beside its document, so it is written in one revision with the word that
gateways are told, and each registry can pass it on. In the table of certificates its subject is the document, so a
rotation of the root waits for it as for any other leaf.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from typing import TYPE_CHECKING, Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from meshway.identity import serial_hash
from meshway.model.certificate import Certificate
from meshway.problem import Problem
from registry.documents.issued import IssuedPair, issued_pair, sealed_pair, wish_of
from registry.identity.custody import pem_of
from registry.identity.issuing import end_of, new_serving_leaf, serial_text
from registry.identity.publishing import shown_trust
from registry.store.authorities import hold_trust
from registry.store.certificates import CertificateRecord, add_certificate, replace_certificates
from registry.store.interface import StoreUnavailable
from registry.store.steps import NoRow

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshway.sealing import Sealing
    from registry.identity.custody import Custody, Trust
    from registry.identity.issuing import PrivateKey
    from registry.revisions.draft import Draft
    from registry.revisions.revisions import Revisions
    from registry.store.interface import Store
    from registry.view.rows import DocumentKey, DocumentRow
    from registry.view.view import View

LOOK_S: Final = 2.0
_WORK: Final = "serving certificates"
_BY: Final = "registry"
_log = logging.getLogger("registry.certificates")


class KeepPair(msgspec.Struct, frozen=True):
    """The pair is sealed beside its document. Answers whether it was: not where the document or its pair is another
    meanwhile."""

    before: DocumentRow
    sealed: bytes

    @property
    def size(self) -> int:
        return 4096 + len(self.sealed)

    def judge(self, draft: Draft) -> bool:
        row = draft.document(self.before.key)
        if row is None or row.spec != self.before.spec or row.sealed != self.before.sealed:
            return False
        told = {"revision": draft.revision, "updated_at": draft.at, "updated_by": _BY}
        draft.put_document(msgspec.structs.replace(row, sealed=self.sealed, **told))
        return True


class Issuer:
    """wall: seconds since 1970. random: in [0, 1), of renewals, so that not all come at once."""

    def __init__(
        self,
        view: View,
        store: Store,
        custody: Custody,
        revisions: Revisions,
        sealing: Sealing | None,
        *,
        wall: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._view, self._store, self._custody, self._revisions = view, store, custody, revisions
        self._sealing, self._wall, self._random = sealing, wall, random
        self._seen = -1
        self._changed = asyncio.Event()
        self._opened: dict[DocumentKey, tuple[bytes, IssuedPair | None]] = {}
        view.on_commit.append(self._look)

    def _look(self) -> None:
        if self._view.document_changes != self._seen:
            self._seen = self._view.document_changes
            self._changed.set()

    def ends(self) -> list[tuple[str, float]]:
        """Of what this registry has looked at, which is all where it is the one that issues."""
        return [
            (f"{key[1]}/{key[2]}", pair.not_after)
            for key, (_, pair) in sorted(self._opened.items())
            if pair is not None
        ]

    async def run(self) -> None:
        """Never ends. What fails is tried again at the next turn; what was issued serves meanwhile."""
        while True:
            self._changed.clear()
            try:
                if (self._wanted() or self._opened) and await self._store.lead(_WORK):
                    await self.turn()
            except StoreUnavailable as error:
                _log.debug("not now: %s", error)
            except Problem as problem:
                _log.warning("a certificate is not issued: %s", problem.detail or problem.title)
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def turn(self) -> None:
        """Whatever is due now. Raises Problem, StoreUnavailable."""
        if self._sealing is None:
            return
        trust = await self._custody.read()
        if trust is None:
            return
        bundle = shown_trust(self._view)
        revoked = frozenset(() if bundle is None else bundle.revoked)
        wanted = self._wanted()
        await self._forget(wanted)
        for row in wanted:
            assert isinstance(row.spec, Certificate)
            if self._is_due(row, row.spec, trust, revoked):
                await self._issue(row, row.spec, trust, self._sealing)

    async def _forget(self, wanted: list[DocumentRow]) -> None:
        """Of documents that are gone: no rotation waits for what nobody shows any more."""
        gone = self._opened.keys() - {row.key for row in wanted}
        if gone:
            await self._store.do([replace_certificates(_subject(key), self._wall()) for key in gone])
        for key in gone:
            del self._opened[key]

    def _wanted(self) -> list[DocumentRow]:
        found = self._view.documents.get(Certificate.__name__, {}).values()
        return [row for row in found if isinstance(row.spec, Certificate) and row.spec.mesh_ca is not None]

    def _is_due(self, row: DocumentRow, spec: Certificate, trust: Trust, revoked: frozenset[str]) -> bool:
        pair = self._pair(row)
        if pair is None or pair.made_for != wish_of(spec) or pair.authority != trust.issuer.id:
            return True
        return self._wall() >= pair.renew_at or f"{serial_hash(int(pair.serial, 16)):016x}" in revoked

    def _pair(self, row: DocumentRow) -> IssuedPair | None:
        """Opened once."""
        known = self._opened.get(row.key)
        if known is None or known[0] is not row.sealed:
            assert self._sealing is not None
            known = self._opened[row.key] = (row.sealed, issued_pair(row, self._sealing))
        return known[1]

    async def _issue(self, row: DocumentRow, spec: Certificate, trust: Trust, sealing: Sealing) -> None:
        assert spec.mesh_ca is not None
        issuer, now = trust.issuer, self._wall()
        signing, above = self._custody.key_of(issuer), x509.load_der_x509_certificate(issuer.certificate)
        key = await asyncio.to_thread(_new_key, spec.mesh_ca.key)
        leaf = new_serving_leaf(key.public_key(), spec.hosts, above, signing, now, spec.mesh_ca.lifetime)
        der = leaf.public_bytes(serialization.Encoding.DER)
        subject, serial, end = _subject(row.key), serial_text(leaf), end_of(leaf)
        record = CertificateRecord(
            serial=serial,
            subject=subject,
            authority=issuer.id,
            not_before=leaf.not_valid_before_utc.timestamp(),
            not_after=end,
            issued_by=_BY,
            request=hashlib.sha256(der).digest(),
            value=der,
        )
        pair = IssuedPair(
            certificate=pem_of(der) + pem_of(issuer.certificate),
            private_key=_pem_of_key(key),
            serial=serial,
            authority=issuer.id,
            made_for=wish_of(spec),
            not_before=record.not_before,
            not_after=end,
            renew_at=self._renew_at(spec, now, end),
        )
        steps = [hold_trust(trust.generation), replace_certificates(subject, now), add_certificate(record)]
        try:
            await self._store.do(steps)
        except NoRow:
            return  # the authorities have changed in between: the next turn asks them again
        if await self._revisions.submit(KeepPair(row, sealed_pair(pair, row.document.name, sealing))):
            _log.info("%s: issued %s until %.0f", row.document.name, serial[:16], end)

    def _renew_at(self, spec: Certificate, now: float, end: float) -> float:
        if spec.renew_before is not None:
            return max(end - spec.renew_before, now + (end - now) / 10)
        return now + (end - now) * (0.4 + 0.2 * self._random())


def _subject(key: DocumentKey) -> str:
    return f"certificate {key[1]}/{key[2]}"


def _new_key(kind: str) -> PrivateKey:
    if kind == "rsa2048":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP384R1() if kind == "ec384" else ec.SECP256R1())


def _pem_of_key(key: PrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
