"""What the registry's thoughts ask of a durable store; `sqlite.py` answers it, PostgreSQL will.

A batch is judged in memory, on a view that is at the store's head; the store only checks that it still is (`base`) and
writes. That keeps every rule in one place for all stores.
"""

from typing import Literal, Protocol

import msgspec

Wanted = Literal["passing", "draining", "maintenance"]


class InstanceRecord(msgspec.Struct, frozen=True, gc=False):
    """A row of `instances`."""

    namespace: str
    service: str
    id: str
    number: int
    token: str
    ttl_s: int
    wanted: Wanted
    revision: int
    value: bytes


class DocumentRecord(msgspec.Struct, frozen=True, gc=False):
    """A row of `documents`."""

    kind: str
    namespace: str
    name: str
    revision: int
    created_at: float
    updated_at: float
    updated_by: str
    value: bytes


class HistoryRecord(msgspec.Struct, frozen=True, gc=False):
    """A row of `document_history`."""

    revision: int
    kind: str
    namespace: str
    name: str
    at: float
    by: str
    value: bytes | None


class ChangeRecord(msgspec.Struct, frozen=True, gc=False):
    """A row of `changes`."""

    revision: int
    position: int
    at: float
    kind: str
    namespace: str
    name: str
    value: bytes | None


class OnceRecord(msgspec.Struct, frozen=True, gc=False):
    """A row of `idempotency_keys`."""

    key: str
    fingerprint: bytes
    at: float
    answer: bytes


class Batch(msgspec.Struct, kw_only=True):
    """One transaction. base: the head it was judged on; head: the one it makes. Deletes are keys."""

    base: int
    head: int
    instance_number: int
    at: float
    namespaces: list[str] = []
    instances: list[InstanceRecord] = []
    gone_instances: list[tuple[str, str, str]] = []
    documents: list[DocumentRecord] = []
    gone_documents: list[tuple[str, str, str]] = []
    history: list[HistoryRecord] = []
    changes: list[ChangeRecord] = []
    onces: list[OnceRecord] = []


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a view begins with. floor: the first revision the change log still holds (head + 1: none)."""

    epoch: str
    revision: int
    floor: int
    instance_number: int
    namespaces: list[str]
    instances: list[InstanceRecord]
    documents: list[DocumentRecord]
    onces: list[OnceRecord]


class StoreUnavailable(Exception):
    """The database does not answer or refuses to write (disk full); nothing of the batch is kept."""


class HeadMoved(Exception):
    """Another registry committed in between: the batch must be judged again on the new head."""


class Store(Protocol):
    """Every method may raise StoreUnavailable."""

    async def load(self) -> Loaded: ...

    async def commit(self, batch: Batch) -> None:
        """Durable when it returns. Raises HeadMoved when the head is not `batch.base`."""

    async def changes(self, first: int, limit: int) -> list[ChangeRecord]:
        """Whole revisions from `first` on, in order, about `limit` rows and at least one revision."""

    async def compact(self, first: int, before: int) -> None:
        """Forgets the log's revisions from `first` up to, not including, `before`."""

    async def revision_at(self, at: float) -> int | None:
        """The first revision in the log that is not older than `at` (seconds since 1970)."""

    async def forget_onces(self, before: float) -> None: ...

    async def history(self, before: int, limit: int) -> list[HistoryRecord]:
        """Whole revisions older than `before`, newest first, at most `limit` revisions."""

    async def history_of(self, revision: int) -> list[HistoryRecord]: ...

    async def history_of_document(self, key: tuple[str, str, str], before: int, limit: int) -> list[HistoryRecord]:
        """key: kind, namespace, name. Its states of revisions older than `before`, newest first."""

    async def documents_at(self, revision: int) -> list[HistoryRecord]:
        """The documents as they stood at a revision, deleted ones left out."""

    def missing(self) -> str | None:
        """Why it cannot write now, for readiness; None: it can."""

    async def close(self) -> None: ...
