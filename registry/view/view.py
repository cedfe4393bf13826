"""This replica's copy in memory of catalogue and documents at one revision; every read is served from it."""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING, Final

from registry.settings import DEFAULT_RECENT_BYTES
from registry.store.interface import NO_AUDIT
from registry.view.recent import LogEntry, Recent
from registry.view.waiters import Scope, Waiters

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from registry.store.interface import OnceRecord, PeopleRecord, TokenRecord
    from registry.view.rows import Claim, DocumentKey, DocumentRow, InstanceKey, InstanceRow

InstanceMove = tuple["InstanceRow | None", "InstanceRow | None"]
"""An instance before and after a batch."""

FIRST_NAMESPACE: Final = "default"
EVERY_NAMESPACE: Final = "-"
# The kind of rows that only say when somebody was there: no news.
SEEN: Final = "seen"
# Idempotency keys held at once; beyond it the oldest are forgotten before their day is over.
MAX_ONCES: Final = 100_000
_MAX_GONE: Final = 10_000


class View:
    """Changed in one place only (`apply`, by the committer), between two steps of the loop: readers see no halves.

    services: instances by (namespace, service), then by id; no empty ones. documents: by kind, then (namespace, name).
    claims: who holds what only one document may (claims.py). document_changes: how often one was put or removed.
    tokens: by id, those that are over among them. people: by kind, then id. audit_head: the last row of the audit log.
    floor: the oldest revision the store's log holds. at: when the head was committed, by which one history is told from
    another; None: not known. recent_bytes: bound of `recent`.
    """

    def __init__(
        self,
        *,
        epoch: str,
        revision: int,
        floor: int,
        instance_number: int,
        at: float | None = None,
        recent_bytes: int = DEFAULT_RECENT_BYTES,
    ) -> None:
        self.epoch = epoch
        self.revision = revision
        self.at = at
        self.floor = floor
        self.instance_number = instance_number
        self.namespaces: set[str] = {FIRST_NAMESPACE}
        self.services: dict[tuple[str, str], dict[str, InstanceRow]] = {}
        self.documents: dict[str, dict[tuple[str, str], DocumentRow]] = {}
        self.claims: dict[Claim, set[DocumentKey]] = {}
        self.onces: dict[str, OnceRecord] = {}
        self.tokens: dict[str, TokenRecord] = {}
        self.people: dict[str, dict[str, PeopleRecord]] = {}
        self.audit_head = NO_AUDIT
        self.on_tokens: list[Callable[[], None]] = []
        self.on_people: list[Callable[[], None]] = []
        self._recent_bytes = recent_bytes
        self.recent = Recent(revision, recent_bytes)
        self.document_changes = 0
        self.waiters = Waiters()
        self.on_instances: list[Callable[[Sequence[InstanceMove]], None]] = []
        self.on_commit: list[Callable[[], None]] = []
        self._touched: dict[Scope, int] = {}
        # What a scope counts as when nothing is remembered of it: never older than what was forgotten.
        self._touched_floor = revision

    def instance(self, key: InstanceKey) -> InstanceRow | None:
        """key: namespace, service, id."""
        service = self.services.get(key[:2])
        return None if service is None else service.get(key[2])

    def document(self, key: DocumentKey) -> DocumentRow | None:
        """key: kind, namespace, name."""
        of_kind = self.documents.get(key[0])
        return None if of_kind is None else of_kind.get(key[1:])

    def service_keys(self, namespace: str) -> list[tuple[str, str]]:
        """(namespace, name) of every service, by document or by instance, in order; `-`: of every namespace."""
        keys = self.services.keys() | self.documents.get("Service", {}).keys()
        return sorted(key for key in keys if namespace in (EVERY_NAMESPACE, key[0]))

    def revision_of(self, namespace: str, service: str | None = None) -> int:
        """The last revision that touched a service or a namespace's catalogue: their ETag."""
        if namespace == EVERY_NAMESPACE:
            return self.revision
        scope = (namespace,) if service is None else (namespace, service)
        return self._touched.get(scope, self._touched_floor)

    def load(self, instances: Iterable[InstanceRow], documents: Iterable[DocumentRow]) -> None:
        """What the store held at the start, or when its history began anew.

        Every scope counts as touched at the head: what has gone from it left no row, and an older number may be a tag
        that a caller holds for what it was before.
        """
        for row in instances:
            self._put_instance(row.key, row)
        for document in documents:
            self._put_document(document.key, document)

    def apply(
        self,
        *,
        entries: Sequence[LogEntry],
        at: float,
        instances: dict[InstanceKey, InstanceRow | None],
        documents: dict[DocumentKey, DocumentRow | None],
        namespaces: Iterable[str],
        onces: Iterable[OnceRecord],
        instance_number: int,
    ) -> None:
        """Brings the view to the last of `entries`, which follow the head without a gap; then tells who waits.

        at: when the last of them was committed.
        """
        moves = [(self._put_instance(key, row), row) for key, row in instances.items()]
        for document_key, document in documents.items():
            self._put_document(document_key, document)
        self.namespaces.update(namespaces)
        self.instance_number = instance_number
        for once in onces:
            self.remember_once(once)
        if entries:
            self.revision = entries[-1].revision
            self.at = at
            self.recent.append(entries)
        self._tell(moves, self._touch(entries))

    def replace(
        self,
        *,
        epoch: str,
        revision: int,
        at: float | None,
        floor: int,
        instance_number: int,
        namespaces: Iterable[str],
        instances: Iterable[InstanceRow],
        documents: Iterable[DocumentRow],
    ) -> None:
        """Another history, or one that cannot be continued from here: all rows at once, and whoever reads the log is
        behind. The revision never goes back, so that no number shown before is shown again for something else."""
        assert revision >= self.revision
        before = {row.key: row for service in self.services.values() for row in service.values()}
        self.epoch, self.revision, self.at, self.floor = epoch, revision, at, floor
        self.instance_number = instance_number
        self.namespaces = {FIRST_NAMESPACE, *namespaces}
        self.services, self.documents, self.claims, self.onces = {}, {}, {}, {}
        self.load(instances, documents)
        self.recent = Recent(revision, self._recent_bytes)
        self._touched, self._touched_floor = {}, revision
        after = {row.key: row for service in self.services.values() for row in service.values()}
        self._tell([(before.get(key), after.get(key)) for key in before.keys() | after.keys()], self.waiters.scopes())

    def _tell(self, moves: Sequence[InstanceMove], scopes: Iterable[Scope]) -> None:
        if moves:
            for followed in self.on_instances:
                followed(moves)
        self.waiters.wake(scopes)
        for woken in self.on_commit:
            woken()

    def know_tokens(self, records: Iterable[TokenRecord]) -> None:
        """Tokens come, and are revoked for good: what an older look at the store tells takes neither back."""
        news = {}
        for record in records:
            known = self.tokens.get(record.id)
            if known is None or (record.revoked_at is not None and known.revoked_at is None):
                news[record.id] = record
        if news:
            self.tokens |= news
            for told in self.on_tokens:
                told()

    def forget_tokens(self, before: float, kept: str = "") -> None:
        """Those that were revoked, or over, at this time (seconds since 1970): nobody is let in by them either way.
        kept: the id of one that stays all the same."""
        over = [
            key
            for key, one in self.tokens.items()
            if key != kept
            and (
                (one.revoked_at is not None and one.revoked_at < before)
                or (one.expires_at is not None and one.expires_at < before)
            )
        ]
        for key in over:
            del self.tokens[key]

    def know_people(self, records: Iterable[PeopleRecord]) -> None:
        """Each row only grows younger: what an older look at the store tells takes nothing back."""
        is_news = False
        for record in records:
            of_kind = self.people.setdefault(record.kind, {})
            known = of_kind.get(record.id)
            if known is None or known.version < record.version:
                of_kind[record.id] = record
                is_news = is_news or record.kind != SEEN
        if is_news:
            for told in self.on_people:
                told()

    def people_keys(self) -> set[tuple[str, str]]:
        return {(kind, key) for kind, of_kind in self.people.items() for key in of_kind}

    def drop_callers(self, tokens: Iterable[str], people: Iterable[tuple[str, str]]) -> None:
        """Those that the store has forgotten, by id, and by kind and id."""
        gone = [self.tokens.pop(key, None) for key in tokens]
        gone_people = [self.people.get(kind, {}).pop(key, None) for kind, key in people]
        for told in (*(self.on_tokens if gone else ()), *(self.on_people if gone_people else ())):
            told()

    def forget_people(self, before: float) -> None:
        """Those that counted for nothing before this moment (seconds since 1970)."""
        for of_kind in self.people.values():
            for key in [key for key, one in of_kind.items() if one.until is not None and one.until < before]:
                del of_kind[key]

    def remember_once(self, record: OnceRecord) -> None:
        self.onces.pop(record.key, None)
        self.onces[record.key] = record
        if len(self.onces) > MAX_ONCES:
            del self.onces[next(iter(self.onces))]

    def forget_onces(self, before: float) -> None:
        """Keys stand in order of age."""
        for key, record in list(self.onces.items()):
            if record.at >= before:
                break
            del self.onces[key]

    def _put_instance(self, key: InstanceKey, row: InstanceRow | None) -> InstanceRow | None:
        """Returns the row before."""
        scope = (intern(key[0]), intern(key[1]))
        service = self.services.get(scope)
        if row is not None:
            if service is None:
                service = self.services[scope] = {}
            before = service.get(key[2])
            service[key[2]] = row
            return before
        if service is None:
            return None
        before = service.pop(key[2], None)
        if not service:
            del self.services[scope]
        return before

    def _put_document(self, key: DocumentKey, row: DocumentRow | None) -> None:
        self.document_changes += 1
        of_kind = self.documents.setdefault(key[0], {})
        before = of_kind.pop(key[1:], None)
        if before is not None:
            for claim in before.claims:
                holders = self.claims[claim]
                holders.discard(key)
                if not holders:
                    del self.claims[claim]
        if row is not None:
            of_kind[key[1:]] = row
            for claim in row.claims:
                self.claims.setdefault(claim, set()).add(key)

    def _touch(self, entries: Sequence[LogEntry]) -> set[Scope]:
        """Notes and returns the scopes the entries touch: of documents only Services belong to the catalogue."""
        scopes: set[Scope] = {()} if entries else set()
        for entry in entries:
            for change in entry.changes:
                if change.kind == "Instance":
                    service = change.name.partition("/")[0]
                elif change.kind == "Service":
                    service = change.name
                else:
                    continue
                for scope in ((change.namespace, service), (change.namespace,)):
                    self._touched[scope] = entry.revision
                    scopes.add(scope)
        if len(self._touched) > len(self.services) * 2 + _MAX_GONE:
            self._forget_gone()
        return scopes

    def _forget_gone(self) -> None:
        """Names that came and went must not fill the memory: their revisions melt into one."""
        gone = [scope for scope in self._touched if len(scope) == 2 and scope not in self.services]
        for scope in gone:
            self._touched_floor = max(self._touched_floor, self._touched.pop(scope))
