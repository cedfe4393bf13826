"""What gateways are told of Secrets: the contents of those that documents refer to, and of no others; and the
pairs that the mesh has issued for Certificates."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from meshway.model.certificate import Certificate, issued_name
from meshway.model.mesh_settings import MeshSettings
from meshway.model.receiver import Receiver
from meshway.model.secret import Secret
from meshway.sealing import SealBroken
from meshway.snapshot import SecretContents, SecretFrame, encode_frame
from registry.documents.issued import issued_pair
from registry.documents.referred import referred_secret
from registry.documents.sealed import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from meshway.sealing import Sealing
    from registry.documents.sealed import Contents
    from registry.view.rows import DocumentRow
    from registry.view.view import View

_log = logging.getLogger("registry.documents.secrets")


class SecretFrames:
    """frames: of the view's head, by namespace and name; another dict whenever one of them is another."""

    def __init__(self, view: View, sealing: Sealing) -> None:
        self._view, self._sealing = view, sealing
        self._seen = -1
        self._made: dict[tuple[str, str], tuple[DocumentRow, bytes]] = {}
        self.frames: dict[tuple[str, str], bytes] = {}

    def refresh(self) -> None:
        """After a commit. Costs nothing where no document has changed, or none is a Secret."""
        view = self._view
        if view.document_changes == self._seen:
            return
        self._seen = view.document_changes
        made: dict[tuple[str, str], tuple[DocumentRow, bytes]] = {}
        if view.documents.get(Secret.__name__):
            for row in self._used():
                self._put(made, row.key[1:], row, _frame)
        for row in view.documents.get(Certificate.__name__, {}).values():
            if row.sealed:
                self._put(made, (row.key[1], issued_name(row.key[2])), row, _issued_frame)
        self._made = made
        frames = {key: frame for key, (_, frame) in made.items()}
        if frames != self.frames:
            self.frames = frames

    def _put(
        self,
        made: dict[tuple[str, str], tuple[DocumentRow, bytes]],
        key: tuple[str, str],
        row: DocumentRow,
        encode: Callable[[DocumentRow, Sealing], bytes | None],
    ) -> None:
        before = self._made.get(key)
        frame = before[1] if before is not None and before[0] is row else encode(row, self._sealing)
        if frame is not None:
            made[key] = (row, frame)

    def _used(self) -> Iterator[DocumentRow]:
        for kind, of_kind in self._view.documents.items():
            if kind in (Receiver.__name__, MeshSettings.__name__):
                continue  # the registry alone sends to these
            for row in of_kind.values():
                for reference in row.references:
                    if reference.to == "secret":
                        found = referred_secret(reference, self._view.document)
                        if found is not None:
                            yield found


def _frame(row: DocumentRow, sealing: Sealing) -> bytes | None:
    """None: it cannot be opened, and what refers to it refuses."""
    spec = row.spec
    if not isinstance(spec, Secret):
        return None
    try:
        versions = opened(row, sealing)
    except SealBroken as broken:
        _log.error("gateways get nothing of %s: %s", row.document.name, broken)
        return None
    return encode_frame(
        SecretFrame(
            namespace=row.key[1],
            name=row.key[2],
            type=spec.type,
            share_with=list(spec.share_with),
            versions=[
                SecretContents(version.until, version.data, _session_key(row, spec, version, sealing))
                for version in versions
            ],
        )
    )


def _issued_frame(row: DocumentRow, sealing: Sealing) -> bytes | None:
    """Of the pair that the mesh issued for a Certificate; None: as of `_frame`, or it names another source by now."""
    pair = issued_pair(row, sealing)
    if pair is None or not isinstance(row.spec, Certificate) or row.spec.mesh_ca is None:
        return None
    data = {"certificate": pair.certificate, "private_key": pair.private_key}
    name = issued_name(row.key[2])
    return encode_frame(
        SecretFrame(
            namespace=row.key[1], name=name, type="tls", share_with=[], versions=[SecretContents(None, data, b"")]
        )
    )


def _session_key(row: DocumentRow, spec: Secret, version: Contents, sealing: Sealing) -> bytes:
    """The same at every gateway, and another as soon as the Secret is written anew."""
    if spec.type != "opaque":
        return b""
    return sealing.derive(f"sessions {row.document.name} {version.n} {version.created_at!r}")
