"""HTTP/2 as bytes in and events out, and calls in and bytes out (RFC 9113): one narrow face over nghttp2.

What a connection does with its events is not decided here. The half of who is called is in server_codec.py.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

import ngh2

Fields = Sequence[tuple[bytes, bytes]]
"""Names in lower case, those with a colon first."""

NO_ERROR: Final = 0x00
INTERNAL_ERROR: Final = 0x02
REFUSED_STREAM: Final = 0x07
CANCEL: Final = 0x08
ENHANCE_YOUR_CALM: Final = 0x0B
MAX_FIELDS: Final = 128
MAX_FIELD_SECTION: Final = 64 * 1024


class H2Fault(Exception):
    """The other side broke the protocol, or ours may not go on: the connection is of no more use."""


class Request(NamedTuple):
    """The head of a request. ended: the message is whole with it."""

    stream: int
    fields: Fields
    ended: bool


class Head(NamedTuple):
    """The final head of an answer. ended: the message is whole with it."""

    stream: int
    fields: Fields
    ended: bool


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


Event = Request | Head | Body | Trailers | Ended | Leaving


class H2Codec(Protocol):
    """One connection's. After an H2Fault only `take` is called: the last word to the other side."""

    @property
    def can_begin(self) -> bool:
        """Neither side is leaving, and there are numbers left for streams."""

    def begin(self, fields: Fields, body: bytes) -> int:
        """A whole request; its stream. Above what the other side takes at once it waits in here. Raises H2Fault."""

    def reset(self, stream: int) -> None:
        """Nobody wants the answer any more. Of a stream that is over: nothing."""

    def receive(self, data: bytes) -> list[Event]:
        """Raises H2Fault, also for what the bytes before were good for: nothing of it is an answer."""

    def take(self) -> bytes:
        """What is to be written now, b"" = nothing."""

    def leave(self) -> None:
        """Says goodbye; begins nothing any more."""


class ClientCodec:
    """An `H2Codec` by nghttp2, which holds headers, flow control and floods to the RFC and to its own limits."""

    __slots__ = ("_connection", "_is_left", "_out")

    def __init__(self) -> None:
        config = ngh2.Configuration(max_inbound_header_count=MAX_FIELDS, max_inbound_header_list_size=MAX_FIELD_SECTION)
        self._connection = ngh2.Connection(ngh2.Role.CLIENT, config)
        self._connection.initiate_connection(
            {
                ngh2.Setting.ENABLE_PUSH: 0,
                ngh2.Setting.MAX_HEADER_LIST_SIZE: MAX_FIELD_SECTION,
            }
        )
        self._is_left = False
        self._out = b""

    @property
    def can_begin(self) -> bool:
        return not self._is_left and self._connection.can_send_request

    def begin(self, fields: Fields, body: bytes) -> int:
        connection = self._connection
        try:
            stream = connection.send_request(fields, end_stream=not body)
            if body:
                connection.send_data(stream, body, end_stream=True)
        except ngh2.NGH2Error as error:
            raise H2Fault(str(error)) from error
        return stream

    def reset(self, stream: int) -> None:
        try:
            self._connection.reset_stream(stream, CANCEL)
        except ngh2.NGH2Error:
            pass  # it is over already, or all of the connection is

    def receive(self, data: bytes) -> list[Event]:
        connection = self._connection
        try:
            connection.receive_data(data)
            heard = connection.events()
            if connection.want_write:
                # What breaks the protocol is told only once the last word to the other side is written.
                self._out += connection.data_to_send()
                heard += connection.events()
        except ngh2.NGH2Error as error:
            raise H2Fault(str(error)) from error
        return [event for event in map(read, heard) if event is not None]

    def take(self) -> bytes:
        out, self._out = self._out, b""
        try:
            return out + self._connection.data_to_send()
        except ngh2.NGH2Error:
            return out

    def leave(self) -> None:
        self._is_left = True
        try:
            self._connection.send_goaway(NO_ERROR)
        except ngh2.NGH2Error:
            pass  # the other side has ended it


def read(event: ngh2.Event) -> Event | None:
    """None: it is nobody's here. Raises H2Fault."""
    if isinstance(event, ngh2.RequestReceived):
        return Request(event.stream_id, event.headers, event.end_stream)
    if isinstance(event, ngh2.ResponseReceived):
        return Head(event.stream_id, event.headers, event.end_stream)
    if isinstance(event, ngh2.DataReceived):
        return Body(event.stream_id, event.data, event.end_stream)
    if isinstance(event, ngh2.TrailersReceived):
        return Trailers(event.stream_id, event.headers)
    if isinstance(event, ngh2.StreamClosed):
        return Ended(event.stream_id, event.error_code)
    if isinstance(event, ngh2.GoAwayReceived):
        return Leaving(event.last_stream_id, event.error_code)
    if isinstance(event, ngh2.ConnectionClosed) and event.error_code:
        raise H2Fault(f"the protocol was broken (error {event.error_code})")
    return None
