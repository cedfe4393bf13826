"""Certificates beside what they are of: whether these may serve, are good for their hosts, and for how long.

Those of files are read by gateways alone, and judged there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from meshway.certificates import CertificateFault, Pair, covers, read_pair, urgency
from meshway.model.certificate import Certificate, Expiry
from meshway.model.secret import Secret
from meshway.sealing import SealBroken
from registry.documents.issued import issued_pair
from registry.documents.referred import referred_secret
from registry.documents.sealed import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from meshway.sealing import Sealing
    from registry.revisions.draft import Draft
    from registry.view.rows import DocumentKey, DocumentRow

_KINDS = {"ec256": "ec", "ec384": "ec", "rsa2048": "rsa"}


class Certified(NamedTuple):
    """row: of a Certificate. pair: what its Secret holds now; None: fault says why it may not serve."""

    row: DocumentRow
    spec: Certificate
    pair: Pair | None
    fault: str = ""

    def errors(self) -> Iterator[tuple[str, str, str]]:
        """Path, code and reason."""
        if self.pair is None:
            yield "spec.secret", "bad_pem", self.fault
            return
        for at, host in enumerate(self.spec.hosts):
            if not covers(self.pair.hosts, host):
                named = ", ".join(self.pair.hosts) or "none"
                reason = f"the names of the certificate do not cover {host}: they are {named}"
                yield f"spec.hosts[{at}]", "not_covered", reason

    def cautions(self, wall_s: float) -> Iterator[tuple[str, str, str]]:
        """As `errors`. wall_s: now, seconds since 1970."""
        pair = self.pair
        if pair is None:
            return
        asked = self.spec.expiry or Expiry()
        if urgency(pair.not_before, pair.not_after, wall_s, asked.warn, asked.critical):
            days = (pair.not_after - wall_s) / 86_400.0
            yield "spec.secret", "expires_soon", f"the certificate is over in {days:.1f} days"
        if pair.is_reordered:
            reason = "its chain is not in order, from the leaf upwards: gateways show it in order"
            yield "spec.secret", "chain_reordered", reason


def certified(changed: Iterable[DocumentRow], draft: Draft, sealing: Sealing | None) -> list[Certified]:
    """The Certificates of Secrets that changed, or whose Secret did, as far as these can be read here."""
    if sealing is None:
        return []
    rows = {row.key: row for row in changed if isinstance(row.spec, Certificate | Secret)}
    found = {key: row for key, row in rows.items() if isinstance(row.spec, Certificate)}
    if len(found) < len(rows):
        found |= {row.key: row for row in draft.all_documents() if isinstance(row.spec, Certificate)}
    judged = []
    for key, row in sorted(found.items()):
        secret = _secret_of(row, draft.document)
        if secret is None or (key not in rows and secret.key not in rows) or not isinstance(row.spec, Certificate):
            continue
        try:
            pair = _pair_of(secret, sealing, draft.at)
        except CertificateFault as fault:
            judged.append(Certified(row, row.spec, None, str(fault)))
        else:
            if pair is not None:
                judged.append(Certified(row, row.spec, pair))
    return judged


def rival_certificates(
    changed: Iterable[DocumentRow], judged: Iterable[Certified], draft: Draft, sealing: Sealing | None
) -> Iterator[tuple[DocumentRow, str]]:
    """Certificates that changed, or whose Secret did, and another one that would be shown for the same host at the same
    listener with the same kind of key: a caller could be shown either. Each with the reason."""
    mine = {row.key: row for row in changed if isinstance(row.spec, Certificate)} | {
        one.row.key: one.row for one in judged
    }
    if not mine:
        return
    shown: dict[tuple[str, str, str], DocumentKey] = {}
    rows = sorted((row for row in draft.all_documents() if isinstance(row.spec, Certificate)), key=lambda row: row.key)
    for row in (*(row for row in rows if row.key not in mine), *mine.values()):
        for place in _places(row, draft, sealing):
            other = shown.setdefault(place, row.key)
            if other != row.key:
                listener, host, kind = place
                yield (
                    row,
                    f"Certificate {other[1]}/{other[2]} is shown for {host} at {listener} with an {kind} key, too",
                )
                break


def _places(row: DocumentRow, draft: Draft, sealing: Sealing | None) -> list[tuple[str, str, str]]:
    """Listener, host and kind of key, as far as that can be told here."""
    spec, secret = row.spec, _secret_of(row, draft.document)
    assert isinstance(spec, Certificate)
    if spec.mesh_ca is not None:
        kind, hosts = _KINDS[spec.mesh_ca.key], spec.hosts
    elif secret is not None and sealing is not None:
        try:
            pair = _pair_of(secret, sealing, draft.at)
        except CertificateFault:
            return []
        if pair is None:
            return []
        kind, hosts = pair.algorithm, spec.hosts or pair.hosts
    else:
        return []
    return [(listener, host, kind) for listener in spec.listeners for host in hosts]


def known_pair(
    row: DocumentRow, find: Callable[[DocumentKey], DocumentRow | None], sealing: Sealing, wall_s: float
) -> Pair | None:
    """What a Certificate shows now, where that is known here and may serve. find: a document by its key."""
    assert isinstance(row.spec, Certificate)
    try:
        if row.spec.mesh_ca is not None:
            issued = issued_pair(row, sealing)
            return (
                None if issued is None else read_pair(issued.certificate.encode(), issued.private_key.encode(), wall_s)
            )
        secret = _secret_of(row, find)
        return None if secret is None else _pair_of(secret, sealing, wall_s)
    except CertificateFault:
        return None


def _secret_of(row: DocumentRow, find: Callable[[DocumentKey], DocumentRow | None]) -> DocumentRow | None:
    reference = next((each for each in row.references if each.to == "secret"), None)
    return None if reference is None else referred_secret(reference, find)


def _pair_of(secret: DocumentRow, sealing: Sealing, wall_s: float) -> Pair | None:
    """None: it cannot be read here; whoever serves it says why. Raises CertificateFault."""
    if not isinstance(secret.spec, Secret) or secret.spec.type != "tls":
        return None
    try:
        data = opened(secret, sealing)[0].data
    except SealBroken:
        return None
    return read_pair(str(data["certificate"]).encode(), str(data["private_key"]).encode(), wall_s)
