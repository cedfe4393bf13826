"""Which document is meant, and at which revision it must be."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from meshway.model.document import Document
from registry.view.rows import DocumentKey


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names a document."""

    kind: str
    namespace: str
    name: str

    def astuple(self) -> DocumentKey:
        return (self.kind, self.namespace, self.name)


class Guard(Key, frozen=True, forbid_unknown_fields=True):
    """The revision a document must still have when it is written; 0: it must not be there."""

    revision: Annotated[int, Meta(ge=0, le=2**63 - 1)]


def key_of(document: Document) -> DocumentKey:
    return (document.kind, document.metadata.namespace, document.metadata.name)
