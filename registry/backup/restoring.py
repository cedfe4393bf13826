"""Puts a backup into a store, in one transaction, as the beginning of a new history."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from registry.backup.archive import FORMAT, Begin, BrokenArchive, Rows, read_archive
from registry.rights.records import BINDING, LINK, SESSION, USER, User, read_all
from registry.store.interface import Batch
from registry.store.migrate import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from registry.store.interface import DataKeyRecord, PeopleRecord, Store

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


class SealedElsewhere(ValueError):
    """Why the store's own users and what the backup brings cannot be opened by one key: one line."""


class Own(NamedTuple):
    """What of its own a store has, and keeps: whoever may sign in today must not be somebody else tomorrow because of
    an older copy, and what was done stays done. data_keys: that stay, since the backup brings none. left: rows of
    people that count for nothing once others come."""

    callers: bool
    audit: bool
    data_keys: Sequence[DataKeyRecord] = ()
    left: Sequence[PeopleRecord] = ()


async def own_of(store: Store) -> Own:
    people = await store.people()
    # A link for the first admin stands in every store that a registry was started over.
    has_callers = bool(await store.tokens()) or any(row.kind in (USER, BINDING) for row in people)
    left = [] if has_callers else [row for row in people if row.kind in (LINK, SESSION) and row.value is not None]
    return Own(has_callers, (await store.audit_head()).seq > 0, left=left)


async def _with_keys(own: Own, brought: list[DataKeyRecord], store: Store) -> Own:
    """Raises SealedElsewhere."""
    kept = await store.data_keys()
    if not brought:
        return own._replace(data_keys=kept)
    if own.callers and {one.name: one.wrapped for one in brought} != {one.name: one.wrapped for one in kept}:
        rows = {row.id: row for row in await store.people() if row.kind == USER}
        sealed = sorted(user.name for user in read_all(rows, User) if user.totp)
        if sealed:
            raise SealedElsewhere(
                f"the store keeps its own users, and {', '.join(sealed[:5])} could not sign in any more: the secret "
                "that tells their codes is sealed by another key than the backup's"
            )
    return own


def _keys_in(file: Path, key: bytes | None) -> list[DataKeyRecord]:
    """They stand in the first of its rows."""
    return next((frame.data_keys for frame in read_archive(file, key) if isinstance(frame, Rows)), [])


async def restore_backup(file: Path, store: Store, *, at: float, ahead: int = AHEAD, key: bytes | None = None) -> int:
    """Everything the store held gives way, but what is its own; the answer is the new head. at: seconds since 1970.

    The change log begins anew and the epoch is another one, so followers and watchers get a snapshot. Raises
    BrokenArchive or SealedElsewhere before, or StoreUnavailable while it writes; in each case the store is what it was.
    """
    begin = check_backup(file, key)
    head = begin.revision + ahead
    epoch = secrets.token_hex(8)
    own = await _with_keys(await own_of(store), _keys_in(file, key), store)
    await store.restore(_batches(read_archive(file, key), epoch, head, begin.instance_number, at, own))
    return head


def _batches(
    frames: Iterator[Begin | Rows], epoch: str, head: int, instance_number: int, at: float, own: Own
) -> Iterator[Batch]:
    yield Batch(
        epoch=epoch,
        base=head,
        head=head,
        instance_number=instance_number,
        at=at,
        data_keys=list(own.data_keys),
        people=[msgspec.structs.replace(row, version=row.version + 1, until=at, value=None) for row in own.left],
    )
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
