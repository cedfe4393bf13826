"""A store that keeps batches in a list, waits when told to, and fails when told to."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from registry.store.interface import (
    NO_AUDIT,
    AuditHeadRecord,
    AuditRecord,
    Batch,
    ChangeRecord,
    DataKeyRecord,
    HistoryRecord,
    Loaded,
    PeopleRecord,
    StoreUnavailable,
    TokenRecord,
)
from registry.store.steps import Row, Step


class FakeStore:
    """refuses: asked of every batch. gate: a commit waits for it. forgettable: rows that each cut of history takes.

    head, begins: of the log, whose revisions have so many rows. cannot_compact: all but commits is refused.
    trouble: what is missing, until a write that is tried works.
    """

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.compacted: list[tuple[int, int]] = []
        self.cannot_compact = False
        self.history_cuts: list[float] = []
        self.forgettable: list[int] = []
        self.tidied = 0
        self.tried = 0
        self.head, self.begins, self.rows_of_a_revision = 0, 1, 1
        self.onces_cuts: list[int] = []
        self.forgettable_onces: list[int] = []
        self.is_abandoned = False
        self.trouble: str | None = None
        self.refuses: Callable[[Batch], bool] = lambda batch: False
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = 0
        self.young: int | None = None

    async def commit(self, batch: Batch) -> None:
        self.waiting += 1
        await self.gate.wait()
        self.waiting -= 1
        if self.refuses(batch):
            raise StoreUnavailable("disk full")
        self.batches.append(batch)

    async def do(self, steps: Sequence[Step]) -> list[list[Row]]:
        raise StoreUnavailable(f"{len(steps)} steps: there are no tables here")

    async def try_write(self) -> None:
        self.tried += 1
        if self.cannot_compact:
            raise StoreUnavailable("disk full")
        self.trouble = None

    async def data_keys(self, fresh: Sequence[DataKeyRecord] = ()) -> list[DataKeyRecord]:
        return list(fresh)

    async def audit_head(self) -> AuditHeadRecord:
        return next((record for batch in reversed(self.batches) for record in batch.audit_head), NO_AUDIT)

    async def audit_after(self, seq: int, limit: int) -> list[AuditRecord]:
        return [record for batch in self.batches for record in batch.audit if record.seq > seq][:limit]

    async def audit_before(self, seq: int, limit: int) -> list[AuditRecord]:
        found = [record for batch in self.batches for record in batch.audit if record.seq < seq]
        return found[::-1][:limit]

    async def tokens(self) -> list[TokenRecord]:
        return [record for batch in self.batches for record in batch.tokens]

    async def people(self) -> list[PeopleRecord]:
        return [record for batch in self.batches for record in batch.people]

    async def changes(self, first: int, limit: int) -> list[ChangeRecord]:
        rows = [row for batch in self.batches for row in batch.changes if row.revision >= first]
        if not rows:
            return []
        last = rows[min(limit, len(rows)) - 1].revision
        return [row for row in rows if row.revision <= last]

    async def compact(self, first: int, before: int) -> None:
        if self.cannot_compact:
            raise StoreUnavailable("disk full")
        self.compacted.append((first, before))
        self.begins = before

    async def revision_at(self, at: float) -> int | None:
        return self.begins if at == 0.0 else self.young

    async def revision_after(self, first: int, rows: int) -> int | None:
        found = first + rows // self.rows_of_a_revision
        return found if found <= self.head else None

    async def forget_onces(self, before: float, limit: int) -> int:
        self.onces_cuts.append(limit)
        return self.forgettable_onces.pop(0) if self.forgettable_onces else 0

    async def forget_history(self, before: float, limit: int) -> int:
        self.history_cuts.append(before)
        return self.forgettable.pop(0) if self.forgettable else 0

    async def history_from(self) -> int:
        return 0

    async def tidy(self) -> None:
        self.tidied += 1

    async def restore(self, chunks: Iterable[Batch]) -> None:
        raise NotImplementedError

    async def load(self) -> Loaded:
        raise NotImplementedError

    async def history(self, before: int, limit: int) -> list[HistoryRecord]:
        return []

    async def history_of(self, revision: int) -> list[HistoryRecord]:
        return []

    async def history_of_document(self, key: tuple[str, str, str], before: int, limit: int) -> list[HistoryRecord]:
        return []

    async def documents_at(self, revision: int) -> list[HistoryRecord]:
        return []

    async def lead(self, what: str) -> bool:
        return True

    async def share(self, what: str) -> bool:
        return True

    async def agree(self, what: str, said: str) -> bool | None:
        return True

    async def hold_off(self, what: str) -> bool:
        return True

    async def let_go(self, what: str) -> None: ...

    def abandoned(self, what: str) -> bool:
        return self.is_abandoned

    async def forget_abandoned(self, what: str) -> None:
        self.is_abandoned = False

    def missing(self) -> str | None:
        return self.trouble

    async def close(self) -> None: ...
