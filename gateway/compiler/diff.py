"""From changes of the feed to decoded entries: what was put, what was deleted, what cannot be read."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from sys import intern
from typing import Any, Final, Generic, Self, TypeVar

import msgspec

from meshway.model.decode import decode_spec
from meshway.model.document import Spec
from meshway.model.instance import Instance, Tags, decode_instance
from meshway.snapshot import INSTANCE, Change

S = TypeVar("S", bound=Spec)
DocumentKey = tuple[str, str, str]  # kind, namespace, name
ServiceKey = tuple[str, str]  # namespace, service

_UNKNOWN_AGE: Final = "~"  # sorts after every RFC 3339 time
_log = logging.getLogger("meshway.gateway.compiler")


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
    """This document cannot be run. path: from the document's root, "" for all of it. defect: a fault of ours."""

    def __init__(self, path: str, reason: str, defect: Exception | None = None) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason
        self.defect = defect

    @classmethod
    def of_defect(cls, error: Exception) -> Self:
        """It must not hold up the other documents of its revision."""
        return cls("", f"internal error: {type(error).__name__}: {error}", error)


@dataclass(slots=True, frozen=True)
class Entry(Generic[S]):
    """A decoded document. age: its creation time as text, for the order of routes; the same in every gateway.

    key, title: made once, since plans, tables and counters of as many Routes as there are keep them.
    """

    kind: str
    namespace: str
    name: str
    spec: S
    age: str = _UNKNOWN_AGE
    key: DocumentKey = field(init=False, repr=False, compare=False)
    title: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", (self.kind, self.namespace, self.name))
        object.__setattr__(self, "title", f"{self.namespace}/{self.name}")


@dataclass(slots=True)
class Diff:
    """instances: by service, id and new state, None when it is gone. documents: None when it is deleted.

    unread: the specs of documents that are in `refusals`, as they came; None when not even that could be read.
    """

    instances: dict[ServiceKey, dict[str, Instance | None]] = field(default_factory=dict)
    documents: dict[DocumentKey, Entry[Any] | None] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    unread: dict[DocumentKey, Any] = field(default_factory=dict)


class _Stored(msgspec.Struct):
    """What the compiler reads of a stored document; the rest is for people."""

    metadata: dict[str, Any]
    spec: Any


_documents: Final = msgspec.msgpack.Decoder(_Stored)


def read_changes(changes: Iterable[Change], diff: Diff | None = None) -> Diff:
    """The last change of a key counts. What cannot be read is refused alone. diff: of the changes before these."""
    diff = Diff() if diff is None else diff
    tags: Tags = {}
    for change in changes:
        try:
            if change.kind == INSTANCE:
                _read_instance(change, diff, tags)
            elif change.op == "delete":
                diff.documents[change.key] = None
            else:
                _read_document(change, diff)
        except Exception as error:
            _log.exception("reading %s %s/%s failed", change.kind, change.namespace, change.name)
            _refuse(diff, change, CompileError.of_defect(error))
    return diff


def _refuse(diff: Diff, change: Change, error: CompileError, spec: object = None) -> None:
    diff.refusals.append(Refusal(change.kind, change.namespace, change.name, error.path, error.reason))
    if change.kind != INSTANCE:
        diff.unread[change.key] = spec


def _read_instance(change: Change, diff: Diff, tags: Tags) -> None:
    service, _, identity = change.name.partition("/")
    instance = None
    if change.op == "put":
        try:
            instance = decode_instance(change.value, tags)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            _refuse(diff, change, CompileError("", str(error)))
            return
        if instance.id == identity:
            identity = instance.id  # one text for both
    of_service = diff.instances.get((change.namespace, service))
    if of_service is None:
        of_service = diff.instances[intern(change.namespace), intern(service)] = {}
    of_service[identity] = instance


def _read_document(change: Change, diff: Diff) -> None:
    try:
        stored = _documents.decode(change.value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        _refuse(diff, change, CompileError("", str(error)))
        return
    spec, errors = decode_spec(change.kind, stored.spec)
    if spec is None:
        _refuse(diff, change, CompileError(errors[0].path, errors[0].message), stored.spec)
        return
    if diff.unread.pop(change.key, diff) is not diff:  # mended within the batch
        diff.refusals = [refusal for refusal in diff.refusals if refusal.key != change.key]
    # What was applied together is of one age.
    age = intern(str(stored.metadata.get("created_at") or _UNKNOWN_AGE))
    entry = Entry(change.kind, change.namespace, change.name, spec, age)
    diff.documents[entry.key] = entry
