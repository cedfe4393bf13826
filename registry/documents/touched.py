"""The documents a write touched, as they were before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry.view.rows import DocumentKey, DocumentRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from registry.revisions.draft import Draft


class Before:
    """The documents a write touched, as they were before it."""

    __slots__ = ("_draft", "rows")

    def __init__(self, draft: Draft) -> None:
        self.rows: dict[DocumentKey, DocumentRow | None] = {}
        self._draft = draft

    def remember(self, key: DocumentKey) -> DocumentRow | None:
        row = self.rows[key] = self._draft.document(key)
        return row

    def document(self, key: DocumentKey) -> DocumentRow | None:
        """As it was before the write."""
        return self.rows[key] if key in self.rows else self._draft.document(key)

    def moved(self, draft: Draft) -> list[DocumentKey]:
        """The touched ones that differ now, those that are gone among them."""
        return [key for key, before in self.rows.items() if draft.document(key) is not before]

    def changed(self, draft: Draft) -> Iterator[DocumentRow]:
        """The touched ones that are there now and differ."""
        for key, before in self.rows.items():
            after = draft.document(key)
            if after is not None and after is not before:
                yield after
