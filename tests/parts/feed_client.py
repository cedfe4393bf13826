"""A follower of the real feed in a thread of its own: it resumes by revision and minds every gap and double."""

from __future__ import annotations

import http.client
import threading
from urllib.parse import urlencode

import msgspec

from meshway.model.instance import Instance
from meshway.snapshot import INSTANCE, Change, Delta, FrameReader, Hello, Reset, Snapshot, SnapshotEnd

_TIMEOUT_S = 10.0


class FeedClient:
    """revisions: of the deltas, as they came. instances: what it holds, by `service/id`. resets: their reasons."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.revision: int | None = None
        self.epoch: str | None = None
        self.revisions: list[int] = []
        self.resets: list[str] = []
        self.instances: dict[str, Instance] = {}
        self._parts: list[Change] = []
        self._connection: http.client.HTTPConnection | None = None
        self._thread: threading.Thread | None = None

    def connect(self) -> None:
        """Follows until the connection ends, in the background."""
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until the connection has ended."""
        if self._thread is not None:
            self._thread.join(_TIMEOUT_S + 5)
            assert not self._thread.is_alive()

    def disconnect(self) -> None:
        connection = self._connection
        if connection is not None and connection.sock is not None:
            connection.sock.shutdown(2)
        self.wait()

    def _follow(self) -> None:
        held = {} if self.revision is None else {"since": self.revision, "epoch": self.epoch}
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_TIMEOUT_S)
        reader = FrameReader()
        self._parts = []
        try:
            self._connection.request("GET", f"/v1/feed?{urlencode(held | {'node': 'test'})}")
            answer = self._connection.getresponse()
            while data := answer.read1(1 << 16):
                for frame in reader.feed(data):
                    self._take(frame)
        except (OSError, http.client.HTTPException, AttributeError):
            pass  # it was killed, or the test hung up
        finally:
            self._connection.close()

    def _take(self, frame: object) -> None:
        match frame:
            case Hello():
                self.epoch = frame.epoch
            case Reset():
                self.resets.append(frame.reason)
            case Snapshot():
                self._parts += frame.entries
            case SnapshotEnd():
                self.instances.clear()
                self._apply(self._parts)
                self.revision, self._parts = frame.revision, []
            case Delta():
                self._parts += frame.changes
                if not frame.more:
                    self._apply(self._parts)
                    self.revisions.append(frame.revision)
                    self.revision, self._parts = frame.revision, []

    def _apply(self, changes: list[Change]) -> None:
        for change in changes:
            if change.kind != INSTANCE:
                continue
            if change.op == "put":
                self.instances[change.name] = msgspec.msgpack.decode(change.value, type=Instance)
            else:
                self.instances.pop(change.name, None)
