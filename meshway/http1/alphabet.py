"""Alphabets as tables: `text.translate(table).isdigit()` says that a text holds something, and nothing else.

bytes.translate with bytes to delete builds a table on each call and costs three times as much, `in` with bytes first
tries to read its left side as a number, and `find` parses its arguments by a format: a question without arguments costs
a fifth of it. On the way of every call that counts.
"""

from collections.abc import Iterable
from typing import Final

_INSIDE: Final = 0x30  # a digit
_STRAY: Final = 0x2D


def table(alphabet: Iterable[int]) -> bytes:
    """For bytes.translate: a digit for a byte of the alphabet, none for every other."""
    inside = frozenset(alphabet)
    return bytes(_INSIDE if code in inside else _STRAY for code in range(256))
