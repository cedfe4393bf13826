"""One caller of the watch: snapshot, then every revision that concerns it, as JSON."""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from meshway.snapshot import INSTANCE, SNAPSHOT_ENTRIES
from registry.feed.log_cursor import LogCursor
from registry.feed.log_pages import Behind
from registry.feed.snapshots import rows_of
from registry.view.recent import change_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from meshway.snapshot import Change
    from registry.feed.log_pages import LogPages
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
    """None: everything. service: its instances and its Service document. readable: the only namespaces shown."""

    namespace: str | None = None
    kind: str | None = None
    service: str | None = None
    readable: frozenset[str] | None = None

    def admits(self, change: Change) -> bool:
        name = change.name.partition("/")[0] if change.kind == INSTANCE else change.name
        return self._admits(change.kind, change.namespace, name)

    def rows(self, view: View) -> list[DocumentRow | InstanceRow]:
        """What it admits of a view, without a look at each instance of a large one."""
        if self == _EVERYTHING:
            return rows_of(view)
        rows: list[DocumentRow | InstanceRow] = []
        for kind, of_kind in view.documents.items():
            if self.kind in (None, kind):
                rows += [row for (namespace, name), row in of_kind.items() if self._admits(kind, namespace, name)]
        for (namespace, service), instances in view.services.items():
            if self._admits(INSTANCE, namespace, service):
                rows += instances.values()
        return rows

    def _admits(self, kind: str, namespace: str, name: str) -> bool:
        """name: of an instance its service's."""
        if self.namespace is not None and namespace != self.namespace:
            return False
        if self.readable is not None and namespace not in self.readable:
            return False
        if self.kind is not None and kind != self.kind:
            return False
        return self.service is None or (name == self.service and kind in (INSTANCE, "Service"))


_EVERYTHING: Final = Filter()


class Watcher:
    """revision: how far it has got, also over revisions its filter left out; where to resume from."""

    __slots__ = ("_closed", "_cursor", "_events", "_filter", "_pages", "_view", "_wake")

    def __init__(
        self,
        view: View,
        pages: LogPages,
        *,
        since: int | None,
        admitted: Filter,
        wake: Callable[[], None],
        closed: Callable[[Watcher], None],
    ) -> None:
        self._view = view
        self._pages = pages
        self._filter = admitted
        self._wake = wake
        self._closed = closed
        self._events: Iterator[Event] | None = None
        if since is None:
            self._cursor = self._begin()
        elif since > view.revision or since + 1 < view.floor:
            self._cursor = self._begin("this revision is not in the log")
        else:
            self._cursor = LogCursor(view, pages, since, wake)

    @property
    def revision(self) -> int:
        return self._cursor.revision

    def wake(self) -> None:
        self._wake()

    @property
    def is_in_snapshot(self) -> bool:
        """A caller that was cut off now would have to begin anew."""
        return self._events is not None

    @property
    def has_more(self) -> bool:
        """Whether `take` should be called again without a wake before it."""
        return self._events is not None or not (self._cursor.is_at_head or self._cursor.is_reading)

    def take(self) -> list[Event]:
        """A piece of what there is now: one part of a snapshot, or about 256 KiB of the log. None of it may concern
        the watcher, see `has_more`."""
        if self._events is not None:
            event = next(self._events, None)
            if event is not None:
                return [event]
            self._events = None
        try:
            entries = self._cursor.take(_TAKE_BYTES)
        except Behind:
            self._cursor.close()
            self._cursor = self._begin("too slow, or away for too long")
            return []
        return [event for entry in entries if (event := self._delta(entry)) is not None]

    def close(self) -> None:
        self._cursor.close()
        self._closed(self)

    def _delta(self, entry: LogEntry) -> Event | None:
        admitted = [self._filter.admits(change) for change in entry.changes]
        if not any(admitted):
            return None
        return Event("delta", entry.revision, _data(entry.revision, list(compress(entry.texts(), admitted))))

    def _begin(self, reason: str | None = None) -> LogCursor:
        # The rows now, the texts when they are wanted.
        self._events = _snapshot(self._view.revision, self._filter.rows(self._view), reason)
        return LogCursor(self._view, self._pages, self._view.revision, self._wake)


def _snapshot(revision: int, rows: Sequence[DocumentRow | InstanceRow], reason: str | None) -> Iterator[Event]:
    """At least one part, so that a watcher of nothing knows that it is nothing."""
    if reason is not None:
        yield Event("reset", revision, msgspec.json.encode({"revision": revision, "reason": reason}))
    for at in range(0, max(1, len(rows)), SNAPSHOT_ENTRIES):
        texts = [change_text(row.change()) for row in rows[at : at + SNAPSHOT_ENTRIES]]
        yield Event("snapshot", revision, _data(revision, texts))


def _data(revision: int, texts: list[bytes]) -> bytes:
    return b'{"revision":%d,"changes":[%b]}' % (revision, b",".join(texts))
