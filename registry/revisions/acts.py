"""What somebody did by the writes of one batch, as rows of the audit log in the same transaction."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from meshway.audit import chained
from registry.store.interface import AuditRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from meshway.model.document import Document
    from meshway.snapshot import Change

    Differences = Callable[[Document | None, Document | None], list[Any]]

# Above it a row names what was changed, and not how.
MAX_DETAIL: Final = 64 << 10
MAX_DOCUMENTS: Final = 200
MAX_INSTANCES: Final = 1000
REGISTERED: Final = "instances"
_encode: Final = msgspec.json.Encoder().encode


def no_differences(_before: Document | None, _after: Document | None) -> list[Any]:
    """For who needs none."""
    return []


class Asking(Protocol):
    """A request, as far as it stands in the log."""

    @property
    def who(self) -> str: ...

    peer: str
    method: str
    path: str
    is_denied: bool


ASKING: Final[ContextVar[Asking | None]] = ContextVar("asking", default=None)
"""The request that is being answered. Writes that nobody asked for (leases that ran out, checks) have none."""


class Actor(msgspec.Struct, frozen=True):
    principal: str
    address: str
    action: str


class DocumentAct(msgspec.Struct, frozen=True):
    key: tuple[str, str, str]
    before: Document | None
    after: Document | None


class Acts:
    """Of one draft. differences: of two states of a document."""

    def __init__(self, differences: Differences) -> None:
        self._differences = differences
        self._rows: list[tuple[Actor, str, int, bytes]] = []
        self._instances: dict[tuple[str, str], list[tuple[int, Sequence[Change]]]] = {}

    def __bool__(self) -> bool:
        return bool(self._rows or self._instances)

    def wrote(
        self, actor: Actor, revision: int, documents: Iterable[DocumentAct], others: list[dict[str, Any]]
    ) -> None:
        """others: changes of what is no document, ready for JSON."""
        acts = list(documents)
        is_short = len(acts) <= MAX_DOCUMENTS
        changes = [self._told(act, in_full=is_short) for act in acts] + others
        detail = _encode({"changes": changes})
        if len(detail) > MAX_DETAIL:
            detail = _encode({"changes": [self._told(act, in_full=False) for act in acts] + others})
        if len(detail) > MAX_DETAIL:
            detail = _encode({"changes": [], "count": len(changes)})
        self._rows.append((actor, "done", revision, detail))

    def moved_instances(self, principal: str, address: str, revision: int, changes: Sequence[Change]) -> None:
        """All that one caller does in one commit is one row: at a restart of everything a row for each instance would
        cost a tenth of the registry."""
        self._instances.setdefault((principal, address), []).append((revision, changes))

    def refused(self, actor: Actor, status: int) -> None:
        self._rows.append((actor, "refused", 0, b'{"status":%d}' % status))

    def records(self, seq: int, previous: bytes, at: float) -> list[AuditRecord]:
        """Chained behind the last row there is."""
        rows = list(self._rows)
        for (principal, address), writes in self._instances.items():
            moves = [
                (change.op, f"{change.namespace}/{change.name}", revision)
                for revision, changes in writes
                for change in changes
            ]
            detail = _encode({"instances": moves[:MAX_INSTANCES], "count": len(moves)})
            rows.append((Actor(principal, address, REGISTERED), "done", writes[-1][0], detail))
        records = []
        for actor, outcome, revision, detail in rows:
            seq += 1
            members = (seq, at, actor.principal, actor.address, actor.action, outcome, revision)
            previous = chained(previous, members, detail)
            records.append(AuditRecord(*members, detail, previous))
        return records

    def _told(self, act: DocumentAct, *, in_full: bool) -> dict[str, Any]:
        kind, namespace, name = act.key
        operation = "delete" if act.after is None else "put"
        told: dict[str, Any] = {"op": operation, "document": f"{kind} {namespace}/{name}"}
        if in_full and act.after is not None:
            told["fields"] = self._differences(act.before, act.after)
        return told


class Refused(msgspec.Struct, frozen=True):
    """A write that was denied: nothing but its row."""

    actor: Actor
    status: int

    @property
    def size(self) -> int:
        return 200

    def judge(self, draft: Any) -> None:
        draft.acts.refused(self.actor, self.status)


class Noted(msgspec.Struct, frozen=True):
    """Something that was asked for and lies in tables beside the revisions. Written before it is told, so that nobody
    gets it without its row. change: ready for JSON, without secrets."""

    actor: Actor
    change: dict[str, str]

    @property
    def size(self) -> int:
        return 600

    def judge(self, draft: Any) -> None:
        draft.acts.wrote(self.actor, 0, (), [self.change])


def noted(change: dict[str, str]) -> Noted | None:
    """By the request that is being answered; None: nobody asked."""
    asking = ASKING.get()
    return None if asking is None else Noted(actor_of(asking), change)


def actor_of(asking: Asking) -> Actor:
    return Actor(asking.who, asking.peer, f"{asking.method} {asking.path}")
