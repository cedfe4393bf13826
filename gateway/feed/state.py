"""What a follower makes of the feed's frames, one by one (pure): the invariant of docs/internals/revisions.md.

Revisions grow by exactly one. One that was skipped is lost: reconnect and ask again from what is held. One that is not
above what is held is doubled or late: dropped and counted. A snapshot counts once its end has confirmed the number of
entries, and is refused whole otherwise; what was held before stays in force.
"""

from dataclasses import dataclass, field
from sys import intern
from typing import Final, Literal

import msgspec
from msgspec.structs import force_setattr

from meshway.model.document import Document
from meshway.model.instance import Instance
from meshway.snapshot import (
    INSTANCE,
    AnyFrame,
    Change,
    Delta,
    Hello,
    Question,
    Reset,
    SecretFrame,
    SecretsWanted,
    Snapshot,
    SnapshotEnd,
    Tick,
)

Key = tuple[str, str, str]
LATE_TICKS: Final = 2

_instances: Final = msgspec.msgpack.Decoder(Instance)
_documents: Final = msgspec.msgpack.Decoder(Document)


@dataclass(slots=True, frozen=True)
class Whole:
    """A snapshot that was confirmed: replaces all that was held."""

    epoch: str
    revision: int
    entries: dict[Key, Change]


@dataclass(slots=True, frozen=True)
class Changes:
    """One revision, whole."""

    revision: int
    changes: list[Change]


@dataclass(slots=True, frozen=True)
class Trouble:
    """The connection is of no use. lost: a revision is missing, ask again; bad: the other side sends nonsense."""

    kind: Literal["lost", "bad"]
    reason: str


Outcome = Whole | Changes | Question | Trouble | SecretFrame | SecretsWanted | None


@dataclass(slots=True)
class FeedCounts:
    """For metrics and tests: what was found and mended."""

    doubled: int = 0
    lost: int = 0
    refused: int = 0
    resets: int = 0


