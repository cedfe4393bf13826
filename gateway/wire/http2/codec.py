"""HTTP/2 as bytes in and events out, and calls in and bytes out (RFC 9113): one narrow face over nghttp2.

What a connection does with its events is not decided here. The half of who is called is in server_codec.py.
"""

from typing import Final

import ngh2

from gateway.wire.multiplexed.messages import (
    MAX_FIELD_SECTION,
    MAX_FIELDS,
    NO_ERROR,
    Allowing,
    Body,
    Ended,
    Event,
    Fields,
    Head,
    Interim,
    Leaving,
    Request,
    Trailers,
)

INTERNAL_ERROR: Final = 0x02
REFUSED_STREAM: Final = 0x07
FLOW_CONTROL_ERROR: Final = 0x03
CANCEL: Final = 0x08
CONNECT_ERROR: Final = 0x0A
ENHANCE_YOUR_CALM: Final = 0x0B
# What calls are told by: compared by identity, which no module is asked for.
_REQUEST: Final = ngh2.RequestReceived
_RESPONSE: Final = ngh2.ResponseReceived
_DATA: Final = ngh2.DataReceived
_TRAILERS: Final = ngh2.TrailersReceived
_CLOSED: Final = ngh2.StreamClosed
_WINDOW: Final = 65_535  # where the other side says no other one
_WORDS: Final = 4 * 1024  # bytes that are made ahead of their turn, and of how many that wait no more are
_MOST_WORDS: Final = 16 * 1024
# Of a thousand answers, each as far as its window lets it: no caller who takes nothing holds up another one.
CONNECTION_WINDOW: Final = 64 << 20
_CALLING: Final = ngh2.Configuration(
    auto_window_update=False,
    max_inbound_header_count=MAX_FIELDS,
    max_inbound_header_list_size=MAX_FIELD_SECTION,
    # Until a service says how many it takes at once. By the RFC it may be any number; those above what it then says
    # may be refused, and gRPC's own servers reset them in a way that tells nobody whether they were looked at.
    peer_max_concurrent_streams=1,
)


class H2Fault(Exception):
    """The other side broke the protocol, or ours may not go on: the connection is of no more use."""


class H2Codec:
    """One connection's, by nghttp2, which holds headers, flow control and floods to the RFC and to its own limits.

    After an H2Fault only `take` is called: the last word to the other side. What is done to a stream that is over does
    nothing.
    """

    __slots__ = ("_connection", "_out")

    def __init__(self, connection: ngh2.Connection) -> None:
        self._connection = connection
        self._out = b""

    def receive(self, data: bytes) -> list[Event]:
        """Raises H2Fault, also for what the bytes before were good for: nothing of it counts."""
        connection = self._connection
        try:
            connection.receive_data(data)
            heard = connection.events()
            if connection.want_write and len(self._out) < _MOST_WORDS:
                # What breaks the protocol is told only once the last word to the other side is written; bodies come
                # behind all words, and wait where they are.
                self._out += connection.data_to_send(_WORDS)
                heard += connection.events()
        except ngh2.NGH2Error as error:
            raise H2Fault(str(error)) from error
        return _read_all(heard)

    def heard(self) -> list[Event]:
        """What came of writing: streams that are over. Raises H2Fault."""
        return _read_all(self._connection.events())

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
        """The message is whole with these."""
        try:
            self._connection.send_trailers(stream, fields)
        except ngh2.NGH2Error:
            pass

    def reset(self, stream: int, error: int = CANCEL) -> None:
        try:
            self._connection.reset_stream(stream, error)
        except ngh2.NGH2Error:
            pass

    def stop(self, stream: int) -> None:
        """The answer is whole: the rest of the request is not wanted (RFC 9113 §8.1)."""
        self.reset(stream, NO_ERROR)

    def consumed(self, stream: int, size: int) -> None:
        """So much of a body is out of our hands: as much more may come."""
        try:
            self._connection.acknowledge_received_data(size, stream)
        except ngh2.NGH2Error:
            pass

    def queued(self, stream: int) -> int:
        """Bytes of a body that wait in here."""
        connection = self._connection
        try:
            # Mostly nothing does, which costs a third of a look at the one.
            return connection.queued_body_size(stream) if connection.queued_body_size() else 0
        except ngh2.NGH2Error:
            return 0

    @property
    def held(self) -> int:
        """Bytes of all bodies that wait in here."""
        return self._connection.queued_body_size()

    @property
    def is_stopped(self) -> bool:
        """The other side takes no body at all now."""
        try:
            return self._connection.remote_window_size <= 0
        except ngh2.NGH2Error:
            return False

    def window(self, stream: int) -> int:
        """Bytes that the other side takes of this one now; of one that is not begun yet, that it will."""
        try:
            return self._connection.stream_remote_window_size(stream)
        except ngh2.NGH2Error:
            return self._connection.remote_settings.get(ngh2.Setting.INITIAL_WINDOW_SIZE, _WINDOW)

    def take(self, most: int | None = None) -> bytes:
        """What is to be written now, b"" = nothing. most: bytes, about."""
        out, self._out = self._out, b""
        if out:
            return out
        connection = self._connection
        try:
            return connection.data_to_send(most) if connection.want_write else b""
        except ngh2.NGH2Error:
            return b""

    def leave(self, error: int = NO_ERROR) -> None:
        """Nothing new is begun or served."""
        try:
            self._connection.send_goaway(error)
        except ngh2.NGH2Error:
            pass


