"""Rows of the store turned into rows of the view: at the start, and where another registry changed them."""

from __future__ import annotations

import logging
from sys import intern
from typing import TYPE_CHECKING, Final, cast

import msgspec

from meshway.model.decode import decode_spec
from meshway.model.document import Document
from meshway.model.instance import Tags, decode_instance
from meshway.snapshot import INSTANCE
from registry.documents.claims import claims
from registry.documents.references import references
from registry.store.interface import DocumentRecord, InstanceRecord
from registry.view.rows import DocumentKept, DocumentRow, InstanceKept, InstanceRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry.store.interface import ChangeRecord, Loaded, Wanted

_document: Final = msgspec.msgpack.Decoder(Document)
_instance_kept: Final = msgspec.msgpack.Decoder(InstanceKept)
_document_kept: Final = msgspec.msgpack.Decoder(DocumentKept)
_log = logging.getLogger("registry.documents.reading")


def read_instance(record: InstanceRecord, tags: Tags) -> InstanceRow:
    """tags: those read before; one reading of the store shares them."""
    instance = decode_instance(record.value, tags)
    # An older version did not write since when: then since it was written last.
    critical_since = (record.critical_since or record.revision) if instance.status == "critical" else 0
    return InstanceRow(
        instance=instance,
        number=record.number,
        token=record.token,
        ttl_s=record.ttl_s,
        wanted=cast("Wanted", intern(record.wanted)),
        revision=record.revision,
        value=record.value,
        critical_since=critical_since,
    )


def rows_of(loaded: Loaded) -> tuple[Iterator[InstanceRow], Iterator[DocumentRow]]:
    """Every row of a store, one by one."""
    tags: Tags = {}
    return (read_instance(record, tags) for record in loaded.instances), map(read_document, loaded.documents)


def read_document(record: DocumentRecord) -> DocumentRow:
    """A document another version wrote and this one cannot read is kept as it is, and said so in the log."""
    document = decode_value(record.value)
    spec, errors = decode_spec(record.kind, document.spec)
    if spec is None:
        _log.warning("%s is kept unread: %s", document.name, errors[0].message)
    return DocumentRow(
        document=document,
        spec=spec,
        revision=record.revision,
        created_at=record.created_at,
        updated_at=record.updated_at,
        updated_by=record.updated_by,
        value=record.value,
        references=() if spec is None else references(spec, record.namespace),
        claims=frozenset() if spec is None else claims(spec, record.namespace, record.name),
        sealed=record.sealed or b"",
    )


def read_change(change: ChangeRecord) -> InstanceRow | DocumentRow:
    """The row a change of the log put. Raises ValueError where the log cannot tell it (written by an older version)."""
    if change.value is None or change.kept is None:
        raise ValueError(f"r{change.revision} does not say all of {change.kind} {change.namespace}/{change.name}")
    if change.kind == INSTANCE:
        service, _, instance_id = change.name.partition("/")
        lease = _instance_kept.decode(change.kept)
        record = InstanceRecord(
            namespace=change.namespace,
            service=service,
            id=instance_id,
            number=lease.number,
            token=lease.token,
            ttl_s=lease.ttl_s,
            wanted=lease.wanted,
            revision=change.revision,
            value=change.value,
            critical_since=lease.critical_since,
        )
        return read_instance(record, {})
    written = _document_kept.decode(change.kept)
    return read_document(
        DocumentRecord(
            kind=change.kind,
            namespace=change.namespace,
            name=change.name,
            revision=change.revision,
            created_at=written.created_at,
            updated_at=written.updated_at,
            updated_by=written.updated_by,
            value=change.value,
            sealed=written.sealed,
        )
    )


def decode_value(value: bytes) -> Document:
    return _document.decode(value)
