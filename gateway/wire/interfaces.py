"""How the relay speaks to both sides, whatever the HTTP version: the relay knows no socket.

Both sides push into the relay by its callbacks and are pulled back by pause and resume. Bytes are passed on as they
come; nobody collects a body. All calls happen on the worker's loop, and each may call back before it returns.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from gateway.exchange import Exchange, Reply
from meshway.http1.message import ResponseHead

if TYPE_CHECKING:
    from gateway.relay.attempt import Attempt
    from gateway.upstream.endpoint import Endpoint
    from gateway.wire.http1.client import ClientProtocol
    from gateway.wire.http1.server import ServerProtocol
    from gateway.wire.http2.client import H2ClientProtocol
    from gateway.wire.http2.upstream import StreamUpstream
    from gateway.wire.multiplexed.answer_reader import AnswerReader
    from gateway.wire.multiplexed.stream import Stream

    # Where one is kept it is of such a type. The classes of nearly all are named first: these machine code calls at
    # their place, whoever else there is by name, which costs ten times as much.
    AnyDownstream: TypeAlias = "ServerProtocol | Stream | Downstream"
    AnyUpstream: TypeAlias = "ClientProtocol | StreamUpstream | Upstream"
    AnyUpstreamEvents: TypeAlias = "Attempt | UpstreamEvents"
    AnySharedUpstream: TypeAlias = "H2ClientProtocol | SharedUpstream"
    AnyAnswerEvents: TypeAlias = "StreamUpstream | AnswerEvents"

MAX_INTERIM: Final = 10  # answers of 1xx before the final one
Address = tuple[str, int]
"""An IP address and a port."""


class TimerOwner(Protocol):
    """Who is told when a timer is due."""

    def on_timer(self, now: float) -> None: ...


class Timer:
    """A place in the timer wheel that lives as long as its connection and is lent to whoever works with it.

    Setting it again costs an assignment, because the wheel reads `due` only when it comes by.
    due: monotonic seconds, `inf` = not set. filed: when the wheel looks at it next, `inf` = it does not.
    """

    __slots__ = ("due", "filed", "owner")

    def __init__(self, owner: TimerOwner | None = None) -> None:
        self.due = float("inf")
        self.filed = float("inf")
        self.owner = owner


class Downstream(Protocol):
    """The caller's side of one exchange. After the end of an answer it is not called again for that exchange.

    timer: lent to the exchange, for its deadline and its waits.
    """

    timer: Timer

    def ends(self) -> tuple[Address | None, Address | None]:
        """The caller's end of its connection, and ours; None: it is no IP connection, or gone."""

    def send_head(self, exchange: Exchange, head: ResponseHead, first: bytes, ended: bool, trailers: bytes) -> None:
        """Head and first body piece in one write. ended: the message is whole with it, and with these trailers."""

    def send_body(self, data: bytes) -> None: ...

    def send_end(self, trailers: bytes) -> None:
        """The message is whole. trailers: a block of fields, or b"". After an upgrade: the upstream closed its half."""

    def send_interim(self, head: ResponseHead) -> None:
        """A 1xx answer (RFC 9110 §15.2)."""

    def send_reply(self, exchange: Exchange, reply: Reply) -> None:
        """An answer of our own, whole."""

    def send_upgrade(self, exchange: Exchange, head: ResponseHead) -> None:
        """101, and from here on bytes both ways: the caller's and his end are told to the call's tunnel."""

    def finish_upgraded(self) -> None:
        """After an upgrade: what was sent arrives, then the connection ends, whatever the caller still sends."""

    def abort(self) -> None:
        """The answer cannot be finished: cut, so that nobody takes it for whole."""

    def pause_body(self) -> None:
        """The other side is slow: read no more of the request."""

    def resume_body(self) -> None: ...


class UpstreamEvents(Protocol):
    """What an attempt hears from its upstream exchange."""

    def on_head(self, head: ResponseHead, first: bytes, ended: bool, trailers: bytes) -> None: ...

    def on_interim(self, head: ResponseHead) -> None: ...

    def on_body(self, data: bytes) -> None: ...

    def on_end(self, trailers: bytes) -> None: ...

    def on_upgrade(self, head: ResponseHead, first: bytes) -> None: ...

    def on_failure(self, kind: str, detail: str) -> None:
        """kind: `reset reset_before_request stale_connection upstream_protocol`; nothing follows."""

    def on_write_paused(self) -> None:
        """The upstream does not take what we send."""

    def on_write_resumed(self) -> None: ...


