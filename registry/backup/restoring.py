"""Puts a backup into a store, in one transaction, as the beginning of a new history."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from registry.backup.archive import FORMAT, Begin, BrokenArchive, Rows, read_archive
from registry.store.interface import Batch
from registry.store.migrate import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from registry.store.interface import Store

# What was answered after the backup is lost, and its revisions must not come again with another meaning: whoever holds
# one as ETag or as the place where he left a watch would not notice. etcd takes such a step for the same reason.
AHEAD: Final = 1_000_000


def check_backup(file: Path) -> Begin:
    """Reads the whole file. Raises BrokenArchive for one that is not whole, or of a later version than this."""
    begin: Begin | None = None
    for frame in read_archive(file):
        if isinstance(frame, Begin):
            begin = frame
            if begin.format > FORMAT or begin.schema > SCHEMA:
                raise BrokenArchive(
                    f"{file} was written by Meshway {begin.meshway} (schema {begin.schema}), this one knows {SCHEMA}: "
                    "install the newer Meshway"
                )
    if begin is None:
        raise BrokenArchive(f"{file} holds nothing")
    return begin


async def restore_backup(file: Path, store: Store, *, at: float, ahead: int = AHEAD) -> int:
    """Everything the store held gives way; the answer is the new head. at: seconds since 1970.

    The change log begins anew and the epoch is another one, so followers and watchers get a snapshot. Raises
    BrokenArchive before or StoreUnavailable while it writes; in both cases the store is what it was.
    """
    begin = check_backup(file)
    head = begin.revision + ahead
    epoch = secrets.token_hex(8)
    await store.restore(_batches(file, epoch, head, begin.instance_number, at))
    return head


def _batches(file: Path, epoch: str, head: int, instance_number: int, at: float) -> Iterator[Batch]:
    for frame in read_archive(file):
        if isinstance(frame, Rows):
            yield Batch(
                epoch=epoch,
                base=head,
                head=head,
                instance_number=instance_number,
                at=at,
                namespaces=frame.namespaces,
                instances=frame.instances,
                documents=frame.documents,
                history=frame.history,
                onces=frame.onces,
                data_keys=frame.data_keys,
                trust=frame.trust,
                authorities=frame.authorities,
                certificates=frame.certificates,
                history_from=frame.history_from,
            )
