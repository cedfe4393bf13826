"""Server-sent events (WHATWG HTML §9.2), as far as registries write them."""

from collections.abc import Iterator
from typing import Any

import msgspec


class Events:
    """Server-sent events out of pieces of any size."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[tuple[str, Any]]:
        *whole, self._rest = (self._rest + piece).split(b"\n\n")
        for text in whole:
            fields = dict(line.split(b": ", 1) for line in text.split(b"\n") if b": " in line)
            if b"data" in fields:
                yield fields.get(b"event", b"").decode(), msgspec.json.decode(fields[b"data"])
