"""From changes of the feed to decoded entries: what was put, what was deleted, what cannot be read."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import msgspec

from meshway.model.decode import decode_spec
from meshway.model.document import Spec
from meshway.model.instance import Instance
from meshway.snapshot import INSTANCE, Change

S = TypeVar("S", bound=Spec)
DocumentKey = tuple[str, str, str]  # kind, namespace, name
ServiceKey = tuple[str, str]  # namespace, service

_UNKNOWN_AGE: Final = "~"  # sorts after every RFC 3339 time


class Refusal(msgspec.Struct, frozen=True):
    """A document that does not compile; its last good version, if there was one, goes on. path: of the field."""

    kind: str
    namespace: str
    name: str
    path: str
    reason: str

    @property
    def key(self) -> DocumentKey:
        return (self.kind, self.namespace, self.name)


class CompileError(Exception):
    """This document cannot be run. path: from the document's root."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


@dataclass(slots=True, frozen=True)
class Entry(Generic[S]):
    """A decoded document. age: its creation time as text, for the order of routes; the same in every gateway."""

    kind: str
    namespace: str
    name: str
    spec: S
    age: str = _UNKNOWN_AGE

    @property
    def key(self) -> DocumentKey:
        return (self.kind, self.namespace, self.name)

    @property
    def title(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(slots=True)
class Diff:
    """instances: by service, id and new state, None when it is gone. documents: None when it is deleted."""

    instances: dict[ServiceKey, dict[str, Instance | None]] = field(default_factory=dict)
    documents: dict[DocumentKey, Entry[Any] | None] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)


class _Stored(msgspec.Struct):
    """What the compiler reads of a stored document; the rest is for people."""

    metadata: dict[str, Any]
    spec: Any


_instances: Final = msgspec.msgpack.Decoder(Instance)
_documents: Final = msgspec.msgpack.Decoder(_Stored)


def read_changes(changes: Iterable[Change]) -> Diff:
    """The last change of a key counts. What cannot be read is refused alone."""
    diff = Diff()
    for change in changes:
        if change.kind == INSTANCE:
            _read_instance(change, diff)
        elif change.op == "delete":
            diff.documents[change.key] = None
        else:
            _read_document(change, diff)
    return diff


def _read_instance(change: Change, diff: Diff) -> None:
    service, _, identity = change.name.partition("/")
    instance = None
    if change.op == "put":
        try:
            instance = _instances.decode(change.value)
        except msgspec.DecodeError as error:
            diff.refusals.append(Refusal(change.kind, change.namespace, change.name, "", str(error)))
            return
    diff.instances.setdefault((change.namespace, service), {})[identity] = instance


def _read_document(change: Change, diff: Diff) -> None:
    def refuse(path: str, reason: str) -> None:
        diff.refusals.append(Refusal(change.kind, change.namespace, change.name, path, reason))

    try:
        stored = _documents.decode(change.value)
    except msgspec.DecodeError as error:
        refuse("", str(error))
        return
    spec, errors = decode_spec(change.kind, stored.spec)
    if spec is None:
        refuse(errors[0].path, errors[0].message)
        return
    age = stored.metadata.get("created_at") or _UNKNOWN_AGE
    diff.documents[change.key] = Entry(change.kind, change.namespace, change.name, spec, str(age))
