"""What the registry's thoughts ask of a durable store; `sqlite.py` and `postgres/` answer it.

A batch is judged in memory, on a view that is at the store's head; the store only checks that it still is (`epoch`,
`base`) and writes. That keeps every rule in one place for all stores.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, Literal, Protocol

import msgspec

from meshway.audit import FIRST
from registry.store.authorities import AuthorityRecord, TrustRecord
from registry.store.certificates import CertificateRecord
from registry.store.steps import Row, Step

Wanted = Literal["passing", "draining", "maintenance"]

# What `try_write` writes at least: more than a last page that is half empty takes.
TRIED_BYTES: Final = 64 << 10


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
    critical_since: int = 0


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
    sealed: bytes | None = None


class DataKeyRecord(msgspec.Struct, frozen=True, gc=False):
    """A row of `data_keys`."""

    name: str
    wrapped: bytes


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
    """A row of `changes`. kept: what the row holds beside its value; None for a tombstone, or written by 0001."""

    revision: int
    position: int
    at: float
    kind: str
    namespace: str
    name: str
    value: bytes | None
    kept: bytes | None = None


class OnceRecord(msgspec.Struct, frozen=True, gc=False):
    """A row of `idempotency_keys`."""

    key: str
    fingerprint: bytes
    at: float
    answer: bytes


class TokenRecord(msgspec.Struct, frozen=True, gc=False):
    """A row of `tokens`."""

    id: str
    name: str
    digest: bytes
    scope: bytes
    created_at: float
    created_by: str
    expires_at: float | None = None
    revoked_at: float | None = None
    revoked_by: str | None = None


class PeopleRecord(msgspec.Struct, frozen=True, gc=False):
    """A row of `people`."""

    kind: str
    id: str
    version: int
    until: float | None = None
    value: bytes | None = None


class AuditRecord(msgspec.Struct, frozen=True, gc=False):
    """A row of `audit`."""

    seq: int
    at: float
    principal: str
    address: str
    action: str
    outcome: str
    revision: int
    detail: bytes
    hash: bytes


class AuditHeadRecord(msgspec.Struct, frozen=True, gc=False):
    """The row of `audit_head`."""

    id: int
    seq: int
    hash: bytes


NO_AUDIT: Final = AuditHeadRecord(1, 0, FIRST)


class Batch(msgspec.Struct, kw_only=True):
    """One transaction. epoch, base: the history and head it was judged on; head: the one it makes. Deletes are keys.

    history_from: where the history of what is restored begins; a commit leaves that as it is. audit_head: of a restore
    also the last row that was forgotten. trust, authorities,
    certificates: of what is restored alone; a commit has none.
    """

    epoch: str
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
    data_keys: list[DataKeyRecord] = []
    tokens: list[TokenRecord] = []
    people: list[PeopleRecord] = []
    audit: list[AuditRecord] = []
    audit_head: list[AuditHeadRecord] = []
    trust: list[TrustRecord] = []
    authorities: list[AuthorityRecord] = []
    certificates: list[CertificateRecord] = []
    history_from: int = 0


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a view begins with. floor: the first revision the change log still holds (head + 1: none).

    at: when the head was committed; None where the log does not hold it.
    """

    epoch: str
    revision: int
    at: float | None
    floor: int
    instance_number: int
    namespaces: list[str]
    instances: list[InstanceRecord]
    documents: list[DocumentRecord]
    onces: list[OnceRecord]
    tokens: list[TokenRecord] = []
    people: list[PeopleRecord] = []
    audit_head: AuditHeadRecord = NO_AUDIT


class Moves(msgspec.Struct, frozen=True, kw_only=True):
    """Where the head is, seen from a revision. at: when that revision was committed, None where the log lacks it.

    changes: the log after it, whole revisions, about a page of them.
    """

    epoch: str
    revision: int
    instance_number: int
    at: float | None
    changes: list[ChangeRecord]
    audit_head: AuditHeadRecord | None = None


class StoreUnavailable(Exception):
    """The database does not answer or refuses to write (disk full); nothing of the batch is kept."""


class StoreGone(StoreUnavailable):
    """The database does not answer. Whether what was asked of it was done, only its log can tell."""


class HeadHeld(StoreUnavailable):
    """Another registry holds the head for long, and lives. Nothing was kept: ask again."""


class HistoryForgotten(Exception):
    """What documents were at this revision is no longer known; the argument is the first where it is."""


class HeadMoved(Exception):
    """Another registry committed in between: the batch must be judged again on the new head."""


