"""What a request's target says: path, segments and query. Programs ask for the same few again and again."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_REMEMBERED: Final = 4096

# Path and segments percent-decoded, the query as it came.
Place = tuple[str, tuple[str, ...], str]


class Targets:
    """Those that were read, up to a number."""

    __slots__ = ("_read",)

    def __init__(self) -> None:
        self._read: dict[bytes, Place] = {}

    def place(self, target: bytes) -> Place:
        """Raises ValueError for what is no path."""
        place = self._read.get(target)
        if place is None:
            if len(self._read) >= _REMEMBERED:
                self._read.clear()
            place = self._read[target] = _read_target(target)
        return place


def _read_target(target: bytes) -> Place:
    """Raises ValueError for what is no path."""
    text = target.decode("latin-1")
    if not text.startswith("/"):  # absolute-form: http://host/path
        _, slashes, rest = text.partition("://")
        text = "/" + rest.partition("/")[2] if slashes else text
    raw_path, _, query = text.partition("?")
    if not raw_path.startswith("/"):
        raise ValueError("the target is no path")
    segments = tuple(raw_path.split("/")[1:])
    if "%" not in raw_path:
        return raw_path, segments, query
    if _BAD_ESCAPE.search(raw_path):
        raise ValueError("the path holds a % that begins no escape")
    segments = tuple(map(unquote, segments))
    if any("\x00" in segment for segment in segments):
        raise ValueError("the path holds a NUL")
    return unquote(raw_path), segments, query
