"""The last good snapshot on disk, so that a gateway starts and serves with no registry alive.

`last_good/<revision>.snapshot` = magic, version (u32), the feed's frames (hello, snapshot parts, snapshot_end), the
documents' versions that run in place of refused ones (`feed/proven.py`) as a delta, SHA-256 of all before. It is
written whole and renamed. `<revision>.deltas` beside it grows by the deltas since, each followed by its CRC-32; a delta
of the revision that is reached already tells those versions anew. A torn tail is cut where the first record is wrong.
Two snapshots are kept: when one is damaged, the one before serves.
"""

import hashlib
import os
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from gateway.feed.frames import delta_frames, snapshot_frames
from gateway.feed.proven import Proven
from gateway.feed.state import Changes, FeedState, Key, Trouble, Whole
from meshway.snapshot import Change, Delta, FrameError, FrameReader, Hello

MAGIC: Final = b"MWGOOD\r\n"  # a file that went through a text-mode copy shows
VERSION: Final = 1
KEPT: Final = 2
_DIGEST: Final = 32
_HEAD: Final = len(MAGIC) + 4


class Damaged(Exception):
    """The file is not what was written; its reason is for people."""


@dataclass(slots=True, frozen=True)
class LastGood:
    """What was found. refused: files that were passed over, each with its reason."""

    epoch: str
    revision: int
    entries: dict[Key, Change]
    proven: Proven
    refused: tuple[str, ...] = ()


def load(folder: Path) -> tuple[LastGood | None, tuple[str, ...]]:
    """The newest snapshot that is whole, with its deltas, and why newer ones were refused. None: there is none."""
    refused: list[str] = []
    for path in _snapshots(folder):
        try:
            whole, proven = read_snapshot(path)
        except (Damaged, OSError) as error:
            refused.append(f"{path.name}: {error}")
            continue
        return _with_deltas(whole, proven, path.with_suffix(".deltas"), tuple(refused)), tuple(refused)
    return None, tuple(refused)


def write_snapshot(
    folder: Path, epoch: str, revision: int, entries: Iterable[Change], proven: Sequence[Change] = ()
) -> Path:
    """Whole or not at all; older ones but one are removed afterwards. Raises OSError, and then nothing has changed.

    proven: as `Proven.changes` gives them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{revision:020d}.snapshot"
    fresh = path.with_suffix(".new")
    digest = hashlib.sha256()
    try:
        with fresh.open("wb") as file:
            head, frames = (MAGIC, VERSION.to_bytes(4, "big")), snapshot_frames(epoch, revision, entries)
            for piece in chain(head, frames, (delta_frames(revision, list(proven)),)):
                digest.update(piece)
                file.write(piece)
            file.write(digest.digest())
            file.flush()
            os.fsync(file.fileno())
        path.with_suffix(".deltas").unlink(missing_ok=True)  # of another history with the same revision
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    _sync_folder(folder)
    for old in _snapshots(folder)[KEPT:]:
        old.with_suffix(".deltas").unlink(missing_ok=True)
        old.unlink(missing_ok=True)
    return path


def append_deltas(snapshot: Path, records: bytes) -> None:
    """records: of `record`, one after the other. Raises OSError."""
    with snapshot.with_suffix(".deltas").open("ab") as file:
        file.write(records)
        file.flush()
        os.fsync(file.fileno())


def record(revision: int, changes: list[Change]) -> bytes:
    """A revision as it stands in the deltas' file: length (u32), frames, CRC-32 of the frames.

    changes: of a revision that stands there already: as `Proven.changes` gives them now.
    """
    frames = delta_frames(revision, changes)
    return len(frames).to_bytes(4, "big") + frames + zlib.crc32(frames).to_bytes(4, "big")


def read_snapshot(path: Path) -> tuple[Whole, list[Change]]:
    """The snapshot and what was proven beside it. Raises Damaged with the reason, OSError."""
    data = path.read_bytes()
    if data[: len(MAGIC)] != MAGIC:
        raise Damaged("is no snapshot of a gateway")
    version = int.from_bytes(data[len(MAGIC) : _HEAD], "big")
    if version != VERSION:
        raise Damaged(f"has version {version}, this gateway reads {VERSION}")
    if len(data) < _HEAD + _DIGEST or hashlib.sha256(data[:-_DIGEST]).digest() != data[-_DIGEST:]:
        raise Damaged("fails its checksum")
    state = FeedState()
    whole: Whole | None = None
    proven: list[Change] = []
    try:
        for frame in FrameReader().feed(data[_HEAD:-_DIGEST]):
            if whole is not None:
                proven += frame.changes if isinstance(frame, Delta) else ()
                continue
            outcome = state.take(frame)
            if isinstance(outcome, Whole):
                whole = outcome
            elif isinstance(outcome, Trouble):
                raise Damaged(outcome.reason)
    except FrameError as error:
        raise Damaged(str(error)) from error
    if whole is None:
        raise Damaged("ends before its snapshot does")
    return whole, proven


def _with_deltas(whole: Whole, proven: list[Change], path: Path, refused: tuple[str, ...]) -> LastGood:
    state = FeedState(epoch=whole.epoch, revision=whole.revision)
    state.take(Hello(epoch=whole.epoch, revision=whole.revision))
    entries, versions = whole.entries, Proven()
    versions.restore(proven, whole.revision, entries)
    for frames in _records(path):
        told: list[Change] | None = None
        try:
            for frame in FrameReader().feed(frames):
                if isinstance(frame, Delta) and frame.revision == state.revision:
                    told = [*(told or ()), *frame.changes]
                    continue
                outcome = state.take(frame) if isinstance(frame, Delta) else Trouble("bad", "no delta")
                if isinstance(outcome, Trouble):
                    raise FrameError(outcome.reason)
                if isinstance(outcome, Changes):
                    versions.take(outcome, entries)
                    merge(entries, outcome.changes)
        except FrameError:
            break
        if told is not None:
            versions = Proven()
            versions.restore(told, state.revision, entries)
    versions.begin(state.revision, entries)
    return LastGood(whole.epoch, state.revision, entries, versions, refused)


def _records(path: Path) -> Iterable[bytes]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return
    at = 0
    while at + 4 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        frames, check = data[at + 4 : at + 4 + size], data[at + 4 + size : at + 8 + size]
        if len(check) < 4 or zlib.crc32(frames) != int.from_bytes(check, "big"):
            return
        yield frames
        at += 8 + size


def merge(entries: dict[Key, Change], changes: Iterable[Change]) -> None:
    """Brings the entries to the next revision, in place."""
    for change in changes:
        if change.op == "put":
            entries[change.key] = change
        else:
            entries.pop(change.key, None)


def _snapshots(folder: Path) -> list[Path]:
    """Newest first: by time of writing, since a new epoch may begin with a smaller revision."""
    return sorted(folder.glob("*.snapshot"), key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
