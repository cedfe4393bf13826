"""The whole of a view as frames, in parts that are encoded when somebody first wants them, once for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshway.snapshot import SNAPSHOT_ENTRIES, Change, Snapshot, SnapshotEnd, encode_frame
from registry.view.recent import cut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry.view.rows import DocumentRow, InstanceRow
    from registry.view.view import View


def rows_of(view: View) -> list[DocumentRow | InstanceRow]:
    """Every row at this moment; rows never change, so the list stays the view of this revision."""
    rows: list[DocumentRow | InstanceRow] = []
    for of_kind in view.documents.values():
        rows += of_kind.values()
    for service in view.services.values():
        rows += service.values()
    return rows


class FramedSnapshot:
    """Taken in one step, encoded part by part: no step of the loop encodes more than SNAPSHOT_ENTRIES."""

    __slots__ = ("_frames", "_is_whole", "_parts", "revision")

    def __init__(self, view: View) -> None:
        self.revision = view.revision
        self._frames: list[bytes] = []
        self._parts = self._encode(rows_of(view))
        self._is_whole = False

    def frame(self, at: int) -> bytes | None:
        """The part, the end after the last of them, then None."""
        while len(self._frames) <= at and not self._is_whole:
            frame = next(self._parts, None)
            if frame is None:
                self._is_whole = True
            else:
                self._frames.append(frame)
        return self._frames[at] if at < len(self._frames) else None

    def _encode(self, rows: list[DocumentRow | InstanceRow]) -> Iterator[bytes]:
        for part in cut(_changes(rows), SNAPSHOT_ENTRIES):
            yield encode_frame(Snapshot(revision=self.revision, entries=part))
        yield encode_frame(SnapshotEnd(revision=self.revision, entries=len(rows)))


def _changes(rows: list[DocumentRow | InstanceRow]) -> Iterator[Change]:
    return (row.change() for row in rows)