class Upstream(TimerOwner, Protocol):
    """One connection to an endpoint, as the pool holds it.

    timer: lent to the attempt; while idle its own, and when that is due it closes itself. requests: sent on it.
    keep_alive_timeout_s: how long the upstream says it keeps an idle connection, or None. closes_at: from when on it
    is too old for another exchange, monotonic seconds; `inf` = never. shelf: where it lies while idle, `Endpoint.idle`
    as that was when it was opened. The pool writes both.
    """

    endpoint: "Endpoint"
    timer: Timer
    requests: int
    keep_alive_timeout_s: float | None
    closes_at: float
    shelf: "list[Upstream]"

    def is_reusable(self) -> bool:
        """Both messages ended, nothing is buffered, and neither side said close."""

    @property
    def closes_halves(self) -> bool:
        """After an upgrade each half ends alone; by TLS none does (RFC 9112 §9.8)."""

    @property
    def unsent(self) -> int:
        """Bytes that the upstream has not taken yet."""

    def send_request(
        self, exchange: Exchange, events: UpstreamEvents, left_ms: int, first: bytes, ended: bool, trailers: bytes
    ) -> None:
        """Head and first body piece in one write. Framing: the exchange's head.body.

        Beside the exchange's block go its forwarded fields, request id, trace context and attempt number, and the time
        that is left for it: left_ms, -1 where nothing bounds it.
        """

    def send_body(self, data: bytes) -> None: ...

    def send_end(self, trailers: bytes) -> None:
        """The request is whole. After an upgrade: the caller's half is closed."""

    def pause_body(self) -> None:
        """The caller is slow: read no more of the answer."""

    def resume_body(self) -> None: ...

    def close(self) -> None:
        """Idle, or the exchange is over for us before the answer was. No event follows."""


class AnswerEvents(Protocol):
    """What is heard of one request on a connection that many share. Fields: names in lower case. on_lost is the last
    that is heard, and nothing follows a message that ended. takes: as much of the answer's body may follow as came;
    else whoever hears it says when (`SharedUpstream.consumed`). is_tunnel: the other way goes on when the answer has
    ended, until `SharedUpstream.finish` or `cancel`."""

    takes: bool

    @property
    def is_tunnel(self) -> bool: ...

    def on_interim(self, fields: Sequence[tuple[bytes, bytes]]) -> None:
        """An answer of 1xx."""

    def on_fields(
        self,
        fields: Sequence[tuple[bytes, bytes]],
        ended: bool,
        first: bytes = b"",
        trailers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        """The head, with `:status`, and what came behind it at once. ended: it is whole with these."""

    def on_data(self, data: bytes, ended: bool) -> None: ...

    def on_trailers(self, fields: Sequence[tuple[bytes, bytes]]) -> None:
        """The message is whole."""

    def on_written(self, unsent: int) -> None:
        """Something was written; unsent: bytes of the request that wait."""

    def on_lost(self, kind: str, detail: str) -> None:
        """kind: `refused_stream` (nobody has looked at the request), `reset`, `upstream_protocol`."""


class SharedUpstream(TimerOwner, Protocol):
    """One connection to an endpoint, on which many requests run beside each other.

    timer: its own, for how long it may be idle. closes_at: as of an `Upstream`. requests: begun on it. running: those
    that are not over. heard: how often anything came from the other side. answers: reads the heads that come on it;
    whoever does that first makes it.
    """

    timer: Timer
    closes_at: float
    requests: int
    heard: int
    most_streams: int
    answers: "AnswerReader | None"

    @property
    def running(self) -> int: ...

    def can_begin(self) -> bool:
        """Neither side is leaving or gone."""

    def begin(
        self, fields: Sequence[tuple[bytes, bytes]], body: bytes, events: AnswerEvents, *, ended: bool = True
    ) -> int:
        """Returns the request's number here. ended: it is whole. Only where it can begin."""

    def send(self, number: int, data: bytes, *, ended: bool) -> None:
        """More of a request's body."""

    def trail(self, number: int, fields: Sequence[tuple[bytes, bytes]]) -> None:
        """The request is whole with these."""

    def unsent(self, number: int) -> int:
        """Bytes of the request's body that the other side has not taken."""

    def consumed(self, number: int, size: int) -> None:
        """So much of an answer's body was taken: as much more may come."""

    def cancel(self, number: int, *, is_open: bool = False) -> None:
        """Nobody hears of this one any more. is_open: it is not whole yet, though its answer may be."""

    def ask_connects(self, answer: Callable[[bool], None]) -> None:
        """Tells, now or as soon as it is known, whether the other side takes extended CONNECT (RFC 8441); of a
        connection that is lost, too."""

    def finish(self, number: int) -> None:
        """As cancel, but what was sent arrives, and its end."""

    def retire(self) -> None:
        """Begins nothing any more, and closes when nothing runs on it."""
