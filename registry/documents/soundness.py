"""Whether what a write leaves is sound: its references, those to it, its claims, certificates and hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meshway.problem import FieldError, Problem, invalid_document
from registry.documents.cautions import Caution
from registry.documents.certified import Certified, rival_certificates
from registry.documents.claims import claim_text, rivals
from registry.documents.dangling import Hints, dangling, fault_of
from registry.documents.host_owners import misplaced_hosts
from registry.documents.mixed import mixed
from registry.documents.referred import targets_of
from registry.documents.rollouts import faults
from registry.documents.touched import Before
from registry.view.rows import DocumentKey, DocumentRow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from meshway.sealing import Sealing
    from registry.revisions.draft import Draft


_MAX_NAMED: Final = 10
_REFERRED_TO: Final = frozenset({"Service", "Route", "IpList", "Secret", "Listener", "DescriptorSet"})


def check(draft: Draft, touched: Before, rollout: DocumentKey | None) -> None:
    """Every reference of what changed, every reference to what changed, every claim: all errors at once."""
    changed = list(touched.changed(draft))
    hints = Hints(draft)
    errors = [error for row in changed for error in _own_errors(row, draft, hints)]
    errors += [error_of(*fault) for fault in faults(draft, touched.rows, rollout)]
    if errors:
        what = changed[0].document.kind if len(changed) == 1 else "documents"
        raise invalid_document(f"Invalid {what}", tuple(errors))
    _refuse_orphans(draft, touched, {row.key for row in changed}, hints)


def refuse_unfit(
    changed: Sequence[DocumentRow], judged: Sequence[Certified], draft: Draft, sealing: Sealing | None
) -> None:
    errors = [error_of(each.row, *error) for each in judged for error in each.errors()]
    shown = {row.key: row for row in (*changed, *(each.row for each in judged))}
    errors += [error_of(*found) for found in misplaced_hosts(shown.values(), draft, sealing)]
    rivals_found = rival_certificates(changed, judged, draft, sealing)
    errors += [error_of(row, "spec.hosts", "conflict", reason) for row, reason in rivals_found]
    if errors:
        of = {error.document for error in errors}
        what = str(errors[0].document).partition(" ")[0] if len(of) == 1 else "documents"
        raise invalid_document(f"Invalid {what}", tuple(errors))


def of_certificates(judged: Sequence[Certified], wall_s: float) -> Iterator[Caution]:
    """wall_s: now, seconds since 1970."""
    for each in judged:
        for path, code, reason in each.cautions(wall_s):
            yield Caution(document=each.row.document.name, path=path, code=code, message=f"{path}: {reason}")


def _own_errors(row: DocumentRow, draft: Draft, hints: Hints) -> Iterator[FieldError]:
    for reference in row.references:
        if reason := dangling(reference, draft, hints):
            yield error_of(row, reference.path, fault_of(reference, draft), reason)
    for path, reason in mixed(row, draft):
        yield error_of(row, path, "forbidden_combination", reason)
    named: set[DocumentKey] = set()
    for rival in (rival for claim in sorted(row.claims) for rival in rivals(claim)):
        # One that stands in the way is told; of a host's thousand Routes not each.
        other = next((key for key in draft.holders(rival) if key != row.key), None)
        if other is not None and other not in named:
            named.add(other)
            yield error_of(row, "spec", "conflict", "{} {}/{} has {}".format(*other, claim_text(rival)))


def _refuse_orphans(draft: Draft, touched: Before, judged: Collection[DocumentKey], hints: Hints) -> None:
    """What was sound before must not lead nowhere after: a subset taken away, a Route deleted. judged: documents whose
    own references were looked at; one that was written unchanged is none of them.
    """
    keys = {
        key
        for key, row in touched.rows.items()
        if key[0] in _REFERRED_TO and row is not None and draft.document(key) is not row
    }
    if not keys:
        return
    orphans = [
        error_of(row, reference.path, fault_of(reference, draft), reason)
        for row in draft.all_documents()
        if row.references and row.key not in judged
        for reference in row.references
        # Ports may come from instances, which come and go on their own.
        if reference.to != "port"
        and not keys.isdisjoint(targets_of(reference))
        and (reason := dangling(reference, draft, hints))
    ]
    orphans += [
        error_of(row, path, "forbidden_combination", reason)
        for row in draft.all_documents()
        if row.key[0] == "Route" and row.key not in judged
        if any(not keys.isdisjoint(targets_of(reference)) for reference in row.references)
        for path, reason in mixed(row, draft)
    ]
    if orphans:
        raise Problem(
            409,
            "in_use",
            "Still referred to",
            detail=f"{orphans[0].document} would not hold any more: {orphans[0].message}",
            errors=tuple(orphans[:_MAX_NAMED]),
            mend="change these documents in the same apply",
        )


def error_of(row: DocumentRow, path: str, code: str, reason: str) -> FieldError:
    return FieldError(document=row.document.name, path=path, code=code, message=f"{path}: {reason}")
