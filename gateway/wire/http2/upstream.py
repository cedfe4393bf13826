"""One request on a connection to a service that many share: what an attempt takes for a connection of its own."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from gateway.exchange import NEVER, Exchange
from gateway.wire.interfaces import MAX_INTERIM, Upstream
from gateway.wire.multiplexed.answer_reader import AnswerReader
from gateway.wire.multiplexed.asking import FieldBlocks, request_fields
from gateway.wire.multiplexed.fields import connect_fields, switching_text, trailer_fields, with_attempts
from gateway.wire.multiplexed.messages import Fields
from gateway.wire.websocket.handshake import KEY, accept_of
from meshway.http1.fields import find
from meshway.http1.head import HeadError, HeadLimits

if TYPE_CHECKING:
    from gateway.upstream.cluster_settings import OpeningSettings, SharingSettings
    from gateway.upstream.endpoint import Endpoint
    from gateway.upstream.pool import Connector
    from gateway.upstream.shared_pool import SharedPool
    from gateway.wire.interfaces import AnySharedUpstream, AnyUpstreamEvents
    from meshway.http1.field_lines import FieldLines

HIGH_WATER: Final = 64 * 1024  # bytes of a request that wait for the service, at which its caller is asked for no more
LOW_WATER: Final = 16 * 1024
# As an attempt knows failures: what nobody has looked at may go elsewhere.
_KINDS: Final = {"refused_stream": "reset_before_request"}


class StreamUpstream:
    """An `Upstream` for one exchange, and the `AnswerEvents` of its request."""

    keep_alive_timeout_s: float | None = None
    closes_halves = True  # each of a stream's
    __slots__ = (
        "_accept", "_events", "_heard", "_idle_timeout_s", "_interims", "_is_closed", "_is_fresh", "_is_open",
        "_is_tunnel", "_is_write_paused", "_method", "_number", "_pool", "_reader", "_shared", "_unread", "closes_at",
        "endpoint", "requests", "shelf", "takes", "timer",
    )  # fmt: skip

    def __init__(
        self, endpoint: "Endpoint", shared: "AnySharedUpstream", pool: "StreamPool", idle_timeout_s: float
    ) -> None:
        self.endpoint = endpoint
        self.timer = pool.wheel.lend()
        self.requests = 0
        self.closes_at = NEVER
        self.shelf: list[Upstream] = []
        self.takes = True
        self._shared, self._pool, self._idle_timeout_s = shared, pool, idle_timeout_s
        reader = shared.answers
        if reader is None:
            reader = shared.answers = pool.reader()
        self._reader = reader
        self._events: AnyUpstreamEvents | None = None
        self._number = self._heard = 0
        self._method = b""
        self._unread = self._interims = 0
        self._is_fresh = self._is_open = False  # nothing was asked before on its connection; more of it is to be sent
        self._is_write_paused = self._is_closed = False
        self._accept = b""  # to the key of a handshake that is under way
        self._is_tunnel = False

    @property
    def is_tunnel(self) -> bool:
        """Or is to be one: what refuses it is over when it is closed."""
        return bool(self._accept)

    def is_reusable(self) -> bool:
        """The connection is; this is over with its exchange."""
        return False

    @property
    def unsent(self) -> int:
        return self._shared.unsent(self._number)

    def send_request(
        self, exchange: Exchange, events: "AnyUpstreamEvents", left_ms: int, first: bytes, ended: bool, trailers: bytes
    ) -> None:
        self._events, self._method = events, exchange.method
        self._is_open = not ended
        self._heard, self._is_fresh = self._shared.heard, not self._shared.requests
        if exchange.head.upgrade:
            self._shared.ask_connects(lambda connects: self._connect(exchange, events, left_ms, connects))
            return
        fields = self._fields(exchange, left_ms)
        if exchange.attempts > 1:
            fields = with_attempts(fields, exchange.attempts - 1)
        self._number = self._shared.begin(fields, first, self, ended=ended and not trailers)
        if trailers and self._number:
            self._shared.trail(self._number, trailer_fields(trailers))

    def _connect(self, exchange: Exchange, events: "AnyUpstreamEvents", left_ms: int, connects: bool) -> None:
        """An upgrade is asked for otherwise here (RFC 8441), of who takes that. connects: the service does."""
        if self._events is not events:
            return  # nobody waits for it any more
        if not self._shared.can_begin():
            self._fail("reset_before_request", "the upstream closed the connection without an answer")
        elif not connects:
            self._fail("no_upgrade", "the service takes no WebSocket by HTTP/2: its settings do not say so (RFC 8441)")
        else:
            key = find(exchange.block, KEY)
            self._accept = accept_of(key or b"")
            self._is_open = True
            self._number = self._shared.begin(connect_fields(self._fields(exchange, left_ms)), b"", self, ended=False)

    def _fields(self, exchange: Exchange, left_ms: int) -> Fields:
        place = b"" if exchange.authority else _place(self.endpoint)
        return request_fields(exchange, self._pool.scheme, left_ms, place, self._pool.blocks)

    def _switch(self, fields: Fields, first: bytes, ended: bool) -> None:
        """The service agreed: from here on the stream is a connection. first: what it said on it at once."""
        events = self._events
        assert events is not None
        try:
            head = self._reader.read_text(switching_text(fields, self._accept), self._method)
        except HeadError as error:
            self._fail("upstream_protocol", error.detail)
            return
        self._is_tunnel = True
        events.on_upgrade(head, first)
        if first and not self.takes and not ended:
            self._unread += len(first)
        if ended and self._events is events:
            events.on_end(b"")

    def send_body(self, data: bytes) -> None:
        self._shared.send(self._number, data, ended=False)
        events = self._events
        if not self._is_write_paused and events is not None and self.unsent > HIGH_WATER:
            self._is_write_paused = True
            events.on_write_paused()

    def send_end(self, trailers: bytes) -> None:
        self._is_open = False
        if trailers:
            self._shared.trail(self._number, trailer_fields(trailers))
        else:
            self._shared.send(self._number, b"", ended=True)

    def pause_body(self) -> None:
        self.takes = False

    def resume_body(self) -> None:
        self.takes = True
        unread, self._unread = self._unread, 0
        if unread:
            self._shared.consumed(self._number, unread)

    def on_timer(self, now: float) -> None:
        """Its timer is the attempt's while it runs, and nobody's after that."""

    def close(self) -> None:
        """The exchange is over for us."""
        if self._is_closed:
            return
        self._is_closed = True
        self._events = None
        self._pool.wheel.take_back(self.timer)
        self.resume_body()  # the connection's window is of all requests
        if self._is_tunnel:
            self._shared.finish(self._number)
        else:
            self._shared.cancel(self._number, is_open=self._is_open and self._number > 0)
        self._pool.rest(self._shared, self._idle_timeout_s)

    # What is heard.

    def on_interim(self, fields: Fields) -> None:
        events = self._events
        if events is None:
            return
        self._interims += 1
        if self._interims > MAX_INTERIM:
            self._fail("upstream_protocol", f"more than {MAX_INTERIM} interim answers")
            return
        try:
            head = self._reader.read(fields, self._method, ended=True)
        except HeadError as error:
            self._fail("upstream_protocol", error.detail)
            return
        events.on_interim(head)

    def on_fields(self, fields: Fields, ended: bool, first: bytes = b"", trailers: Fields = ()) -> None:
        events = self._events
        if events is None:
            return
        if self._accept and (b":status", b"200") in fields:
            self._switch(fields, first, ended)
            return
        try:
            head = self._reader.read(fields, self._method, ended=ended and not first)
            ends = self._reader.read_trailers(trailers) if trailers else b""
        except HeadError as error:
            self._fail("upstream_protocol", error.detail)
            return
        events.on_head(head, first, ended, ends)
        if first and not self.takes and not ended:
            self._unread += len(first)

    def on_data(self, data: bytes, ended: bool) -> None:
        events = self._events
        if events is None:
            return
        if data:
            events.on_body(data)
            if not self.takes and not ended:  # with its end all is given back
                self._unread += len(data)
        if ended and self._events is events:
            events.on_end(b"")

    def on_trailers(self, fields: Fields) -> None:
        events = self._events
        if events is None:
            return
        try:
            trailers = self._reader.read_trailers(fields)
        except HeadError as error:
            self._fail("upstream_protocol", error.detail)
            return
        events.on_end(trailers)

    def on_written(self, unsent: int) -> None:
        if self._is_write_paused and unsent <= LOW_WATER:
            self._is_write_paused = False
            if self._events is not None:
                self._events.on_write_resumed()

    def on_lost(self, kind: str, detail: str) -> None:
        self.resume_body()  # by its number, which it has no more
        self._number = 0
        if kind == "reset" and not self._is_fresh and self._shared.heard == self._heard:
            kind = "stale_connection"  # it was closed while our words were on their way
        self._fail(_KINDS.get(kind, kind), detail)

    def _fail(self, kind: str, detail: str) -> None:
        events, self._events = self._events, None
        if events is not None:
            events.on_failure(kind, detail)


class StreamPool:
    """What makes them of one kind of connection. scheme: `https` by TLS."""

    __slots__ = ("_limits", "_lines", "_shared", "blocks", "scheme", "wheel")

    def __init__(self, shared: "SharedPool", limits: HeadLimits, lines: "FieldLines", scheme: bytes) -> None:
        self._shared, self._limits, self._lines = shared, limits, lines
        self.wheel = shared.wheel
        self.scheme = scheme
        self.blocks = FieldBlocks()

    def reader(self) -> AnswerReader:
        return AnswerReader(self._limits, self._lines)

    def rest(self, shared: "AnySharedUpstream", idle_timeout_s: float) -> None:
        self._shared.rest(shared, idle_timeout_s)

    def beside(
        self, endpoint: "Endpoint", opening: "OpeningSettings", sharing: "SharingSettings", now: float
    ) -> Upstream | None:
        shared = self._shared.open_one(endpoint, opening, sharing.max_requests, sharing.max_streams, now)
        return None if shared is None else StreamUpstream(endpoint, shared, self, sharing.idle_timeout_s)

    def connect(
        self,
        endpoint: "Endpoint",
        on_connected: Callable[[Upstream], None],
        on_failed: Callable[[str], None],
        opening: "OpeningSettings",
        sharing: "SharingSettings",
    ) -> Callable[[], None]:
        def connected(shared: "AnySharedUpstream") -> None:
            on_connected(StreamUpstream(endpoint, shared, self, sharing.idle_timeout_s))

        joining = self._shared.join(
            endpoint,
            connected,
            on_failed,
            sharing.connect_timeout_s,
            opening,
            sharing.max_requests,
            sharing.max_streams,
        )
        return _nothing if joining is None else joining.leave


def _place(endpoint: "Endpoint") -> bytes:
    address = endpoint.address
    return (f"[{address}]:{endpoint.port}" if ":" in address else f"{address}:{endpoint.port}").encode()


def _nothing() -> None:
    """There is nothing to give up."""


class Speaking:
    """Connections as each cluster is spoken to. own: makes those of one exchange at a time, by HTTP/1.1."""

    __slots__ = ("_own", "_plain", "_secured")

    def __init__(self, own: "Connector", shared: "SharedPool", limits: HeadLimits, lines: "FieldLines") -> None:
        self._own = own
        self._plain = StreamPool(shared, limits, lines, b"http")
        self._secured = StreamPool(shared, limits, lines, b"https")

    def connect(
        self,
        endpoint: "Endpoint",
        on_connected: Callable[[Upstream], None],
        on_failed: Callable[[str], None],
        opening: "OpeningSettings",
        preamble: bytes,
    ) -> Callable[[], None]:
        """A `Connector`."""
        sharing = opening.sharing
        if sharing is not None:
            pool = self._plain if opening.tls is None else self._secured
            return pool.connect(endpoint, on_connected, on_failed, opening, sharing)
        return self._own(endpoint, on_connected, on_failed, opening, preamble)

    def beside(self, endpoint: "Endpoint", opening: "OpeningSettings", now: float) -> Upstream | None:
        """A `Beside`."""
        sharing = opening.sharing
        assert sharing is not None
        return (self._plain if opening.tls is None else self._secured).beside(endpoint, opening, sharing, now)
