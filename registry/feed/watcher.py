"""One caller of the watch: snapshot, then every revision that concerns it, as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from meshway.snapshot import INSTANCE, SNAPSHOT_ENTRIES, Change
from registry.feed.log_cursor import Behind, LogCursor
from registry.feed.snapshots import rows_of
from registry.view.recent import change_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from registry.store.interface import Store
    from registry.view.recent import LogEntry
    from registry.view.rows import DocumentRow, InstanceRow
    from registry.view.view import View

_TAKE_BYTES: Final = 1 << 18


class Event(msgspec.Struct, frozen=True):
    """One server-sent event; data: JSON."""

    name: Literal["snapshot", "delta", "reset"]
    revision: int
    data: bytes


class Filter(msgspec.Struct, frozen=True):
    """None: everything. service: its instances and its Service document."""

    namespace: str | None = None
    kind: str | None = None
    service: str | None = None

    def admits(self, change: Change) -> bool:
        if self.namespace is not None and change.namespace != self.namespace:
            return False
        if self.kind is not None and change.kind != self.kind:
            return False
        if self.service is None:
            return True
        if change.kind == INSTANCE:
            return change.name.startswith(f"{self.service}/")
        return change.kind == "Service" and change.name == self.service


class Watcher:
    """revision: how far it has got, also over revisions its filter left out; where to resume from."""

    __slots__ = ("_closed", "_cursor", "_events", "_filter", "_store", "_view", "_wake")

    def __init__(
        self,
        view: View,
        store: Store,
        *,
        since: int | None,
        admitted: Filter,
        wake: Callable[[], None],
        closed: Callable[[Watcher], None],
    ) -> None:
        self._view = view
        self._store = store
        self._filter = admitted
        self._wake = wake
        self._closed = closed
        self._events: Iterator[Event] = iter(())
        if since is None:
            self._cursor = self._begin()
        elif since > view.revision or since + 1 < view.floor:
            self._cursor = self._begin("this revision is not in the log")
        else:
            self._cursor = LogCursor(view, store, since, wake)

    @property
    def revision(self) -> int:
        return self._cursor.revision

    def wake(self) -> None:
        self._wake()

    def take(self) -> list[Event]:
        """What there is now, about 256 KiB; none: wait for wake."""
        taken = self._pending()
        while not taken:
            try:
                entries = self._cursor.take(_TAKE_BYTES)
            except Behind:
                self._cursor.close()
                self._cursor = self._begin("too slow, or away for too long")
                return self._pending()
            if not entries:
                break
            taken = [event for entry in entries if (event := self._delta(entry)) is not None]
        return taken

    def close(self) -> None:
        self._cursor.close()
        self._closed(self)

    def _pending(self) -> list[Event]:
        """The next of a snapshot."""
        taken: list[Event] = []
        size = 0
        for event in self._events:
            taken.append(event)
            size += len(event.data)
            if size > _TAKE_BYTES:
                break
        return taken

    def _delta(self, entry: LogEntry) -> Event | None:
        texts = [text for change, text in zip(entry.changes, entry.texts(), strict=True) if self._filter.admits(change)]
        if not texts:
            return None
        return Event("delta", entry.revision, _data(entry.revision, texts))

    def _begin(self, reason: str | None = None) -> LogCursor:
        # The rows now, the texts when they are wanted.
        self._events = self._snapshot(self._view.revision, rows_of(self._view), reason)
        return LogCursor(self._view, self._store, self._view.revision, self._wake)

    def _snapshot(
        self, revision: int, rows: Sequence[DocumentRow | InstanceRow], reason: str | None
    ) -> Iterator[Event]:
        """At least one part, so that a watcher of nothing knows that it is nothing."""
        changes = [change for row in rows if self._filter.admits(change := row.change())]
        if reason is not None:
            yield Event("reset", revision, msgspec.json.encode({"revision": revision, "reason": reason}))
        for at in range(0, max(1, len(changes)), SNAPSHOT_ENTRIES):
            texts = [change_text(change) for change in changes[at : at + SNAPSHOT_ENTRIES]]
            yield Event("snapshot", revision, _data(revision, texts))


def _data(revision: int, texts: list[bytes]) -> bytes:
    return b'{"revision":%d,"changes":[%b]}' % (revision, b",".join(texts))
