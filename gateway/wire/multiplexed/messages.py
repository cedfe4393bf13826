"""What a connection that carries many calls hears of them, whatever the version of HTTP that brought it."""

from collections.abc import Sequence
from typing import Final

Fields = Sequence[tuple[bytes, bytes]]
"""Names in lower case, those with a colon first."""

NO_ERROR: Final = 0x00  # of an `Ended`
MAX_FIELDS: Final = 128
MAX_FIELD_SECTION: Final = 64 * 1024
# Requests that a caller may take back or that are none: what is saved up, and what comes back in a second.
RESETS: Final = (200, 33)


class Request:
    """The head of a request. first: the beginning of its body, as far as it came with it. ended: the message is whole
    with these."""

    __slots__ = ("ended", "fields", "first", "stream")

    def __init__(self, stream: int, fields: Fields, ended: bool, first: bytes = b"") -> None:
        self.stream, self.fields, self.ended, self.first = stream, fields, ended, first


class Interim:
    """An answer of 1xx."""

    __slots__ = ("fields", "stream")

    def __init__(self, stream: int, fields: Fields) -> None:
        self.stream, self.fields = stream, fields


class Head:
    """The final head of an answer. first, trailers: of its body, and behind it, as far as they came with it. ended: the
    message is whole with these."""

    __slots__ = ("ended", "fields", "first", "stream", "trailers")

    def __init__(self, stream: int, fields: Fields, ended: bool, first: bytes = b"", trailers: Fields = ()) -> None:
        self.stream, self.fields, self.ended, self.first, self.trailers = stream, fields, ended, first, trailers


class Body:
    __slots__ = ("data", "ended", "stream")

    def __init__(self, stream: int, data: bytes, ended: bool) -> None:
        self.stream, self.data, self.ended = stream, data, ended


class Trailers:
    """The message is whole with them."""

    __slots__ = ("fields", "stream")

    def __init__(self, stream: int, fields: Fields) -> None:
        self.stream, self.fields = stream, fields


class Ended:
    """Nothing more comes on this stream, or goes. error: NO_ERROR where both sides ended it."""

    __slots__ = ("error", "stream")

    def __init__(self, stream: int, error: int) -> None:
        self.stream, self.error = stream, error


class Leaving:
    """GOAWAY: the other side begins nothing new; streams above `last` it has not looked at."""

    __slots__ = ("error", "last")

    def __init__(self, last: int, error: int) -> None:
        self.last, self.error = last, error


class Allowing:
    """What the other side's settings say. streams: how many requests at once it takes from now on, None: as before.
    connects: it takes extended CONNECT, too (RFC 8441 §3)."""

    __slots__ = ("connects", "streams")

    def __init__(self, streams: int | None, connects: bool) -> None:
        self.streams, self.connects = streams, connects


Event = Allowing | Request | Interim | Head | Body | Trailers | Ended | Leaving
