"""Certificates beside the Secrets they are of: whether these are good for their hosts, and for how long.

Those of files are read by gateways alone, and judged there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from meshway.certificates import CertificateFault, Leaf, covers, is_soon_over, read_leaf
from meshway.model.certificate import Certificate
from meshway.model.secret import Secret
from meshway.sealing import SealBroken
from registry.documents.references import referred_secret
from registry.documents.sealed import opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from meshway.sealing import Sealing
    from registry.revisions.draft import Draft
    from registry.view.rows import DocumentRow


class Certified(NamedTuple):
    """row: of a Certificate. leaf: what its Secret holds now."""

    row: DocumentRow
    spec: Certificate
    leaf: Leaf

    def uncovered(self) -> Iterator[tuple[str, str]]:
        """Path and reason of each written host that the certificate is not good for."""
        for at, host in enumerate(self.spec.hosts):
            if not covers(self.leaf.hosts, host):
                named = ", ".join(self.leaf.hosts) or "none"
                yield f"spec.hosts[{at}]", f"the names of the certificate do not cover {host}: they are {named}"

    def is_soon_over(self, wall_s: float) -> bool:
        return is_soon_over(self.leaf.not_before, self.leaf.not_after, wall_s)


def certified(changed: Iterable[DocumentRow], draft: Draft, sealing: Sealing | None) -> list[Certified]:
    """The Certificates that changed, or whose Secret did, as far as these can be read here."""
    if sealing is None:
        return []
    rows = {row.key: row for row in changed if isinstance(row.spec, Certificate | Secret)}
    found = {key: row for key, row in rows.items() if isinstance(row.spec, Certificate)}
    if len(found) < len(rows):
        found |= {row.key: row for row in draft.all_documents() if isinstance(row.spec, Certificate)}
    judged = []
    for key, row in sorted(found.items()):
        secret = _secret_of(row, draft)
        if secret is None or (key not in rows and secret.key not in rows):
            continue
        leaf = _leaf_of(secret, sealing)
        if leaf is not None and isinstance(row.spec, Certificate):
            judged.append(Certified(row, row.spec, leaf))
    return judged


def _secret_of(row: DocumentRow, draft: Draft) -> DocumentRow | None:
    reference = next((each for each in row.references if each.to == "secret"), None)
    return None if reference is None else referred_secret(reference, draft.document)


def _leaf_of(secret: DocumentRow, sealing: Sealing) -> Leaf | None:
    """None: it cannot be read here. Whoever serves it says why."""
    if not isinstance(secret.spec, Secret) or secret.spec.type != "tls":
        return None
    try:
        return read_leaf(str(opened(secret, sealing)[0].data["certificate"]).encode())
    except (SealBroken, CertificateFault):
        return None
