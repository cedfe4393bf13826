"""A batch of writes while it is judged: the view, and over it what the writes before have changed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar

import msgspec

from meshway.problem import Problem
from meshway.snapshot import INSTANCE, Change
from registry.revisions.acts import Acts, DocumentAct, actor_of, no_differences
from registry.store.interface import (
    AuditHeadRecord,
    AuditRecord,
    Batch,
    ChangeRecord,
    HistoryRecord,
    OnceRecord,
    PeopleRecord,
    TokenRecord,
)
from registry.view.recent import LogEntry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshway.model.document import Document
    from registry.revisions.acts import Asking, Differences
    from registry.view.rows import Claim, DocumentKey, DocumentRow, InstanceKey, InstanceRow
    from registry.view.view import View

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)
_MISSING: Any = object()
_TOKEN_BYTES: Final = 8
_TOKEN_DIGITS: Final = 2 * _TOKEN_BYTES
# Tokens drawn at once. The kernel makes so many for what it takes for one.
_TOKENS: Final = 8


class Write(Protocol[_T_co]):
    """One change somebody asked for. size: bytes, about."""

    @property
    def size(self) -> int: ...

    def judge(self, draft: Draft) -> _T_co:
        """Changes the draft and gives the answer, or raises Problem: then nothing of it stays.

        It may run more than once (a batch that failed is judged again), and not every run is committed.
        """


class Apart:
    """A write whose judging touches nothing but the draft: it may be judged in another thread.

    Those that read or move leases are none of these: a heartbeat that is answered meanwhile must not be overtaken.
    """

    __slots__ = ()


class OfPeople:
    """A write about who may sign in (tokens, people). These take no revision, so that the head does not tell whether
    another registry wrote some meanwhile: they are read again before such a write is judged. Each is audited, by which
    two that are written at the same time meet."""

    __slots__ = ()


class Draft:
    """Revisions are given out here: one for each write that changed something, in the order they are judged."""

    def __init__(
        self,
        view: View,
        *,
        at: float,
        onces: Sequence[OnceRecord] = (),
        differences: Differences = no_differences,
    ) -> None:
        """differences: of two states of a document, for the audit log. onces: what the store knows of the keys of these
        writes, where the view does not hold them all."""
        self.view = view
        self.at = at
        self.instances: dict[InstanceKey, InstanceRow | None] = {}
        self.documents: dict[DocumentKey, DocumentRow | None] = {}
        self.claims: dict[Claim, _Claimant] = {}
        self.history: list[HistoryRecord] = []
        self.onces: dict[str, OnceRecord] = {}
        self.tokens: dict[str, TokenRecord] = {}
        self.people: dict[tuple[str, str], PeopleRecord] = {}
        self.acts = Acts(differences)
        self._audited: list[AuditRecord] = []
        self.known_onces = {record.key: record for record in onces}
        self.namespaces: set[str] = set()
        self.entries: list[LogEntry] = []
        self.instance_number = view.instance_number
        self._revision = view.revision
        self._tokens = ""
        self._changes: list[Change] = []
        self._log: list[ChangeRecord] = []
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []

    @property
    def revision(self) -> int:
        """The one the write that is judged now takes, should it change anything."""
        return self._revision + 1

    @property
    def has_changes(self) -> bool:
        return bool(self._changes)

    def judge(self, write: Write[_T], asking: Asking | None = None) -> _T:
        """Raises what the write raises, with the draft as it was before. asking: who asked for it, if anybody."""
        self._changes, self._undo = [], []
        counted, logged = len(self.history), len(self._log)
        try:
            answer = write.judge(self)
        except BaseException:
            for table, key, before in reversed(self._undo):
                if before is _MISSING:
                    del table[key]
                else:
                    table[key] = before
            del self.history[counted:]
            del self._log[logged:]
            raise
        if asking is not None and self._undo:
            if len(self.history) > counted or self.tokens:
                self._note_act(asking)
            elif self._changes:
                self.acts.moved_instances(asking.who, asking.peer, self.revision, self._changes)
        if self._changes:
            self._revision += 1
            self.entries.append(LogEntry(self._revision, tuple(self._changes)))
            self.namespaces.update(
                change.namespace for change in self._changes if change.namespace not in self.view.namespaces
            )
        return answer

    def rehearse(self, write: Write[_T]) -> _T:
        """What the write would answer if it came alone, now. Raises what it raises; nothing is kept of it."""
        return Draft(self.view, at=self.at).judge(write)

    def next_number(self) -> int:
        """Of a new instance; one that a refused write took is lost, which harms nobody."""
        self.instance_number += 1
        return self.instance_number

    def next_token(self) -> str:
        """Of a new lease: 64 bits that nobody can guess, as hex."""
        if not self._tokens:
            self._tokens = os.urandom(_TOKENS * _TOKEN_BYTES).hex()
        token, self._tokens = self._tokens[:_TOKEN_DIGITS], self._tokens[_TOKEN_DIGITS:]
        return token

    def instance(self, key: InstanceKey) -> InstanceRow | None:
        row = self.instances.get(key, _MISSING)
        return self.view.instance(key) if row is _MISSING else row

    def instances_of(self, namespace: str, service: str) -> Iterator[InstanceRow]:
        scope = (namespace, service)
        for key, row in self.instances.items():
            if row is not None and key[:2] == scope:
                yield row
        for row in self.view.services.get(scope, {}).values():
            if row.key not in self.instances:
                yield row

    def document(self, key: DocumentKey) -> DocumentRow | None:
        row = self.documents.get(key, _MISSING)
        return self.view.document(key) if row is _MISSING else row

    def all_documents(self) -> Iterator[DocumentRow]:
        for row in self.documents.values():
            if row is not None:
                yield row
        for kind, of_kind in self.view.documents.items():
            for (namespace, name), row in of_kind.items():
                if (kind, namespace, name) not in self.documents:
                    yield row

    def holders(self, claim: Claim) -> Iterator[DocumentKey]:
        """The documents that claim it."""
        claimant, seen = self.claims.get(claim), set()
        while claimant is not None:
            key, claimant = claimant
            row = self.documents[key]
            if key not in seen and row is not None and claim in row.claims:
                seen.add(key)
                yield key
        for key in self.view.claims.get(claim, ()):
            if key not in self.documents:
                yield key

    def put_instance(self, row: InstanceRow) -> None:
        since = self._critical_since(row) if row.instance.status == "critical" else 0
        if since != row.critical_since:
            row = msgspec.structs.replace(row, critical_since=since)
        self._set(self.instances, row.key, row)
        self._note(row.change(), row.value, row.kept())

    def remove_instance(self, row: InstanceRow) -> None:
        self._set(self.instances, row.key, None)
        namespace, service, instance_id = row.key
        self._note(Change("delete", INSTANCE, namespace, f"{service}/{instance_id}"))

    def put_document(self, row: DocumentRow) -> None:
        self._set(self.documents, row.key, row)
        for claim in row.claims:
            self._set(self.claims, claim, _Claimant(row.key, self.claims.get(claim)))
        self._note(row.change(), row.value, row.kept())
        self.history.append(HistoryRecord(self.revision, *row.key, self.at, row.updated_by, row.value))

    def remove_document(self, row: DocumentRow, *, by: str) -> None:
        self._set(self.documents, row.key, None)
        self._note(Change("delete", *row.key))
        self.history.append(HistoryRecord(self.revision, *row.key, self.at, by, None))

    def once(self, key: str) -> OnceRecord | None:
        return self.onces.get(key) or self.known_onces.get(key) or self.view.onces.get(key)

    def remember(self, record: OnceRecord) -> None:
        self._set(self.onces, record.key, record)

    def all_tokens(self) -> dict[str, TokenRecord]:
        """By id."""
        return self.view.tokens | self.tokens

    def put_token(self, record: TokenRecord) -> None:
        """It takes no revision: nobody follows tokens by the log."""
        self._set(self.tokens, record.id, record)

    def person(self, kind: str, key: str) -> PeopleRecord | None:
        """The row as it stands, also one that is gone."""
        return self.people.get((kind, key)) or self.view.people.get(kind, {}).get(key)

    def people_of(self, kind: str) -> dict[str, PeopleRecord]:
        """By id, those that are gone among them."""
        return self.view.people.get(kind, {}) | {one.id: one for one in self.people.values() if one.kind == kind}

    def put_person(
        self, kind: str, key: str, value: bytes | None, until: float | None = None, *, version: int = 0
    ) -> None:
        """It takes no revision, as tokens. value None: it is gone. version 0: the next one."""
        before = self.person(kind, key)
        following = 1 if before is None else before.version + 1
        self._set(self.people, (kind, key), PeopleRecord(kind, key, version or following, until, value))

    def is_empty(self) -> bool:
        return not (self.entries or self.onces or self.tokens or self.people or self.acts)

    def batch(self) -> Batch:
        """What the store writes."""
        head = self.view.audit_head
        self._audited = self.acts.records(head.seq, head.hash, self.at)
        return Batch(
            epoch=self.view.epoch,
            base=self.view.revision,
            head=self._revision,
            instance_number=self.instance_number,
            at=self.at,
            namespaces=sorted(self.namespaces),
            instances=[row.record() for row in self.instances.values() if row is not None],
            gone_instances=[key for key, row in self.instances.items() if row is None],
            documents=[row.record() for row in self.documents.values() if row is not None],
            gone_documents=[key for key, row in self.documents.items() if row is None],
            history=self.history,
            changes=self._log,
            onces=list(self.onces.values()),
            tokens=list(self.tokens.values()),
            people=list(self.people.values()),
            audit=self._audited,
            audit_head=[AuditHeadRecord(1, one.seq, one.hash) for one in self._audited[-1:]],
        )

    def apply(self) -> None:
        """Into the view, after the store has it."""
        self.view.apply(
            entries=self.entries,
            at=self.at,
            instances=self.instances,
            documents=self.documents,
            namespaces=self.namespaces,
            onces=self.onces.values(),
            instance_number=self.instance_number,
        )
        self.view.know_tokens(self.tokens.values())
        self.view.know_people(self.people.values())
        if self._audited:
            self.view.audit_head = AuditHeadRecord(1, self._audited[-1].seq, self._audited[-1].hash)

    def _note_act(self, asking: Asking) -> None:
        """What this write has changed, before it is one with the others."""
        before: dict[tuple[str, str, str], DocumentRow | None] = {}
        tokens: list[dict[str, object]] = []
        for table, key, row in self._undo:
            if table is self.documents and key not in before:
                before[key] = self.view.document(key) if row is _MISSING else row
            elif table is self.tokens:
                record = self.tokens[key]
                outcome = "create" if record.revoked_at is None else "revoke"
                tokens.append({"op": outcome, "token": record.name, "id": record.id})
        if before or tokens:
            documents = [
                DocumentAct(key, _document_of(row), _document_of(self.documents[key])) for key, row in before.items()
            ]
            self.acts.wrote(actor_of(asking), self.revision if self._changes else 0, documents, tokens)
        elif self._changes:
            self.acts.moved_instances(asking.who, asking.peer, self.revision, self._changes)

    def _critical_since(self, row: InstanceRow) -> int:
        """Of one that is critical: what is changed on it meanwhile begins nothing anew, another generation does."""
        before = self.instance(row.key)
        goes_on = before is not None and before.critical_since and before.lease_id == row.lease_id
        return before.critical_since if before is not None and goes_on else row.revision

    def _note(self, change: Change, value: bytes | None = None, kept: bytes | None = None) -> None:
        place = (self.revision, len(self._changes))
        self._log.append(ChangeRecord(*place, self.at, change.kind, change.namespace, change.name, value, kept))
        self._changes.append(change)

    def _set(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        self._undo.append((table, key, table.get(key, _MISSING)))
        table[key] = value


def _document_of(row: DocumentRow | None) -> Document | None:
    return None if row is None else row.document


class _Claimant(NamedTuple):
    """A document of this draft, and those that claimed the same before: a list that grows and is undone by its head."""

    key: DocumentKey
    before: _Claimant | None


class Once(msgspec.Struct, frozen=True):
    """An Idempotency-Key. key: caller, method, path and the key joined; fingerprint: digest of the body."""

    key: str
    fingerprint: bytes


class Repeatable(msgspec.Struct, frozen=True):
    """A write that is done once, however often its key comes; the answer is kept with it in one transaction.

    Only what was done is kept: a refused call is judged anew when it is repeated.
    """

    write: Write[Any]
    once: Once
    answer: Any

    @property
    def size(self) -> int:
        return self.write.size

    def judge(self, draft: Draft) -> Any:
        before = draft.once(self.once.key)
        if before is None:
            answer = self.write.judge(draft)
            encoded = msgspec.msgpack.encode(answer)
            draft.remember(OnceRecord(self.once.key, self.once.fingerprint, draft.at, encoded))
            return answer
        if before.fingerprint != self.once.fingerprint:
            raise Problem(
                422,
                "idempotency_key_reused",
                "Idempotency-Key used before",
                detail="this Idempotency-Key came with another body before",
                mend="make a new key for a new call",
            )
        return msgspec.msgpack.decode(before.answer, type=self.answer)
