"""What a connection that carries many calls hears of them, whatever the version of HTTP that brought it."""

from collections.abc import Sequence
from typing import Final, NamedTuple

Fields = Sequence[tuple[bytes, bytes]]
"""Names in lower case, those with a colon first."""

NO_ERROR: Final = 0x00  # of an `Ended`
MAX_FIELDS: Final = 128
MAX_FIELD_SECTION: Final = 64 * 1024
# Requests that a caller may take back or that are none: what is saved up, and what comes back in a second.
RESETS: Final = (200, 33)


class Request(NamedTuple):
    """The head of a request. first: the beginning of its body, as far as it came with it. ended: the message is whole
    with these."""

    stream: int
    fields: Fields
    ended: bool
    first: bytes = b""


class Interim(NamedTuple):
    """An answer of 1xx."""

    stream: int
    fields: Fields


class Head(NamedTuple):
    """The final head of an answer. first, trailers: of its body, and behind it, as far as they came with it. ended: the
    message is whole with these."""

    stream: int
    fields: Fields
    ended: bool
    first: bytes = b""
    trailers: Fields = ()


class Body(NamedTuple):
    stream: int
    data: bytes
    ended: bool


class Trailers(NamedTuple):
    """The message is whole with them."""

    stream: int
    fields: Fields


class Ended(NamedTuple):
    """Nothing more comes on this stream, or goes. error: NO_ERROR where both sides ended it."""

    stream: int
    error: int


class Leaving(NamedTuple):
    """GOAWAY: the other side begins nothing new; streams above `last` it has not looked at."""

    last: int
    error: int


class Allowing(NamedTuple):
    """What the other side's settings say. streams: how many requests at once it takes from now on, None: as before.
    connects: it takes extended CONNECT, too (RFC 8441 §3)."""

    streams: int | None
    connects: bool


Event = Allowing | Request | Interim | Head | Body | Trailers | Ended | Leaving
