"""What became of documents that were written."""

from __future__ import annotations

from typing import Literal

import msgspec

from meshway.model.document import Document
from meshway.rehearsal import Rehearsal as RecordedRehearsal
from registry.documents.cautions import Caution
from registry.documents.differences import ValueChange

Outcome = Literal["created", "changed", "unchanged", "deleted"]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one document. source: `shop/cart.yaml:12`, told by histories of what was published from a file."""

    kind: str
    namespace: str
    name: str
    result: Outcome
    changes: list[ValueChange] = []
    source: str | msgspec.UnsetType = msgspec.UNSET


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """revision: the new one; the head when nothing changed, or on a dry run. rehearsal: where one was asked for."""

    revision: int
    documents: list[Result]
    warnings: list[Caution] = []
    rehearsal: RecordedRehearsal | msgspec.UnsetType = msgspec.UNSET


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """document: as people read it. revision: the document's."""

    document: Document
    result: Literal["created", "changed", "unchanged"]
    revision: int
    warnings: list[Caution] = []
