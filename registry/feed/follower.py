"""One gateway that follows: hello, then snapshot or deltas, then every revision, with ticks while it is quiet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from meshway.snapshot import Hello, Reset, SecretsWanted, Tick, encode_frame
from registry.feed.log_cursor import LogCursor
from registry.feed.log_pages import Behind

if TYPE_CHECKING:
    from collections.abc import Callable

    from registry.feed.feed import Secrets
    from registry.feed.log_pages import LogPages
    from registry.feed.snapshots import FramedSnapshot
    from registry.view.view import View

TAKE_BYTES: Final = 1 << 18


class Follower:
    """The caller writes what `take` gives whenever the connection takes it, asks again after a commit, and is woken for
    what else there is.

    since: the revision it holds, of history `epoch`; None: nothing. snapshot: gives the one to use now,
    not older than what the follower holds. secrets: always those of the head, before what refers to them.
    """

    __slots__ = (
        "_closed", "_cursor", "_epoch", "_gateways", "_pages", "_ready", "_secrets", "_snapshot",
        "_snapshot_at", "_snapshots", "_told", "_view", "_wake", "node",
    )  # fmt: skip

    def __init__(
        self,
        view: View,
        pages: LogPages,
        *,
        since: int | None,
        epoch: str | None,
        node: str,
        snapshot: Callable[[int], FramedSnapshot],
        secrets: Secrets,
        wake: Callable[[], None],
        closed: Callable[[Follower], None],
    ) -> None:
        self.node = node
        self._view = view
        self._epoch = view.epoch
        self._pages = pages
        self._wake = wake
        self._closed = closed
        self._snapshots = snapshot
        self._snapshot: FramedSnapshot | None = None
        self._snapshot_at = 0
        self._gateways = 0
        self._secrets = secrets
        self._told: dict[tuple[str, str], bytes] | None = None
        self._ready: list[bytes] = [encode_frame(Hello(epoch=view.epoch, revision=view.revision))]
        reason = _refusal(view, since, epoch)
        if since is None or reason is not None:
            self._cursor = self._begin(reason, since or 0)
        else:
            self._cursor = LogCursor(view, pages, since, wake)

    @property
    def is_over(self) -> bool:
        """Another history has begun. A feed is of one, so this one ends, and its gateway comes again."""
        return self._view.epoch != self._epoch

    @property
    def revision(self) -> int:
        """The last one given out; while a snapshot is on its way, that of the snapshot."""
        return self._cursor.revision

    def wake(self) -> None:
        self._wake()

    def ask(self, frame: bytes) -> None:
        """A question, encoded; it may come between the parts of a snapshot."""
        self._ready.append(frame)
        self._wake()

    def tick(self, gateways: int) -> None:
        """A sign of life. It names the head, so it waits until the head has been given out."""
        self._gateways = gateways
        self._wake()

    @property
    def has_more(self) -> bool:
        """Whether `take` would give something without a wake before it."""
        if self._snapshot is not None or self._ready or self._told is not self._secrets.frames:
            return True
        cursor = self._cursor
        return self._gateways > 0 if cursor.is_at_head else not cursor.is_reading

    def take(self, limit: int = TAKE_BYTES) -> bytes:
        """Frames that are ready now, about `limit` bytes; empty: wait for wake. Of a snapshot one part, since a part
        may have to be encoded."""
        if self._told is not self._secrets.frames:
            self._tell_secrets()
        if self._snapshot is None and not self._ready and not self._gateways:
            # What a follower does a thousand times between two ticks: no list, no joining of its own.
            if self._cursor.is_at_head:
                return b""
            if (taken := self._take_deltas(limit)) or not self._ready:
                return taken
        frames, self._ready = self._ready, []
        limit -= sum(map(len, frames))
        if self._snapshot is not None:
            frame = self._snapshot.frame(self._snapshot_at)
            if frame is not None:
                self._snapshot_at += 1
                return b"".join([*frames, frame])
            self._snapshot = None
        if limit > 0:
            frames.append(self._take_deltas(limit))
            if self._ready:  # the reason of a reset, and the snapshot follows
                frames += self._ready
                self._ready = []
        if self._gateways and not any(frames) and self._cursor.is_at_head:
            head = self._view.audit_head
            audit = f"{head.seq}:{head.hash.hex()}" if head.seq else ""
            frames.append(encode_frame(Tick(revision=self._view.revision, gateways=self._gateways, audit=audit)))
            self._gateways = 0
        return b"".join(frames)

    def close(self) -> None:
        self._cursor.close()
        self._closed(self)

    def _tell_secrets(self) -> None:
        """Where there are none nothing is said: who is in step and was told of none knows that."""
        told, frames = self._told, self._secrets.frames
        if (told is None and frames) or (told is not None and not told.keys() <= frames.keys()):
            self._ready.append(encode_frame(SecretsWanted(keys=sorted(frames))))
        self._ready += [frame for key, frame in frames.items() if told is None or told.get(key) is not frame]
        self._told = frames

    def _take_deltas(self, limit: int) -> bytes:
        """Empty with something in `_ready`: it had to begin anew."""
        try:
            return self._cursor.take_frames(limit)
        except Behind:
            self._cursor.close()
            self._cursor = self._begin("too slow, or away for too long", self._cursor.revision)
            return b""

    def _begin(self, reason: str | None, held: int) -> LogCursor:
        if reason is not None:
            self._ready.append(encode_frame(Reset(reason=reason)))
        self._snapshot = self._snapshots(held)
        self._snapshot_at = 0
        return LogCursor(self._view, self._pages, self._snapshot.revision, self._wake)


def _refusal(view: View, since: int | None, epoch: str | None) -> str | None:
    """Why what the follower holds cannot be continued."""
    if since is None:
        return None
    if epoch is not None and epoch != view.epoch:
        return "another history"
    if since > view.revision:
        return "a revision beyond the head"
    if since + 1 < view.floor:
        return "away for longer than the log reaches"
    return None
