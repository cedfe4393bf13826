"""Whole states and single revisions as the feed's frames, for workers and for the disk."""

from collections.abc import Iterable, Iterator
from itertools import islice

from meshway.snapshot import (
    MAX_FRAME,
    SNAPSHOT_ENTRIES,
    Change,
    Delta,
    Hello,
    Snapshot,
    SnapshotEnd,
    encode_frame,
)

_ROOM = MAX_FRAME - 4096  # a frame's own fields, and each entry's kind, namespace and name are counted below
_ENTRY = 256


def snapshot_frames(epoch: str, revision: int, entries: Iterable[Change]) -> Iterator[bytes]:
    """hello, parts, snapshot_end; made one by one as they are asked for. entries may not change meanwhile."""
    yield encode_frame(Hello(epoch=epoch, revision=revision))
    count = 0
    for part in parts(entries):
        count += len(part)
        yield encode_frame(Snapshot(revision=revision, entries=part))
    yield encode_frame(SnapshotEnd(revision=revision, entries=count))


def delta_frames(revision: int, changes: list[Change]) -> bytes:
    """One revision, in as many parts as its size asks for."""
    pieces = list(parts(changes)) or [[]]
    last = len(pieces) - 1
    return b"".join(
        encode_frame(Delta(revision=revision, changes=part, more=at < last, part=at)) for at, part in enumerate(pieces)
    )


def parts(entries: Iterable[Change]) -> Iterator[list[Change]]:
    """As many as fit into a frame each."""
    rest = iter(entries)
    while block := list(islice(rest, SNAPSHOT_ENTRIES)):
        part: list[Change] = []
        size = 0
        for entry in block:
            length = len(bytes(entry.value)) + _ENTRY
            if part and size + length > _ROOM:
                yield part
                part, size = [], 0
            part.append(entry)
            size += length
        yield part
