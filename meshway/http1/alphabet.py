"""Alphabets as tables: `text.translate(table).find(STRAY) < 0` says that a text holds nothing else.

bytes.translate with bytes to delete builds a table on each call and costs three times as much, and `in` with bytes
first tries to read its left side as a number; on the way of every call both count.
"""

from collections.abc import Iterable
from typing import Final

STRAY: Final = 1


def table(alphabet: Iterable[int]) -> bytes:
    """For bytes.translate: 0 for a byte of the alphabet, STRAY for every other."""
    inside = frozenset(alphabet)
    return bytes(0 if code in inside else STRAY for code in range(256))
