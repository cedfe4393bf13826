"""Between a supervisor and one worker: a Unix socketpair that carries the feed's frames and a few of its own.

Down go the feed's frames unchanged (meshway/snapshot.py), so a worker compiles what the registry sent, and `start`,
`no_snapshot`, `transition`, `kept`, `proven`, `gateways`, `buckets`, `grant`, `store`, `key_set`, `key_sets`,
`pair`, `pairs`, `listeners`, `nonce_told`, `drain`, `reopen`. Back come `ready`, `applied`, `transition`, `answer`,
`answered`, `ask`, `missing_key`, `nonce`, `told`, `alive`, `leaving`, `drained`. The form is the same:
4-byte length, one msgpack map tagged `t`. What is queued is bounded; a peer that does not read is cut off and, being a
worker, replaced.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Final, cast

import msgspec

from gateway.settings import WorkerSettings
from gateway.upstream.transition import Transition
from meshway.assignments.messages import Ask, Budget, Grant
from meshway.certificates import Pair
from meshway.model.listener import Spoken
from meshway.snapshot import MAX_FRAME, AnyFrame, Change, Frame, FrameError
from meshway.spans import Span

MAX_QUEUED: Final = 64 << 20


class Refusal(msgspec.Struct, frozen=True):
    """A document that does not compile; its last good version stays in force. is_pending: it waits for what the
    registry is about to make, or for its port."""

    kind: str
    namespace: str
    name: str
    path: str
    reason: str
    is_pending: bool = False


class Start(Frame, frozen=True, tag="start"):
    """First frame to a worker. column: its column of the host table. workers: live ones of this host. reset_key: by
    which callers of HTTP/3 believe that their connection is over, of all workers there will be."""

    settings: WorkerSettings
    slot: int
    column: int
    workers: int
    host_table: str
    counters: str
    reset_key: bytes


class NoSnapshot(Frame, frozen=True, tag="no_snapshot"):
    """Nothing is known yet: accept, and answer 503 until a snapshot comes."""


class Drain(Frame, frozen=True, tag="drain"):
    """Stop accepting, let calls end, close what is idle after idle_s and what still runs after end_s, leave.

    is_last: nobody will read the sockets after this worker, so what waits in their queues is accepted before.
    """

    idle_s: float
    end_s: float
    is_last: bool = False


class ReopenLogs(Frame, frozen=True, tag="reopen"):
    """The access log was moved away."""


class TransitionFrame(Frame, frozen=True, tag="transition"):
    """Both ways: a worker's finding, and the supervisor's word to all."""

    transition: Transition


class Proven(Frame, frozen=True, tag="proven"):
    """Before the first snapshot, see `gateway/feed/proven.py`."""

    changes: list[Change]


class Kept(Frame, frozen=True, tag="kept"):
    """Of the mass removal guard: instances to call on although the feed says that they are gone, or no longer."""

    changes: list[Change]


class Gateways(Frame, frozen=True, tag="gateways"):
    """The registry was heard, heard_s ago. live: how many gateways of the mesh are, as it counts them."""

    live: int
    heard_s: float = 0.0


class Buckets(Frame, frozen=True, tag="buckets"):
    """What the worker whose place is taken has spent of its limits: by limit (document, place), keys and what its
    algorithm must know of them (`gateway/limits/algorithm.py`)."""

    limits: list[tuple[tuple[tuple[str, str, str], tuple[str, ...]], list[tuple[str, list[float]]]]]


class KeySetFrame(Frame, frozen=True, tag="key_set"):
    """Keys of an issuer, as it last published them, at confirmed_s (seconds since 1970)."""

    url: str
    text: bytes
    confirmed_s: float


class KeySetsWanted(Frame, frozen=True, tag="key_sets"):
    """Documents name these and no others."""

    urls: list[str]


class PairFrame(Frame, frozen=True, tag="pair"):
    """The certificate and the key that a document names."""

    namespace: str
    name: str
    pair: Pair


class PairsWanted(Frame, frozen=True, tag="pairs"):
    """Documents of these namespaces and names have one, and no others."""

    names: list[tuple[str, str]]


class IdentityFrame(Frame, frozen=True, tag="identity"):
    """The gateway's own certificate of the mesh, with its key."""

    pair: Pair


class ListenerSpot(msgspec.Struct, frozen=True):
    """A socket of a Listener's own; a new one has a higher number, which its descriptor bears as well."""

    number: int
    name: str
    face: str
    spoken: Spoken


class ListenersWanted(Frame, frozen=True, tag="listeners"):
    """Beside those that every worker has: these and no others."""

    spots: list[ListenerSpot]


class MissingKey(Frame, frozen=True, tag="missing_key"):
    """A caller has named a key that the set of this URL lacks."""

    url: str


class NonceFrame(Frame, frozen=True, tag="nonce"):
    """A signed request brings this one. mark: of key and nonce. until: seconds since 1970."""

    number: int
    mark: bytes
    until: float


class NonceTold(Frame, frozen=True, tag="nonce_told"):
    """Whether it came for the first time, on any worker of the host."""

    number: int
    is_fresh: bool


class AskFrame(Frame, frozen=True, tag="ask"):
    """Assignments that a worker's limits want, all of one scope; answered in the same order by the number."""

    number: int
    scope: str
    budgets: list[Budget]
    asks: list[Ask]


