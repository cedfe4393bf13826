"""What gateways must know of all this, as a document of the feed: roots, keys of service tokens, what is revoked.

The tables are the truth and the document is made of them: at once by whoever changed them, and by every registry every
few seconds where it finds that somebody did not come that far.
"""

from __future__ import annotations

import base64
import logging
from typing import TYPE_CHECKING, Final, cast

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from meshway.identity import serial_hash
from meshway.model.decode import canonical
from meshway.model.document import Document, Metadata
from meshway.model.trust_bundle import MAX_REVOKED, NAME, TokenKey, TrustBundle
from registry.identity.custody import Trust
from registry.store.authorities import authority_of, read_authorities, read_trust, trust_of
from registry.store.certificates import revoked_serials
from registry.view.rows import DocumentRow, document_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshway.model.trust_bundle import Phase
    from registry.revisions.draft import Draft
    from registry.revisions.revisions import Revisions
    from registry.store.interface import Store
    from registry.view.view import View

KEY: Final = (TrustBundle.__name__, "mesh", NAME)
_BY: Final = "registry"
# What is revoked is told for so long after its end: clocks that go after ours, and leeways, believe it yet.
TOLD_ON_S: Final = 300.0
_log = logging.getLogger("registry.identity")


class PublishTrust(msgspec.Struct, frozen=True):
    """Answers the revision that shows it. An older generation than is shown already changes nothing."""

    bundle: TrustBundle

    @property
    def size(self) -> int:
        return 4096 + 20 * len(self.bundle.revoked)

    def judge(self, draft: Draft) -> int:
        row = draft.document(KEY)
        shown = row.spec if row is not None and isinstance(row.spec, TrustBundle) else None
        if row is not None and shown is not None:
            is_ours = shown.trust_domain == self.bundle.trust_domain
            if shown == self.bundle or (is_ours and shown.generation > self.bundle.generation):
                return row.revision
        kind, namespace, name = KEY
        document = Document(kind=kind, metadata=Metadata(name=name, namespace=namespace), spec=canonical(self.bundle))
        created_at = draft.at if row is None else row.created_at
        draft.put_document(
            DocumentRow(
                document=document,
                spec=self.bundle,
                revision=draft.revision,
                created_at=created_at,
                updated_at=draft.at,
                updated_by=_BY,
                value=document_value(document, created_at),
            )
        )
        return draft.revision


class Publisher:
    """wall: seconds since 1970."""

    def __init__(self, view: View, store: Store, revisions: Revisions, wall: Callable[[], float]) -> None:
        self._view = view
        self._store = store
        self._revisions = revisions
        self._wall = wall

    @property
    def shown(self) -> tuple[TrustBundle, int] | None:
        """What the feed shows, and since which revision."""
        row = self._view.document(KEY)
        if row is None or not isinstance(row.spec, TrustBundle):
            return None
        return row.spec, row.revision

    async def publish(self) -> int:
        """The revision that shows what the tables say; 0: there is nothing to show. Raises Problem 503."""
        # Trust is read first: what is newer than its generation shows all the same, and comes again with the next one.
        trust, authorities, revoked = await self._store.do(
            [read_trust(), read_authorities(), revoked_serials(self._wall() - TOLD_ON_S)]
        )
        if not trust:
            return 0
        row = trust_of(trust[0])
        known = Trust(row.trust_domain, cast("Phase", row.phase), row.generation, tuple(map(authority_of, authorities)))
        if len(revoked) > MAX_REVOKED:
            _log.critical("%d revoked certificates are too many to tell: rotate the root", len(revoked))
        bundle = bundle_of(known, [serial for (serial,) in revoked[:MAX_REVOKED]])
        return await self._revisions.submit(PublishTrust(bundle))

    async def is_due(self) -> bool:
        """Whether the tables are ahead of what is shown."""
        (trust,) = await self._store.do([read_trust()])
        if not trust:
            return False
        shown = self.shown
        return shown is None or shown[0].generation != trust_of(trust[0]).generation


def shown_trust(view: View) -> TrustBundle | None:
    """What the feed shows; the same object as long as it does."""
    row = view.document(KEY)
    return row.spec if row is not None and isinstance(row.spec, TrustBundle) else None


def bundle_of(trust: Trust, revoked: list[str]) -> TrustBundle:
    """revoked: serials in hex."""
    return TrustBundle(
        trust_domain=trust.trust_domain,
        generation=trust.generation,
        phase=trust.phase,
        roots=trust.roots_pem,
        token_keys=tuple(_token_key(one.id, one.certificate) for one in trust.of("token_key")),
        revoked=tuple(sorted(f"{serial_hash(int(serial, 16)):016x}" for serial in revoked)),
    )


def _token_key(key_id: str, der: bytes) -> TokenKey:
    key = serialization.load_der_public_key(der)
    assert isinstance(key, ec.EllipticCurvePublicKey)
    numbers = key.public_numbers()
    return TokenKey(kid=key_id, x=_base64url(numbers.x), y=_base64url(numbers.y))


def _base64url(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()
