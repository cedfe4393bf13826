"""The half of HTTP/2 that is called (RFC 9113), by nghttp2: requests in, answers out, and what a flood is told.

nghttp2 holds the other side to the RFC: the order and shape of frames, names and values of fields, pseudo-fields,
announced lengths, windows. Limits that it has of its own stand in `_CONFIGURATION`.
"""

from typing import Final

import ngh2

from gateway.wire.http2.codec import (
    CANCEL,
    ENHANCE_YOUR_CALM,
    INTERNAL_ERROR,
    MAX_FIELD_SECTION,
    MAX_FIELDS,
    NO_ERROR,
    Event,
    Fields,
    H2Fault,
    read,
)

# RST_STREAM by the other side, and requests that are none, each with what is saved up and what comes back in a second.
# CVE-2023-44487; CVE-2024-27316 (CONTINUATION); CVE-2025-8671 (streams that we are made to reset).
RESETS: Final = (200, 33)
_BEYOND: Final = (2 * RESETS[0], 2 * RESETS[1])
_CONFIGURATION: Final = ngh2.Configuration(
    auto_window_update=False,
    max_inbound_header_count=MAX_FIELDS,
    max_inbound_header_list_size=MAX_FIELD_SECTION,
    max_outbound_ack=1_000,
    max_settings=32,
    max_continuations=8,
    # Its own word for what is beyond would be INTERNAL_ERROR: the connection speaks first.
    stream_reset_rate_limit=_BEYOND,
    glitch_rate_limit=_BEYOND,
)


class ServerCodec:
    """One connection's. After an H2Fault only `take` is called: the last word to the other side.

    max_streams: requests at once. stream_window, connection_window: bytes of bodies that may come unread. What is done
    to a stream that is over does nothing.
    """

    __slots__ = ("_connection", "_out")

    def __init__(self, max_streams: int, stream_window: int, connection_window: int) -> None:
        self._connection = ngh2.Connection(ngh2.Role.SERVER, _CONFIGURATION)
        self._connection.initiate_connection(
            {
                ngh2.Setting.MAX_CONCURRENT_STREAMS: max_streams,
                ngh2.Setting.INITIAL_WINDOW_SIZE: stream_window,
                ngh2.Setting.MAX_HEADER_LIST_SIZE: MAX_FIELD_SECTION,
            }
        )
        self._connection.set_local_window_size(connection_window)
        self._out = b""

    def receive(self, data: bytes) -> list[Event]:
        """Raises H2Fault, also for what the bytes before were good for."""
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

    def heard(self) -> list[Event]:
        """What came of writing: streams that are over. Raises H2Fault."""
        return [event for event in map(read, self._connection.events()) if event is not None]

    def answer(self, stream: int, fields: Fields, *, ended: bool) -> None:
        try:
            self._connection.send_response(stream, fields, end_stream=ended)
        except ngh2.NGH2Error:
            self.reset(stream, INTERNAL_ERROR)  # else nobody would ever answer

    def inform(self, stream: int, fields: Fields) -> None:
        """An answer of 1xx."""
        try:
            self._connection.send_informational_response(stream, fields)
        except ngh2.NGH2Error:
            pass

    def send(self, stream: int, data: bytes, *, ended: bool) -> None:
        """What the other side does not take yet waits in here: see `queued`."""
        try:
            if data:
                self._connection.send_data(stream, data, end_stream=ended)
            elif ended:
                self._connection.end_stream(stream)
        except ngh2.NGH2Error:
            pass

    def trail(self, stream: int, fields: Fields) -> None:
        """The answer is whole with these."""
        try:
            self._connection.send_trailers(stream, fields)
        except ngh2.NGH2Error:
            pass

    def reset(self, stream: int, error: int = CANCEL) -> None:
        try:
            self._connection.reset_stream(stream, error)
        except ngh2.NGH2Error:
            pass

    def consumed(self, stream: int, size: int) -> None:
        """So much of a body is out of our hands: as much more may come."""
        try:
            self._connection.acknowledge_received_data(size, stream)
        except ngh2.NGH2Error:
            pass

    def queued(self, stream: int) -> int:
        """Bytes of an answer's body that wait in here."""
        try:
            return self._connection.queued_body_size(stream)
        except ngh2.NGH2Error:
            return 0

    def take(self, most: int | None = None) -> bytes:
        """What is to be written now, b"" = nothing. most: bytes, about."""
        out, self._out = self._out, b""
        try:
            return out + self._connection.data_to_send(most)
        except ngh2.NGH2Error:
            return out

    def announce_leave(self) -> None:
        """The other side is asked to begin nothing new; what is on its way is still served (RFC 9113 §6.8)."""
        try:
            self._connection.send_shutdown_notice()
        except ngh2.NGH2Error:
            pass

    def leave(self, error: int = NO_ERROR) -> None:
        """Nothing new is served."""
        try:
            self._connection.send_goaway(error)
        except ngh2.NGH2Error:
            pass

    def refuse(self) -> None:
        """The other side does too much for nothing."""
        self.leave(ENHANCE_YOUR_CALM)
