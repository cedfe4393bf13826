"""Rows of the view: an instance and a document with all the registry knows of them, immutable."""

from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

from meshway.model.document import Document, Metadata, Spec
from meshway.model.instance import Instance
from meshway.snapshot import INSTANCE, Change
from registry.store.interface import DocumentRecord, InstanceRecord, Wanted

DocumentKey = tuple[str, str, str]
"""Kind, namespace, name."""
InstanceKey = tuple[str, str, str]
"""Namespace, service, id."""
Claim = tuple[str, ...]
"""What only one document may say, see `claims.py`."""

# The ttl_s of an instance that the registry asks itself: its lease never runs out by itself.
NO_LEASE_S: Final = 10 * 365 * 86_400

_encode: Final = msgspec.msgpack.Encoder().encode


class InstanceKept(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the log holds of an instance beside its value. New fields go to the end, with a default."""

    number: int
    token: str
    ttl_s: int
    wanted: Wanted
    critical_since: int = 0


class DocumentKept(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the log holds of a document beside its value."""

    created_at: float
    updated_at: float
    updated_by: str
    sealed: bytes = b""


class InstanceRow(msgspec.Struct, frozen=True, gc=False):
    """number: this registration's own, never given again. wanted: the status it has while its lease lives.

    value: the instance as feed, log and store carry it, encoded once. critical_since: the revision that made it
    critical, which `Draft.put_instance` looks after; 0 where it is not.
    """

    instance: Instance
    number: int
    token: str
    ttl_s: int
    wanted: Wanted
    revision: int
    value: bytes
    critical_since: int = 0

    @property
    def key(self) -> InstanceKey:
        instance = self.instance
        return (instance.namespace, instance.service, instance.id)

    @property
    def lease_id(self) -> str:
        return f"{self.number}-{self.instance.generation}-{self.token}"

    def change(self) -> Change:
        instance = self.instance
        name = f"{instance.service}/{instance.id}"
        return Change("put", INSTANCE, instance.namespace, name, msgspec.Raw(self.value))

    def kept(self) -> bytes:
        return _encode((self.number, self.token, self.ttl_s, self.wanted, self.critical_since))

    def record(self) -> InstanceRecord:
        return InstanceRecord(
            *self.key,
            self.number,
            self.token,
            self.ttl_s,
            self.wanted,
            self.revision,
            self.value,
            self.critical_since,
        )


class Reference(msgspec.Struct, frozen=True):
    """What a document says of another; path: where. part: a Service's subset or port, a Route's rule, of a Secret the
    types it may have (`hmac_keys jwks`), of a Listener what it must be (`edge`, `tls`). namespace: the
    document's own, where another's is not named. places: namespaces in which a Secret is looked for, in this order.
    key: the text of it that is meant, "" = the one that has its usual name.
    """

    path: str
    to: Literal[
        "service", "subset", "port", "route", "rule", "ip_list", "secret", "listener", "receiver", "descriptors"
    ]
    namespace: str
    name: str
    part: str = ""
    places: tuple[str, ...] = ()
    key: str = ""


class DocumentRow(msgspec.Struct, frozen=True):
    """spec None: this version cannot read it (written by another one); it is kept and passed on.

    claims: what no other document may claim too, see `claims.py`. sealed: what a Secret holds; it is in the store, and
    in nothing that is made of `value` or `document`.
    """

    document: Document
    spec: Spec | None
    revision: int
    created_at: float
    updated_at: float
    updated_by: str
    value: bytes
    references: tuple[Reference, ...] = ()
    claims: frozenset[Claim] = frozenset()
    sealed: bytes = b""

    @property
    def key(self) -> DocumentKey:
        metadata = self.document.metadata
        return (self.document.kind, metadata.namespace, metadata.name)

    def change(self) -> Change:
        kind, namespace, name = self.key
        return Change("put", kind, namespace, name, msgspec.Raw(self.value))

    def kept(self) -> bytes:
        return _encode((self.created_at, self.updated_at, self.updated_by, self.sealed))

    def record(self) -> DocumentRecord:
        return DocumentRecord(
            *self.key, self.revision, self.created_at, self.updated_at, self.updated_by, self.value, self.sealed or None
        )

    def answer(self) -> Document:
        """The document as people read it, with who changed it last, when, and in which revision."""
        return answered(
            self.document, self.revision, time_text(self.created_at), time_text(self.updated_at), self.updated_by
        )


def answered(document: Document, revision: int, created_at: str | None, updated_at: str, updated_by: str) -> Document:
    """document: as it is kept. The same as people read it, of now or of a revision before."""
    metadata = document.metadata
    return Document(
        api_version=document.api_version,
        kind=document.kind,
        metadata=Metadata(
            name=metadata.name,
            namespace=metadata.namespace,
            labels=metadata.labels,
            annotations=metadata.annotations,
            revision=revision,
            created_at=created_at,
            updated_at=updated_at,
            updated_by=updated_by,
            source=None if metadata.source is None else msgspec.structs.replace(metadata.source, lines={}),
        ),
        spec=document.spec,
    )


def instance_value(instance: Instance) -> bytes:
    return _encode(instance)


def document_value(document: Document, created_at: float) -> bytes:
    """Without its revision, which the frame says. created_at stays in: the older of two equal Routes goes first."""
    metadata = document.metadata
    carried = Metadata(
        name=metadata.name,
        namespace=metadata.namespace,
        labels=metadata.labels,
        annotations=metadata.annotations,
        created_at=time_text(created_at),
        source=metadata.source,
    )
    return _encode(msgspec.structs.replace(document, metadata=carried))


def time_text(at: float) -> str:
    """RFC 3339, UTC, milliseconds: texts order as times do."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
