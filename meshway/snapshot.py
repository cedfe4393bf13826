"""Frames of the feed: registry to gateway, supervisor to worker, and snapshot file on disk, all the same bytes.

A frame is a 4-byte big-endian length (at most 1 MiB) and one msgpack map tagged `t`. A change carries whole entries or
tombstones. Unknown tags are skipped and unknown fields ignored, so neighbours a minor version apart understand each
other. `docs/internals/revisions.md` states what a follower may rely on.
"""

from collections.abc import Iterator
from typing import Any, Final, Literal

import msgspec

MAX_FRAME: Final = 1 << 20
SNAPSHOT_ENTRIES: Final = 500

INSTANCE: Final = "Instance"  # the one kind beside the documents of meshway.model.kinds


class Change(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One entry put or deleted.

    kind: `Instance` or a document's kind. name: of an instance `service/id`. value: msgpack of the Instance or of the
    Document (`{kind, metadata, spec}`); absent for a tombstone. Encoded once, before the commit, without its revision.
    """

    op: Literal["put", "delete"]
    kind: str
    namespace: str
    name: str
    value: msgspec.Raw = msgspec.Raw(b"\xc0")

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.kind, self.namespace, self.name)


class Frame(msgspec.Struct, frozen=True, tag_field="t", omit_defaults=True):
    """The base of all frames."""


class Hello(Frame, frozen=True, tag="hello"):
    """First frame of a connection. revision: the head. epoch: random id of one unbroken history."""

    epoch: str
    revision: int


class Snapshot(Frame, frozen=True, tag="snapshot"):
    """A part of the whole, at most SNAPSHOT_ENTRIES entries, all of one revision. Every entry is a put."""

    revision: int
    entries: list[Change]


class SnapshotEnd(Frame, frozen=True, tag="snapshot_end"):
    """entries: how many the parts held together; a follower that counted another number refuses the snapshot."""

    revision: int
    entries: int


class Delta(Frame, frozen=True, tag="delta"):
    """All changes of one revision; more: further parts of the same revision follow and are applied together.

    part: its place among them, from 0, by which a lost one shows.
    """

    revision: int
    changes: list[Change]
    more: bool = False
    part: int = 0


class Tick(Frame, frozen=True, tag="tick"):
    """Every 2 s. revision: the head; gateways: how many are live. audit: `ROW:HASH` of the last row of the audit log,
    "" where there is none: whoever keeps the feed can show later that the log was another."""

    revision: int
    gateways: int = 1
    audit: str = ""


class Question(Frame, frozen=True, tag="question"):
    """Asked of gateways; answered by POST /v1/answers/{id} within deadline_s."""

    id: str
    kind: str
    deadline_s: float
    body: Any = None


class Reset(Frame, frozen=True, tag="reset"):
    """What the follower holds cannot be continued; a snapshot follows."""

    reason: str


class SecretContents(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A version of a Secret. until: seconds since 1970, from then on it is not accepted; None: it is the newest.

    session_key: of type opaque, what sessions of people are sealed by who log in by it; another with each version.
    """

    until: float | None
    data: Any
    session_key: bytes = b""

    def __repr__(self) -> str:
        return "SecretContents(***)"


class SecretFrame(Frame, frozen=True, tag="secret"):
    """What a Secret holds, newest first, to a gateway whose documents refer to it. It comes before the revision that
    makes it necessary, and again when it is another. data: by type, as meshway/model/secret_data.py judges it.
    """

    namespace: str
    name: str
    type: str
    share_with: list[str]
    versions: list[SecretContents]

    @property
    def key(self) -> tuple[str, str]:
        return (self.namespace, self.name)


class SecretsWanted(Frame, frozen=True, tag="secrets"):
    """Documents refer to these, by namespace and name, and to no others."""

    keys: list[tuple[str, str]]


AnyFrame = Hello | Snapshot | SnapshotEnd | Delta | Tick | Question | Reset | SecretFrame | SecretsWanted

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(AnyFrame)
_tag_decoder = msgspec.msgpack.Decoder(dict[str, Any])
_KNOWN: Final = frozenset(
    {"hello", "snapshot", "snapshot_end", "delta", "tick", "question", "reset", "secret", "secrets"}
)


class FrameError(ValueError):
    """The bytes are no feed: the connection or the file is of no use from here on."""


def encode_frame(frame: AnyFrame) -> bytes:
    body = _encoder.encode(frame)
    if len(body) > MAX_FRAME:
        raise FrameError(f"frame of {len(body)} bytes is above {MAX_FRAME}")
    return len(body).to_bytes(4, "big") + body


def decode_frame(body: bytes | memoryview) -> AnyFrame | None:
    """One frame without its length; None for a tag of a later version."""
    try:
        frame: AnyFrame = _decoder.decode(body)
        return frame
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        try:
            tag = _tag_decoder.decode(body).get("t")
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise FrameError(str(error)) from error
        if isinstance(tag, str) and tag not in _KNOWN:
            return None
        raise FrameError(str(error)) from error


class FrameReader:
    """Cuts a stream of bytes, split anywhere, into frames (pure)."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[AnyFrame]:
        """Yields every frame that is whole now. Raises FrameError on nonsense; the reader is then of no use."""
        buffer = self._buffer
        buffer += data
        at = 0
        try:
            while len(buffer) - at >= 4:
                size = int.from_bytes(buffer[at : at + 4], "big")
                if size > MAX_FRAME:
                    raise FrameError(f"frame of {size} bytes is above {MAX_FRAME}")
                if len(buffer) - at - 4 < size:
                    break
                body = bytes(buffer[at + 4 : at + 4 + size])
                at += 4 + size
                frame = decode_frame(body)
                if frame is not None:
                    yield frame
        finally:
            del buffer[:at]
