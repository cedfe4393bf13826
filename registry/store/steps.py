"""Rows that stand beside the revisions (identities, tokens): statements done together, the same on every store.

They take no part in the one order of changes: no feed shows them and no revision is given. Of two that exclude each
other the statements themselves let one through, by conditions on the rows they touch: over all registries on a store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.sql.elements import ClauseElement

Row = tuple[Any, ...]


class Query:
    """A statement of SQLAlchemy's, which each store compiles once. Made once, at import; the binds bear names."""

    __slots__ = ("construct",)

    def __init__(self, construct: ClauseElement) -> None:
        self.construct: Final = construct


class Step(msgspec.Struct, frozen=True):
    """A query with its values. needs_row: without a row from it nothing of all the steps is done."""

    query: Query
    values: Mapping[str, Any] = {}
    needs_row: bool = False


class NoRow(Exception):
    """A step that needed a row got none, and nothing was done. at: which of them."""

    def __init__(self, at: int) -> None:
        super().__init__(f"step {at} found no row")
        self.at = at
