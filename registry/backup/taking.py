"""Takes a backup: from a running registry's view, or from a store that nobody serves."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeVar

from registry.backup.archive import FORMAT, ArchiveWriter, Begin, Rows
from registry.store.audit import cut_of, read_cut
from registry.store.authorities import authority_of, read_authorities, read_trust, trust_of
from registry.store.certificates import certificate_of, read_certificates
from registry.store.migrate import SCHEMA

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence

    from registry.store.certificates import CertificateRecord
    from registry.store.interface import (
        AuditHeadRecord,
        DocumentRecord,
        InstanceRecord,
        Loaded,
        OnceRecord,
        PeopleRecord,
        Store,
        TokenRecord,
    )
    from registry.view.view import View

_ROWS: Final = 500
_PART_BYTES: Final = 1 << 20
_HISTORY_REVISIONS: Final = 50

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Held:
    """What there is at one revision, but for the history, which is read up to that revision.

    audit_head: of the log, whose rows are read up to it. has_sealed: some of it opens by the store's data keys alone.
    Without, they stay out, so that a store where nothing was ever sealed goes anywhere without its master key.
    """

    epoch: str
    revision: int
    instance_number: int
    namespaces: Sequence[str]
    instances: Iterable[InstanceRecord]
    documents: Iterable[DocumentRecord]
    onces: Iterable[OnceRecord]
    tokens: Sequence[TokenRecord]
    people: Sequence[PeopleRecord]
    audit_head: AuditHeadRecord
    has_sealed: bool


def held_by_view(view: View) -> Held:
    """Takes hold of the rows, which never change, between two steps of the loop; records are made as they are read."""
    instances = [row for service in view.services.values() for row in service.values()]
    documents = [row for of_kind in view.documents.values() for row in of_kind.values()]
    people = _lasting([row for of_kind in view.people.values() for row in of_kind.values()])
    return Held(
        epoch=view.epoch,
        revision=view.revision,
        instance_number=view.instance_number,
        namespaces=sorted(view.namespaces),
        instances=(row.record() for row in instances),
        documents=(row.record() for row in documents),
        onces=list(view.onces.values()),
        tokens=list(view.tokens.values()),
        people=people,
        audit_head=view.audit_head,
        has_sealed=bool(people) or any(row.sealed for row in documents),
    )


def _lasting(records: Iterable[PeopleRecord]) -> list[PeopleRecord]:
    """Users and their roles. Who has signed in somewhere signs in again: sessions and links are of a day."""
    return [record for record in records if record.until is None and record.value is not None]


def held_by_store(loaded: Loaded) -> Held:
    people = _lasting(loaded.people)
    return Held(
        epoch=loaded.epoch,
        revision=loaded.revision,
        instance_number=loaded.instance_number,
        namespaces=loaded.namespaces,
        instances=loaded.instances,
        documents=loaded.documents,
        onces=loaded.onces,
        tokens=loaded.tokens,
        people=people,
        audit_head=loaded.audit_head,
        has_sealed=bool(people) or any(record.sealed for record in loaded.documents),
    )


async def take_backup(held: Held, store: Store, *, version: str, at: float) -> AsyncIterator[bytes]:
    """The file, piece by piece. at: seconds since 1970. Raises StoreUnavailable: what came until then is no backup; of
    a store that is away from the start nothing comes."""
    history = await store.history(held.revision + 1, _HISTORY_REVISIONS)
    writer = ArchiveWriter()
    begin = Begin(
        format=FORMAT,
        meshway=version,
        schema=SCHEMA,
        at=datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds"),
        epoch=held.epoch,
        revision=held.revision,
        instance_number=held.instance_number,
    )
    yield writer.begin(begin)
    trust, authorities = await store.do([read_trust(), read_authorities()])
    data_keys = await store.data_keys() if held.has_sealed or authorities else []
    for rows in chain(
        [Rows(namespaces=list(held.namespaces), data_keys=data_keys)],
        [Rows(trust=[*map(trust_of, trust)], authorities=[*map(authority_of, authorities)])] if trust else (),
        (Rows(instances=part) for part in _parts(held.instances, lambda row: len(row.value))),
        (Rows(documents=part) for part in _parts(held.documents, lambda row: len(row.value) + len(row.sealed or b""))),
        (Rows(onces=part) for part in _parts(held.onces, lambda row: len(row.answer))),
        (Rows(tokens=part) for part in _parts(held.tokens, lambda row: len(row.scope))),
        (Rows(people=part) for part in _parts(held.people, lambda row: len(row.value or b""))),
    ):
        # In a thread: packing takes milliseconds, in which no heartbeat would be answered.
        yield await asyncio.to_thread(writer.rows, rows)
    while history:
        for part in _parts(history, lambda row: len(row.value or b"")):
            yield await asyncio.to_thread(writer.rows, Rows(history=part))
        history = await store.history(history[-1].revision, _HISTORY_REVISIONS)
    async for certificates in _certificates(store, at):
        yield await asyncio.to_thread(writer.rows, Rows(certificates=certificates))
    async for log in _audit(store, held.audit_head):
        yield await asyncio.to_thread(writer.rows, log)
    # Asked last: what was forgotten in the meantime is missing above.
    yield await asyncio.to_thread(writer.rows, Rows(history_from=await store.history_from()))
    yield writer.end()


async def _certificates(store: Store, now: float) -> AsyncIterator[list[CertificateRecord]]:
    """Those that have not expired."""
    after = ("", "")
    while True:
        (rows,) = await store.do([read_certificates(now, subject="", after=after, count=_ROWS)])
        if not rows:
            return
        records = [certificate_of(row) for row in rows]
        yield records
        after = (records[-1].subject, records[-1].serial)


async def _audit(store: Store, head: AuditHeadRecord) -> AsyncIterator[Rows]:
    """Up to a row, and what stood before the first one that is still there."""
    if not head.seq:
        return
    while True:
        cut = cut_of((await store.do([read_cut()]))[0])
        rows = await store.audit_after(cut.seq, _ROWS)
        if not rows or rows[0].seq == cut.seq + 1:
            break  # else some were forgotten between the two
    yield Rows(audit_head=[head, cut] if cut.seq else [head])
    while rows:
        for part in _parts([row for row in rows if row.seq <= head.seq], lambda row: len(row.detail)):
            yield Rows(audit=part)
        last = rows[-1].seq
        rows = await store.audit_after(last, _ROWS) if last < head.seq else []


def _parts(rows: Iterable[_T], bytes_of: Callable[[_T], int]) -> Iterator[list[_T]]:
    """So many rows at once that a part stays far below what a frame may hold."""
    part: list[_T] = []
    room = _PART_BYTES
    for row in rows:
        part.append(row)
        room -= bytes_of(row)
        if len(part) == _ROWS or room <= 0:
            yield part
            part, room = [], _PART_BYTES
    if part:
        yield part
