"""Which of several answers of one key a request gets: by the fields that Vary names (RFC 9111 §4.1)."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from meshway.http1.fields import find_all

AskedWith = tuple[tuple[bytes, bytes | None], ...]
# Fields that this gateway writes itself, another value for each call: an answer that depends on them has one caller.
_OURS: Final = frozenset(
    {b"x-forwarded-for", b"x-real-ip", b"forwarded", b"via", b"x-request-id", b"traceparent", b"tracestate"}
)
_KEYED: Final = frozenset({b"host", b"x-forwarded-host", b"x-forwarded-proto"})  # every key has what is in them


def varying(block: bytes) -> tuple[bytes, ...] | None:
    """The names, lower-case, that an answer's Vary says; None: no other request may get it."""
    values = find_all(block, b"vary")
    if not values:
        return ()
    names = {name.strip(b" \t").lower() for value in values for name in value.split(b",")} - {b""}
    if b"*" in names or not _OURS.isdisjoint(names) or any(name[:8] == b"meshway-" for name in names):
        return None
    return tuple(sorted(names - _KEYED))


def asked_with(names: Sequence[bytes], block: bytes) -> AskedWith:
    """What a request has in these fields. block: of it, as it goes to the service."""
    return tuple((name, value_of(block, name)) for name in names)


def value_of(block: bytes, name: bytes) -> bytes | None:
    """All values of the name, in their order; None: it has none."""
    values = find_all(block, name)
    if not values:
        return None
    joined = values[0] if len(values) == 1 else b", ".join(values)
    return _codings(joined) if name == b"accept-encoding" else joined


@lru_cache(maxsize=256)
def _codings(value: bytes) -> bytes:
    """Browsers write the same wish in several ways, each of which would else have an answer of its own."""
    return b",".join(sorted({part.translate(None, b" \t").lower() for part in value.split(b",")} - {b""}))
