"""The writes of documents: put, delete, apply, judged with what they refer to and what they may collide with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from meshway.model.certificate import Certificate
from meshway.model.document import Document, Spec
from meshway.model.secret import Secret
from meshway.problem import not_found
from registry.documents.approvals import NONE, WAIVED, Agreement, approvals_of, refuse_unapproved
from registry.documents.cautions import Caution, bereft_services, cautions
from registry.documents.certified import certified
from registry.documents.claims import claims
from registry.documents.differences import document_changes
from registry.documents.document_key import Guard, Key, key_of
from registry.documents.outcomes import Applied, Result, Stored
from registry.documents.preconditions import refuse_doubles, refuse_moved, refuse_stale, stale
from registry.documents.references import references
from registry.documents.rollouts import gone_back
from registry.documents.sealed import settled
from registry.documents.soundness import check, of_certificates, refuse_unfit
from registry.documents.touched import Before
from registry.revisions.draft import Apart
from registry.view.rows import DocumentKey, DocumentRow, document_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshway.sealing import Sealing
    from registry.revisions.draft import Draft

# What a row costs in memory and log beyond its spec, about.
_ROW_BYTES: Final = 2048


class Written(msgspec.Struct, frozen=True):
    """A document that passed the decoder."""

    document: Document
    spec: Spec


class Apply(msgspec.Struct, Apart, frozen=True):
    """Some documents put and some deleted, all or nothing. Raises Problem 409, 412 or 422 with every error.

    sealing: what Secrets among them are sealed by. agreement: who agreed to it, where others must. rollout: the Rollout
    that writes, whose own the weights of its rule are.
    """

    documents: Sequence[Written]
    delete: Sequence[Key]
    by: str
    guards: Sequence[Guard] = ()
    sealing: Sealing | None = None
    agreement: Agreement = NONE
    rollout: DocumentKey | None = None

    @property
    def size(self) -> int:
        return _ROW_BYTES * (len(self.documents) + len(self.delete))

    def judge(self, draft: Draft) -> Applied:
        refuse_moved(draft, self.guards)
        before = Before(draft)
        named = (key_of(written.document) for written in self.documents)
        refuse_doubles([*named, *map(Key.astuple, self.delete)])
        results = [_put(draft, written, self.by, before, self.sealing) for written in self.documents]
        results += [_delete(draft, key, self.by, before) for key in self.delete]
        if self.rollout is None:  # it was agreed to with the Rollout
            refuse_unapproved(before.moved(draft), before, self.agreement)
        back = list(gone_back(draft, before.rows, self.by))
        results += [_put(draft, Written(*route), self.by, before, self.sealing) for route in back]
        check(draft, before, self.rollout)
        changed = [*before.changed(draft)]
        judged = certified(changed, draft, self.sealing)
        refuse_unfit(changed, judged, draft, self.sealing)
        warnings = [*cautions(changed, draft), *of_certificates(judged, draft.at)]
        warnings += [*bereft_services(map(Key.astuple, self.delete), draft)]
        revision = draft.revision if draft.has_changes else draft.revision - 1
        return Applied(revision=revision, documents=results, warnings=warnings)


class Rehearsal(msgspec.Struct, Apart, frozen=True):
    """A dry run of an apply, in its turn among the writes: nothing moves while it is judged. It changes nothing."""

    write: Apply

    @property
    def size(self) -> int:
        return self.write.size

    def judge(self, draft: Draft) -> Applied:
        """Whether others must agree is told, and stands in the way of publishing alone."""
        applied = draft.rehearse(msgspec.structs.replace(self.write, agreement=WAIVED))
        moved = [(one.kind, one.namespace, one.name) for one in applied.documents if one.result != "unchanged"]
        warnings = applied.warnings
        if needed := approvals_of(moved, draft):
            named = "{} {}/{}".format(*next(key for key in moved if approvals_of([key], draft) == needed))
            message = f"{needed} must approve besides the author before it is published"
            warnings = [*warnings, Caution(document=named, path="", code="needs_approval", message=message)]
        return msgspec.structs.replace(applied, revision=draft.view.revision, warnings=warnings)


class Put(msgspec.Struct, frozen=True):
    """One document. if_match: the revision it must have; create_only: it must not be there. Raises 409, 412, 422."""

    written: Written
    by: str
    if_match: int | None = None
    create_only: bool = False
    sealing: Sealing | None = None
    agreement: Agreement = NONE

    @property
    def size(self) -> int:
        return _ROW_BYTES

    def judge(self, draft: Draft) -> Stored:
        key = key_of(self.written.document)
        row = draft.document(key)
        refuse_stale(row, key, self.if_match)
        if self.create_only and row is not None:
            raise stale(row, key, "exists already")
        applied = Apply([self.written], [], self.by, sealing=self.sealing, agreement=self.agreement).judge(draft)
        row = draft.document(key)
        result = applied.documents[0].result
        assert row is not None
        assert result != "deleted"
        return Stored(document=row.answer(), result=result, revision=row.revision, warnings=applied.warnings)


class Delete(msgspec.Struct, frozen=True):
    """One document. Raises Problem 404, 409, 412; answers the revision."""

    key: Key
    by: str
    if_match: int | None = None
    agreement: Agreement = NONE

    @property
    def size(self) -> int:
        return _ROW_BYTES

    def judge(self, draft: Draft) -> int:
        key = self.key.astuple()
        row = draft.document(key)
        refuse_stale(row, key, self.if_match)
        if row is None:
            raise not_found("{} {}/{}".format(*key))
        return Apply([], [self.key], self.by, agreement=self.agreement).judge(draft).revision


def _put(draft: Draft, written: Written, by: str, touched: Before, sealing: Sealing | None) -> Result:
    document, spec, sealed = written.document, written.spec, b""
    key = kind, namespace, name = key_of(document)
    before = touched.remember(key)
    if isinstance(spec, Secret):
        document, spec, sealed = settled(document, spec, before, sealing, draft.at)
    elif isinstance(spec, Certificate) and spec.mesh_ca is not None and before is not None:
        sealed = before.sealed  # serves until it is issued anew for what is written
    changes = document_changes(None if before is None else before.document, document)
    if before is not None and not changes:
        return Result(kind=kind, namespace=namespace, name=name, result="unchanged")
    created_at = draft.at if before is None else before.created_at
    draft.put_document(
        DocumentRow(
            document=document,
            spec=spec,
            revision=draft.revision,
            created_at=created_at,
            updated_at=draft.at,
            updated_by=by,
            value=document_value(document, created_at),
            references=references(spec, namespace),
            claims=claims(spec, namespace, name),
            sealed=sealed,
        )
    )
    if before is None:
        return Result(kind=kind, namespace=namespace, name=name, result="created")
    return Result(kind=kind, namespace=namespace, name=name, result="changed", changes=changes)


def _delete(draft: Draft, key: Key, by: str, touched: Before) -> Result:
    """Gone already is as good as deleted: an apply may be repeated. A Service's instances stay: they made it no less
    than its document, and a document is what can be taken back."""
    before = touched.remember(key.astuple())
    if before is None:
        return Result(kind=key.kind, namespace=key.namespace, name=key.name, result="unchanged")
    draft.remove_document(before, by=by)
    return Result(kind=key.kind, namespace=key.namespace, name=key.name, result="deleted")
