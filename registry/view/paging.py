"""Cursors of lists: opaque to the caller, and stable while rows come and go, since they hold the last key shown."""

from __future__ import annotations

import base64
import binascii
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from meshway.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000

_T = TypeVar("_T")
_Key = tuple[str, ...]


def page(
    rows: Iterable[_T], key: Callable[[_T], _Key], *, limit: int, cursor: str | None
) -> tuple[list[_T], str | None]:
    """rows: in the order of their keys. Returns the page and the cursor of the next, None at the end.

    Raises Problem 422 for a limit out of bounds or a cursor nobody gave out.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise Problem(422, "invalid_request", "Invalid request", detail=f"limit: {limit} is not in 1 to {MAX_LIMIT}")
    if cursor is not None:
        after = key_at(cursor)
        rows = (row for row in rows if key(row) > after)
    found = list(islice(rows, limit + 1))
    if len(found) <= limit:
        return found, None
    return found[:limit], cursor_of(key(found[limit - 1]))


def cursor_of(key: _Key) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(key)).decode().rstrip("=")


def key_at(cursor: str) -> _Key:
    """Raises Problem 422 for one that nobody gave out."""
    try:
        raw = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4))
        return msgspec.msgpack.decode(raw, type=tuple[str, ...])
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise Problem(
            422, "invalid_request", "Invalid request", detail="cursor: is none of ours; begin without one"
        ) from error