class ClientCodec(H2Codec):
    """The half that calls. window: bytes of all answers together that may come unread."""

    __slots__ = ("_is_left",)

    def __init__(self, window: int = CONNECTION_WINDOW) -> None:
        super().__init__(ngh2.Connection(ngh2.Role.CLIENT, _CALLING))
        self._connection.initiate_connection(
            {ngh2.Setting.ENABLE_PUSH: 0, ngh2.Setting.MAX_HEADER_LIST_SIZE: MAX_FIELD_SECTION}
        )
        self._connection.set_local_window_size(window)
        self._is_left = False

    @property
    def can_begin(self) -> bool:
        """Neither side is leaving, and there are numbers left for streams."""
        return not self._is_left and self._connection.can_send_request

    def begin(self, fields: Fields, body: bytes, *, ended: bool = True) -> int:
        """A request; its stream. ended: it is whole. Above what the other side takes at once it waits in here. Raises
        H2Fault."""
        connection = self._connection
        try:
            stream = connection.send_request(fields, end_stream=ended and not body)
            if body:
                connection.send_data(stream, body, end_stream=ended)
        except ngh2.NGH2Error as error:
            raise H2Fault(str(error)) from error
        return stream

    def leave(self, error: int = NO_ERROR) -> None:
        self._is_left = True
        super().leave(error)


def _read_all(heard: list[ngh2.Event]) -> list[Event]:
    """Raises H2Fault. What came of a message with its head is told with it, whatever came of others in between: small
    messages are one event."""
    read: list[Event] = []
    begun: dict[int, Request | Head] = {}  # by their streams, of which more may be told
    for one in heard:
        if type(one) is _DATA:
            stream, data, ended = one.stream_id, one.data, one.end_stream
            head = begun.pop(stream, None)
            if head is None or head.first or not data:  # no data: it would read as none, if it came in one piece
                read.append(Body(stream, data, ended))
                continue
            head.first, head.ended = data, ended
            if isinstance(head, Head) and not ended:
                begun[stream] = head  # for its trailers
        elif type(one) is _CLOSED:
            read.append(Ended(one.stream_id, one.error_code))
        elif type(one) is _REQUEST:
            request = Request(one.stream_id, one.headers, one.end_stream)
            if not request.ended:
                begun[request.stream] = request
            read.append(request)
        elif type(one) is _RESPONSE:
            answer = Head(one.stream_id, one.headers, one.end_stream)
            if not answer.ended:
                begun[answer.stream] = answer
            read.append(answer)
        elif type(one) is _TRAILERS:
            head = begun.pop(one.stream_id, None)
            if isinstance(head, Head) and head.first:
                head.trailers, head.ended = one.headers, True
            else:
                read.append(Trailers(one.stream_id, one.headers))
        else:
            event = _read_rare(one)
            if event is not None:
                read.append(event)
    return read


def _read_rare(event: ngh2.Event) -> Event | None:
    """Of what is not told in each call. None: it is nobody's here. Raises H2Fault."""
    if isinstance(event, ngh2.InformationalResponseReceived):
        return Interim(event.stream_id, event.headers)
    if isinstance(event, ngh2.GoAwayReceived):
        return Leaving(event.last_stream_id, event.error_code)
    if isinstance(event, ngh2.SettingsReceived):
        settings = event.settings
        connects = settings.get(ngh2.Setting.ENABLE_CONNECT_PROTOCOL) == 1
        return Allowing(settings.get(ngh2.Setting.MAX_CONCURRENT_STREAMS), connects)
    if isinstance(event, ngh2.ConnectionClosed) and event.error_code:
        raise H2Fault(f"the protocol was broken (error {event.error_code})")
    return None
