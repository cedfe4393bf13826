"""Answers that several get, told as text once: a map of thousands of edges is a megabyte."""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

import msgspec

_MOST: Final = 8
_encode: Final = msgspec.json.Encoder().encode


class Text(NamedTuple):
    """body: JSON with a newline. tag: an ETag of what it says, quoted."""

    body: bytes
    tag: str


class Texts:
    """Of the last few values. They are told apart by what they are, not by what they say: nobody changes them."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: list[tuple[object, Text]] = []

    def of(self, value: object) -> Text:
        for known, text in self._kept:
            if known is value:
                return text
        encoded = _encode(value)
        text = Text(encoded + b"\n", f'"{hashlib.sha256(encoded).hexdigest()[:32]}"')
        self._kept = [*self._kept[1 - _MOST :], (value, text)]
        return text
