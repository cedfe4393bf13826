"""What is told of a Certificate when it is read: the pair in force as the registry knows it, or else as gateways do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from meshway.model.certificate import Certificate
from meshway.model.certificate_status import CertificateStatus
from registry.documents.certified import known_pair
from registry.view.rows import time_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from meshway.model.document import Document
    from meshway.sealing import Sealing
    from registry.gateways import Gateways
    from registry.view.view import View


class Statuses:
    """wall: seconds since 1970."""

    def __init__(self, view: View, sealing: Sealing | None, gateways: Gateways, wall: Callable[[], float]) -> None:
        self._view, self._sealing, self._gateways, self._wall = view, sealing, gateways, wall

    def beside(self, document: Document) -> Document:
        """The document with its status, where it has one."""
        if document.kind != Certificate.__name__:
            return document
        status = self._status(document.metadata.namespace, document.metadata.name)
        return document if status is None else msgspec.structs.replace(document, status=status)

    def _status(self, namespace: str, name: str) -> CertificateStatus | None:
        row = self._view.document((Certificate.__name__, namespace, name))
        if row is None or not isinstance(row.spec, Certificate):
            return None
        pair = None
        if self._sealing is not None:
            pair = known_pair(row, self._view.document, self._sealing, self._wall())
        reported, live = self._gateways.shown_certificates((namespace, name))
        found = pair or max(reported, key=lambda each: each.not_after, default=None)
        if found is None:
            return None
        showing = sum(each.fingerprint == found.fingerprint for each in reported)
        return CertificateStatus(
            not_after=time_text(found.not_after),
            issuer=found.issuer,
            serial=found.serial,
            fingerprint=found.fingerprint,
            gateways=f"{showing}/{live}",
        )
