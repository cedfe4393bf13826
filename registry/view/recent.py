"""The youngest part of the change log, in memory: what followers, watchers and resuming ones are mostly served from."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any, Final

import msgspec

from meshway.snapshot import MAX_FRAME, Change, Delta, encode_frame
from registry.settings import DEFAULT_RECENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from registry.store.interface import ChangeRecord

MAX_REVISIONS: Final = 8192
# Room for a frame's own fields and for the keys of a change, so that a delta cut by its values stays below MAX_FRAME.
_FRAME_ROOM: Final = MAX_FRAME - (4 << 10)
_CHANGE_ROOM: Final = 256
_TAKE: Final = 1000
# What an object of bytes takes beside them.
_BYTES_ROOM: Final = 48


class LogEntry:
    """One revision. Its frame and its JSON are made when somebody first wants them, once for all.

    size: of its values, bytes. made_size: of what was made of them and is kept. on_made: told when that has grown.
    """

    __slots__ = ("_frames", "_texts", "changes", "made_size", "on_made", "revision", "size")

    def __init__(self, revision: int, changes: tuple[Change, ...]) -> None:
        self.revision = revision
        self.changes = changes
        self.size = sum(map(size_of, changes))
        self.made_size = 0
        self.on_made: Callable[[LogEntry, int], None] | None = None
        self._frames: bytes | None = None
        self._texts: list[bytes] | None = None

    def frames(self) -> bytes:
        """The delta as followers get it, in parts where it is above a frame's size."""
        if (frames := self._frames) is None:
            parts = list(cut(self.changes))
            last = len(parts) - 1
            frames = self._frames = b"".join(
                encode_frame(Delta(revision=self.revision, changes=part, more=at < last, part=at))
                for at, part in enumerate(parts)
            )
            self._made(len(frames) + _BYTES_ROOM)
        return frames

    def texts(self) -> list[bytes]:
        """Each change as JSON, in order, for watchers."""
        if (texts := self._texts) is None:
            texts = self._texts = [change_text(change) for change in self.changes]
            self._made(sum(map(len, texts)) + _BYTES_ROOM * len(texts))
        return texts

    def forget_made(self) -> None:
        """It is made again when it is wanted."""
        self._frames = self._texts = None
        self.made_size = 0

    def _made(self, size: int) -> None:
        self.made_size += size
        if self.on_made is not None:
            self.on_made(self, size)


def size_of(change: Change) -> int:
    """About the bytes a change takes in a frame."""
    return len(memoryview(change.value)) + _CHANGE_ROOM


def cut(changes: Iterable[Change], entries: int = 1 << 30) -> Iterator[list[Change]]:
    """Parts of at most `entries` changes that fit a frame each; at least one part."""
    part: list[Change] = []
    room = _FRAME_ROOM
    for change in changes:
        size = size_of(change)
        if part and (size > room or len(part) == entries):
            yield part
            part, room = [], _FRAME_ROOM
        part.append(change)
        room -= size
    yield part


def change_text(change: Change) -> bytes:
    """`{op, kind, namespace, name, value}` as JSON, without value for a tombstone."""
    members: dict[str, Any] = {
        "op": change.op,
        "kind": change.kind,
        "namespace": change.namespace,
        "name": change.name,
    }
    if change.op == "put":
        members["value"] = msgspec.msgpack.decode(change.value)
    return msgspec.json.encode(members)


def entries_of(records: Sequence[ChangeRecord]) -> list[LogEntry]:
    """Rows of the store's log, whole revisions in order, as entries."""
    entries: list[LogEntry] = []
    changes: list[Change] = []
    for at, record in enumerate(records):
        changes.append(change_of(record.kind, record.namespace, record.name, record.value))
        if at + 1 == len(records) or records[at + 1].revision != record.revision:
            entries.append(LogEntry(record.revision, tuple(changes)))
            changes = []
    return entries


def change_of(kind: str, namespace: str, name: str, value: bytes | None) -> Change:
    if value is None:
        return Change(op="delete", kind=kind, namespace=namespace, name=name)
    return Change(op="put", kind=kind, namespace=namespace, name=name, value=msgspec.Raw(value))


class Recent:
    """Gap-free revisions up to the head, at most MAX_REVISIONS of them, and at most max_bytes with all that was made of
    them. Values may take half of it, so that there is room for what most followers and watchers want now; what was
    made first goes first, and is made again for whoever comes late."""

    __slots__ = ("_bytes", "_entries", "_made", "_made_bytes", "_max_bytes", "_shared", "_shared_place")

    def __init__(self, head: int, max_bytes: int = DEFAULT_RECENT_BYTES) -> None:
        self._entries: deque[LogEntry] = deque([LogEntry(head, ())])
        self._max_bytes = max_bytes
        self._bytes = 0
        # By revision, in order of making.
        self._made: OrderedDict[int, LogEntry] = OrderedDict()
        self._made_bytes = 0
        self._shared_place = (-1, -1, 0)
        self._shared = (head, b"")

    @property
    def size(self) -> int:
        """Bytes that are held, about."""
        return self._bytes + self._made_bytes

    @property
    def first(self) -> int:
        """The oldest revision one may hold to be served from here."""
        return self._entries[0].revision

    def append(self, entries: Sequence[LogEntry]) -> None:
        """The revisions that follow, in order."""
        held = self._entries
        for entry in entries:
            held.append(entry)
            self._bytes += entry.size
            entry.on_made = self._on_made
            if entry.made_size:
                self._on_made(entry, entry.made_size)
        # The first one stands only for its number, so its bytes count but are not needed: one more than MAX_REVISIONS.
        while len(held) > MAX_REVISIONS + 1 or (self._bytes > self._max_bytes // 2 and len(held) > 2):
            gone = held.popleft()
            self._bytes -= gone.size
            gone.on_made = None
            if self._made.pop(gone.revision, None) is not None:
                self._made_bytes -= gone.made_size
        self._forget_made()

    def _on_made(self, entry: LogEntry, size: int) -> None:
        self._made[entry.revision] = entry
        self._made_bytes += size
        self._forget_made()

    def _forget_made(self) -> None:
        """But the last: all who follow are about to ask for it."""
        while self.size > self._max_bytes and len(self._made) > 1:
            _, entry = self._made.popitem(last=False)
            self._made_bytes -= entry.made_size
            entry.forget_made()

    def since(self, revision: int, max_bytes: int) -> list[LogEntry] | None:
        """The entries after `revision`, about max_bytes and at least one; None: it is older than what is held."""
        held = self._entries
        at = revision + 1 - held[0].revision
        if at < 1:
            return None
        taken: list[LogEntry] = []
        while at < len(held) and max_bytes > 0 and len(taken) < _TAKE:
            entry = held[at]
            taken.append(entry)
            max_bytes -= entry.size
            at += 1
        return taken

    def frames_since(self, revision: int, max_bytes: int) -> tuple[int, bytes] | None:
        """The deltas after `revision` as one piece, and the last revision in it; None as in `since`.

        Followers mostly stand at the same place, so the piece made last is kept: a commit is joined once for all.
        """
        place = (revision, self._entries[-1].revision, max_bytes)
        if place != self._shared_place:
            entries = self.since(revision, max_bytes)
            if entries is None:
                return None
            last = entries[-1].revision if entries else revision
            self._shared = (last, b"".join([entry.frames() for entry in entries]))
            self._shared_place = place
        return self._shared
