"""The half of HTTP/2 that is called (RFC 9113), by nghttp2: requests in, answers out, and what a flood is told.

nghttp2 holds the other side to the RFC: the order and shape of frames, names and values of fields, pseudo-fields,
announced lengths, windows. Limits that it has of its own stand in `_CONFIGURATION`.
"""

from typing import Final

import ngh2

from gateway.wire.http2.codec import CONNECT_ERROR, ENHANCE_YOUR_CALM, INTERNAL_ERROR, H2Codec
from gateway.wire.multiplexed.messages import MAX_FIELD_SECTION, MAX_FIELDS, RESETS, Fields

# CVE-2023-44487; CVE-2024-27316 (CONTINUATION); CVE-2025-8671 (streams that we are made to reset).
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


class ServerCodec(H2Codec):
    """max_streams: requests at once. stream_window, connection_window: bytes of bodies that may come unread."""

    __slots__ = ()

    def __init__(self, max_streams: int, stream_window: int, connection_window: int) -> None:
        super().__init__(ngh2.Connection(ngh2.Role.SERVER, _CONFIGURATION))
        self._connection.initiate_connection(
            {
                ngh2.Setting.MAX_CONCURRENT_STREAMS: max_streams,
                ngh2.Setting.INITIAL_WINDOW_SIZE: stream_window,
                ngh2.Setting.MAX_HEADER_LIST_SIZE: MAX_FIELD_SECTION,
                ngh2.Setting.ENABLE_CONNECT_PROTOCOL: 1,
            }
        )
        self._connection.set_local_window_size(connection_window)

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

    def disconnect(self, stream: int) -> None:
        """What it was connected to was cut (RFC 9113 §8.5)."""
        self.reset(stream, CONNECT_ERROR)

    def announce_leave(self) -> None:
        """The other side is asked to begin nothing new; what is on its way is still served (RFC 9113 §6.8)."""
        try:
            self._connection.send_shutdown_notice()
        except ngh2.NGH2Error:
            pass

    def refuse(self) -> None:
        """The other side does too much for nothing."""
        self.leave(ENHANCE_YOUR_CALM)