@dataclass(slots=True)
class FeedState:
    """epoch "" and revision 0: nothing is held. A new connection begins with `connected`.

    judges_values: decode every value once to see that it is one; a worker leaves that to its supervisor.
    """

    epoch: str = ""
    revision: int = 0
    gateways: int = 1
    head: int = 0
    judges_values: bool = True
    counts: FeedCounts = field(default_factory=FeedCounts)
    refused: str = ""
    _hello: Hello | None = None
    _must_replace: bool = False
    _parts: dict[Key, Change] | None = None
    _parts_revision: int = -1
    _counted: int = 0
    _partial: list[Change] | None = None
    _next_part: int = 0
    _behind: int = 0
    _behind_ticks: int = 0
    _was_told_secrets: bool = False

    def connected(self) -> None:
        self._hello = None
        self._must_replace = False
        self._parts = None
        self._partial = None
        self._behind_ticks = 0
        self._was_told_secrets = False

    def take(self, frame: AnyFrame) -> Outcome:
        """After a Trouble nothing more of this connection may be given."""
        if isinstance(frame, Hello):
            return self._on_hello(frame)
        if self._hello is None:
            return self._bad("the feed does not begin with hello")
        if isinstance(frame, Delta):
            return self._on_delta(frame)
        if isinstance(frame, Snapshot):
            return self._on_part(frame)
        if isinstance(frame, SnapshotEnd):
            return self._on_end(frame)
        if isinstance(frame, Tick):
            return self._on_tick(frame)
        if isinstance(frame, Reset):
            self.counts.resets += 1
            self._must_replace, self._parts, self._partial = True, None, None
            return None
        if isinstance(frame, SecretFrame | SecretsWanted):
            self._was_told_secrets = True
        return frame

    def _on_hello(self, hello: Hello) -> Outcome:
        if self._hello is not None:
            return self._bad("a second hello")
        self._hello = hello
        self.head = hello.revision
        # Another history: its revisions say nothing about ours.
        self._must_replace = hello.epoch != self.epoch
        return None

    def _on_part(self, part: Snapshot) -> Outcome:
        if self._partial is not None:
            return self._bad("a snapshot inside a revision")
        if self._parts is None:
            self._parts, self._parts_revision, self._counted = {}, part.revision, 0
        if part.revision != self._parts_revision:
            return self._bad(f"a snapshot of r{self._parts_revision} and r{part.revision}")
        for entry in part.entries:
            reason = "is no put" if entry.op != "put" else self._flaw(entry)
            if reason:
                return self._bad(f"snapshot entry {entry.kind} {entry.namespace}/{entry.name}: {reason}")
            _share_names(entry)
            self._parts[entry.key] = entry
        self._counted += len(part.entries)
        return None

    def _on_end(self, end: SnapshotEnd) -> Outcome:
        assert self._hello is not None
        parts = {} if self._parts is None and end.entries == 0 else self._parts
        if parts is None:
            return self._bad("the end of a snapshot that never began")
        if self._parts is not None and end.revision != self._parts_revision:
            return self._bad(f"a snapshot of r{self._parts_revision} that ends as r{end.revision}")
        if not len(parts) == self._counted_of(parts) == end.entries:
            return self._bad(f"snapshot r{end.revision} says {end.entries} entries, {len(parts)} came")
        if not self._must_replace and end.revision < self.revision:
            return self._bad(f"snapshot r{end.revision} is older than r{self.revision}")
        self._parts, self._must_replace, self._behind_ticks, self.refused = None, False, 0, ""
        self.epoch, self.revision = self._hello.epoch, end.revision
        return Whole(self.epoch, self.revision, parts)

    def _counted_of(self, parts: dict[Key, Change]) -> int:
        return self._counted if self._parts is not None else len(parts)

    def _on_delta(self, delta: Delta) -> Outcome:
        if self._must_replace or self._parts is not None:
            return self._bad(f"r{delta.revision} where a snapshot was due")
        if delta.revision <= self.revision:
            self.counts.doubled += 1
            return None
        if delta.revision != self.revision + 1:
            return self._lost(f"r{delta.revision} came after r{self.revision}")
        due = self._next_part if self._partial is not None else 0
        if delta.part < due:
            self.counts.doubled += 1
            return None
        if delta.part > due:
            return self._lost(f"part {delta.part} of r{delta.revision} came where part {due} was due")
        for change in delta.changes:
            if change.op == "put" and (reason := self._flaw(change)):
                return self._bad(f"r{delta.revision}: {change.kind} {change.namespace}/{change.name}: {reason}")
            _share_names(change)
        changes = delta.changes if self._partial is None else self._partial + delta.changes
        if delta.more:
            self._partial, self._next_part = changes, delta.part + 1
            return None
        self._partial = None
        self.revision = delta.revision
        return Changes(delta.revision, changes)

    def _on_tick(self, tick: Tick) -> Outcome:
        """Two ticks that were ahead of us with nothing between them: the last revisions were lost."""
        self.gateways, self.head = tick.gateways, tick.revision
        if self._must_replace or self._parts is not None or tick.revision <= self.revision:
            self._behind_ticks = 0
            return self._without_secrets()
        if self._behind_ticks and self.revision < self._behind:
            self._behind_ticks += 1
            if self._behind_ticks >= LATE_TICKS:
                return self._lost(f"the head is r{tick.revision}, r{self.revision} was the last to come")
        else:
            self._behind, self._behind_ticks = tick.revision, 1
        return None

    def _without_secrets(self) -> Outcome:
        """A registry that has told of none until it is quiet has none for us: what is held is forgotten, once."""
        if self._was_told_secrets:
            return None
        self._was_told_secrets = True
        return SecretsWanted(keys=[])

    def _lost(self, reason: str) -> Trouble:
        self.counts.lost += 1
        self._partial = None
        return Trouble("lost", reason)

    def _bad(self, reason: str) -> Trouble:
        self.counts.refused += 1
        self.refused = reason
        self._parts = self._partial = None
        return Trouble("bad", reason)

    def _flaw(self, change: Change) -> str:
        """Why the value is none of its kind, or "". Documents are judged field by field by the compiler."""
        if not self.judges_values:
            return ""
        try:
            if change.kind == INSTANCE:
                _instances.decode(change.value)
            else:
                _documents.decode(change.value)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return str(error)
        return ""


def _share_names(change: Change) -> None:
    """Kind and namespace stand in memory once, not once in each of the entries that are held."""
    force_setattr(change, "kind", intern(change.kind))
    force_setattr(change, "namespace", intern(change.namespace))