class GrantFrame(Frame, frozen=True, tag="grant"):
    """workers: live ones that share what this scope's limits allow."""

    number: int
    scope: str
    grants: list[Grant]
    workers: int


class StoreFrame(Frame, frozen=True, tag="store"):
    """Of limits that are shared in the mesh. lost: why nobody assigns now, "" = somebody does again."""

    lost: str
    workers: int


class Ready(Frame, frozen=True, tag="ready"):
    """The worker reads its sockets from now on. revision: 0 when it answers 503 for want of a snapshot."""

    revision: int


class Applied(Frame, frozen=True, tag="applied"):
    """Tables of this revision are in force. refused: everything that does not compile at this revision."""

    revision: int
    refused: list[Refusal]


class Answer(Frame, frozen=True, tag="answer"):
    """To a question of the feed's form."""

    id: str
    body: Any = None


class Answered(Frame, frozen=True, tag="answered"):
    """Evidence: namespace, service and id of instances that gave good answers since they were last named."""

    instances: list[tuple[str, str, str]]


class Told(Frame, frozen=True, tag="told"):
    """Single calls: lines of the access log for the registry, and spans of those that are traced."""

    lines: list[bytes]
    spans: list[Span]


class Alive(Frame, frozen=True, tag="alive"):
    """Each second: the worker's loop turns."""


class Leaving(Frame, frozen=True, tag="leaving"):
    """Somebody asked the worker alone to end; it goes on until another has taken its place."""


class Drained(Frame, frozen=True, tag="drained"):
    """Last frame of a worker that leaves."""


ChannelFrame = (
    AnyFrame | Start | NoSnapshot | Drain | ReopenLogs | TransitionFrame | Kept | Proven | Gateways | Buckets
    | Ready | Applied | Answer | Answered | Alive | Leaving | Drained | AskFrame | GrantFrame | StoreFrame
    | KeySetFrame | KeySetsWanted | MissingKey | NonceFrame | NonceTold | PairFrame | PairsWanted | IdentityFrame
    | ListenersWanted | Told
)  # fmt: skip

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(ChannelFrame)


def encode(frame: ChannelFrame) -> bytes:
    body = _encoder.encode(frame)
    if len(body) > MAX_FRAME:
        raise FrameError(f"frame of {len(body)} bytes is above {MAX_FRAME}")
    return len(body).to_bytes(4, "big") + body


class Channel(asyncio.Protocol):
    """One end. on_frame: called for each frame, in order; on_closed: once, when the other end is gone.

    on_frame may call `pause` and `resume`: frames that have come already are then kept back as well.
    """

    def __init__(self, on_frame: Callable[[ChannelFrame], None], on_closed: Callable[[], None]) -> None:
        self._on_frame = on_frame
        self._on_closed = on_closed
        self._transport: asyncio.Transport | None = None
        self._incoming = bytearray()
        self._is_paused = False
        self._is_taking = False
        self._outgoing: deque[bytes | Iterator[bytes]] = deque()
        self._queued = 0
        self._is_writable = True
        self.is_closed = False

    def send(self, frame: ChannelFrame) -> None:
        self.send_encoded(encode(frame))

    def send_encoded(self, frames: bytes) -> None:
        """One or more whole frames."""
        if self.is_closed:
            return
        self._queued += len(frames)
        if self._queued > MAX_QUEUED:
            self.close()
            return
        self._outgoing.append(frames)
        self._pump()

    def send_all(self, frames: Iterator[bytes]) -> None:
        """Frames that are made as the other end takes them; what is sent later comes after the last."""
        if not self.is_closed:
            self._outgoing.append(frames)
            self._pump()

    def pause(self) -> None:
        self._is_paused = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            if self._transport is not None:
                self._transport.resume_reading()
            self._take()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort() if self._outgoing else self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports of Unix sockets are no subclass, only of the same shape.
        self._transport = cast("asyncio.Transport", transport)
        self._pump()

    def data_received(self, data: bytes) -> None:
        self._incoming += data
        self._take()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.is_closed:
            self.is_closed = True
            self._outgoing.clear()
            self._on_closed()

    def pause_writing(self) -> None:
        self._is_writable = False

    def resume_writing(self) -> None:
        self._is_writable = True
        self._pump()

    def _pump(self) -> None:
        transport = self._transport
        while transport is not None and self._is_writable and self._outgoing:
            first = self._outgoing[0]
            if isinstance(first, bytes):
                self._outgoing.popleft()
                self._queued -= len(first)
                transport.write(first)
            elif (piece := next(first, None)) is not None:
                transport.write(piece)
            else:
                self._outgoing.popleft()

    def _take(self) -> None:
        if self._is_taking:  # resumed by a frame of this very round, which goes on
            return
        self._is_taking = True
        buffer, at = self._incoming, 0
        try:
            while not self._is_paused and not self.is_closed and len(buffer) - at >= 4:
                size = int.from_bytes(buffer[at : at + 4], "big")
                if size > MAX_FRAME:
                    raise FrameError(f"frame of {size} bytes is above {MAX_FRAME}")
                if len(buffer) - at - 4 < size:
                    break
                body = bytes(buffer[at + 4 : at + 4 + size])
                at += 4 + size
                self._on_frame(_decoder.decode(body))
        finally:
            self._is_taking = False
            del buffer[:at]
