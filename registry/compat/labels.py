"""Names of other protocols as ours: theirs are any text, ours RFC 1123 labels."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

from meshway.model.document import LABEL_PATTERN

MAX_NAME: Final = 255
_LABEL: Final = re.compile(LABEL_PATTERN)
_NO_LABEL: Final = re.compile(r"[^a-z0-9]+")
_SLUG: Final = 50


def is_label(name: str) -> bool:
    return _LABEL.fullmatch(name) is not None


def label_of(name: str) -> str:
    """The same where that can be, else a readable one that is no other's (40 bits of SHA-256).

    Whoever needs the name back keeps it beside. Raises ValueError for one that is empty, too long or not printable.
    """
    if _LABEL.fullmatch(name):
        return name
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise ValueError(f"{name[:100]!r} is no name: 1 to {MAX_NAME} printable characters")
    slug = _NO_LABEL.sub("-", name.lower())[:_SLUG].strip("-") or "x"
    return f"{slug}-{sha256(name.encode('utf-8', 'replace')).hexdigest()[:10]}"