class Store(Protocol):
    """Every method but `lead`, `share`, `agree`, `hold_off`, `let_go`, `abandoned` and `missing` may raise
    StoreUnavailable."""

    async def load(self) -> Loaded: ...

    async def commit(self, batch: Batch) -> None:
        """Durable when it returns. Raises HeadMoved when the head is not `batch.base`, HeadHeld when that is not to be
        known now."""

    async def do(self, steps: Sequence[Step]) -> list[list[Row]]:
        """All of the steps in one transaction, in order, and the rows of each; durable when it returns.

        Raises NoRow, and then nothing was done. A StoreGone leaves open whether it was.
        """

    async def try_write(self) -> None:
        """Writes a little, and takes it back: whether the store, which took no writes, takes them again."""

    async def data_keys(self, fresh: Sequence[DataKeyRecord] = ()) -> list[DataKeyRecord]:
        """Those that are kept; before, fresh ones are added whose names are not there yet."""

    async def changes(self, first: int, limit: int) -> list[ChangeRecord]:
        """Whole revisions from `first` on, in order, about `limit` rows and at least one revision."""

    async def restore(self, chunks: Iterable[Batch]) -> None:
        """Everything held gives way to the rows of the chunks, in one transaction; the change log becomes empty.

        Epoch, head, instance number and where the history begins are the last chunk's. What reading the chunks raises
        goes through, and then nothing has changed.
        """

    async def compact(self, first: int, before: int) -> None:
        """Forgets the log's revisions from `first` up to, not including, `before`."""

    async def revision_at(self, at: float) -> int | None:
        """The first revision in the log that is not older than `at` (seconds since 1970)."""

    async def revision_after(self, first: int, rows: int) -> int | None:
        """The revision in the log that is so many rows on from the beginning of `first`; None: it ends before."""

    async def forget_onces(self, before: float, limit: int) -> int:
        """At most `limit`, the oldest first; how many."""

    async def forget_history(self, before: float, limit: int) -> int:
        """Forgets states of documents that others took the place of before `before` (seconds since 1970).

        The oldest first: the history's beginning moves over `limit` states, whose predecessors go; answers over how
        many. What stood then stays, and from there on every revision can still be told. A later call goes on where this
        one ended, until it is 0.
        """

    async def history_from(self) -> int:
        """The first revision at which it is known what documents were; 0: nothing was forgotten."""

    async def tokens(self) -> list[TokenRecord]:
        """All of them."""

    async def people(self) -> list[PeopleRecord]:
        """All of them."""

    async def audit_head(self) -> AuditHeadRecord:
        """Of the last row; NO_AUDIT where there is none."""

    async def audit_after(self, seq: int, limit: int) -> list[AuditRecord]:
        """Oldest first."""

    async def audit_before(self, seq: int, limit: int) -> list[AuditRecord]:
        """Newest first."""

    async def tidy(self) -> None:
        """What the database does not do by itself about statistics and free room; short steps between commits."""

    async def history(self, before: int, limit: int) -> list[HistoryRecord]:
        """Whole revisions older than `before`, newest first, at most `limit` revisions."""

    async def history_of(self, revision: int) -> list[HistoryRecord]: ...

    async def history_of_document(self, key: tuple[str, str, str], before: int, limit: int) -> list[HistoryRecord]:
        """key: kind, namespace, name. Its states of revisions older than `before`, newest first."""

    async def documents_at(self, revision: int) -> list[HistoryRecord]:
        """The documents as they stood at a revision, deleted ones left out. Raises HistoryForgotten."""

    async def lead(self, what: str) -> bool:
        """Whether this registry, of all on the store, is the one that does `what` (sweep, retention …) now.

        Asked before each turn of the work: the database is asked whether the lock is still held, so one that was paused
        or cut off hears the truth. Without the database: False.
        """

    async def share(self, what: str) -> bool:
        """As `lead`, but together with all who share it: nobody leads it meanwhile, and while somebody does, False."""

    async def agree(self, what: str, said: str) -> bool | None:
        """Whether all registries on the store that agree on `what` say the same. None: the database does not answer.

        The first one to say something has said it until its session ends, or until it says something else; whoever says
        another thing meanwhile is refused, and has said nothing.
        """

    async def hold_off(self, what: str) -> bool:
        """From now on nobody leads `what`, until this registry lets go.

        When its session with the database ends before, it is `abandoned`, and nobody leads until that is forgotten.
        False: the database did not take it. Asked again it tells whether it still holds.
        """

    async def let_go(self, what: str) -> None: ...

    def abandoned(self, what: str) -> bool:
        """Whether `lead` was refused last because somebody held it off and is gone without letting go."""

    async def forget_abandoned(self, what: str) -> None:
        """What it held back is made up for, or lost; whoever is still there, and holds it off, does so all the same."""

    def missing(self) -> str | None:
        """Why it cannot write now, for readiness; None: it can.

        Once a commit was refused, only a write says otherwise (`try_write`): a full disk reads well.
        """

    async def close(self) -> None: ...


class SharedStore(Store, Protocol):
    """A store that other registries write to as well."""

    async def moves(self, since: int) -> Moves: ...

    async def stands(self, since: int) -> Moves:
        """As `moves`, without the log, and for one who moves nothing by it: it is asked while the head is held, too."""

    def hold(self) -> AbstractAsyncContextManager[None]:
        """Nobody else commits until it ends. `moves`, `load` and `commit` go on within; durable once it has ended.

        Raises HeadHeld when somebody else does.
        """

    async def begin_epoch(self, seen: Moves, *, epoch: str, revision: int, instance_number: int) -> bool:
        """A new history from `revision` and `instance_number` on, with an empty log; False when the head is no longer
        what was seen."""

    async def onces(self, keys: Sequence[str]) -> list[OnceRecord]:
        """What these Idempotency-Keys were answered with, on whichever registry."""

    def on_wake(self, wake: Callable[[int], None]) -> None:
        """wake: called with a revision that somebody committed. Hints only: they may be lost, late or doubled."""
