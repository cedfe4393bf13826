"""Puts a backup into a store, in one transaction, as the beginning of a new history."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, NamedTuple

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


def check_backup(file: Path, key: bytes | None = None) -> Begin:
    """Reads the whole file. key: of one that is sealed. Raises BrokenArchive for one that is not whole, or of a later
    version than this."""
    begin: Begin | None = None
    for frame in read_archive(file, key):
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


class Own(NamedTuple):
    """What of its own a store has, and keeps: whoever may sign in today must not be somebody else tomorrow because of
    an older copy, and what was done stays done."""

    callers: bool
    audit: bool


async def own_of(store: Store) -> Own:
    has_callers = bool(await store.tokens()) or bool(await store.people())
    return Own(has_callers, (await store.audit_head()).seq > 0)


async def restore_backup(file: Path, store: Store, *, at: float, ahead: int = AHEAD, key: bytes | None = None) -> int:
    """Everything the store held gives way, but what is its own; the answer is the new head. at: seconds since 1970.

    The change log begins anew and the epoch is another one, so followers and watchers get a snapshot. Raises
    BrokenArchive before or StoreUnavailable while it writes; in both cases the store is what it was.
    """
    begin = check_backup(file, key)
    head = begin.revision + ahead
    epoch = secrets.token_hex(8)
    own = await own_of(store)
    await store.restore(_batches(read_archive(file, key), epoch, head, begin.instance_number, at, own))
    return head


def _batches(
    frames: Iterator[Begin | Rows], epoch: str, head: int, instance_number: int, at: float, own: Own
) -> Iterator[Batch]:
    for frame in frames:
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
                tokens=[] if own.callers else frame.tokens,
                people=[] if own.callers else frame.people,
                audit=[] if own.audit else frame.audit,
                audit_head=[] if own.audit else frame.audit_head,
                history_from=frame.history_from,
            )
