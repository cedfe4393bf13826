"""Followers and watchers that note all they see, hold a place in the history and go on from there."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import msgspec

from meshway.model.instance import Instance
from meshway.snapshot import INSTANCE, Change, Delta, FrameReader, Hello, Reset, Snapshot, SnapshotEnd
from tests.parts.history import Sight

_TIMEOUT_S = 5.0


class Witness:
    """held: the revision it has. resets: how often it was told to begin anew. is_over: it reads no further."""

    def __init__(self) -> None:
        self.held: int | None = None
        self.is_over = False
        self.sights: list[Sight] = []
        self.resets = 0
        self._quiet_until_s = 0.0

    def read(self, port: int, deltas: int) -> None:
        """Connects, goes on from what it holds, and returns when so many deltas have come. Raises OSError,
        HTTPException: the connection failed, or said nothing new for 5 s."""
        raise NotImplementedError

    def _begin_quiet(self) -> None:
        self._quiet_until_s = time.monotonic() + _TIMEOUT_S

    def _check_quiet(self) -> None:
        """Ticks and heads said again keep a connection's own timeout from ever passing."""
        if time.monotonic() > self._quiet_until_s:
            raise TimeoutError("nothing new")

    def see(self, revision: int, seen: list[tuple[str, str | None]], *, is_snapshot: bool = False) -> None:
        """seen: each instance as `service/id` and its status, None for one that went."""
        self.held = revision
        self._begin_quiet()
        self.sights.append(
            Sight(
                revision,
                tuple(key for key, _ in seen),
                time.monotonic(),
                is_snapshot,
                frozenset(key for key, status in seen if status == "critical"),
                frozenset(key for key, status in seen if status is None),
            )
        )


class Follower(Witness):
    """Of the feed, as a gateway."""

    def __init__(self, node: str = "f") -> None:
        super().__init__()
        self.epoch = ""
        self._node = node

    def read(self, port: int, deltas: int) -> None:
        held = "" if self.held is None else f"&since={self.held}&epoch={self.epoch}"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
        reader, parts, whole = FrameReader(), list[Change](), list[Change]()
        try:
            connection.request("GET", f"/v1/feed?node={self._node}{held}")
            answer = _opened(connection.getresponse())
            self._begin_quiet()
            while deltas > 0 and not self.is_over and (data := answer.read1(1 << 14)):
                self._check_quiet()
                for frame in reader.feed(data):
                    match frame:
                        case Hello():
                            self.epoch = frame.epoch
                        case Reset():
                            self.resets += 1
                            parts.clear()
                            whole.clear()
                        case Snapshot():
                            whole += frame.entries
                        case SnapshotEnd():
                            self.see(frame.revision, _instances(whole), is_snapshot=True)
                            whole.clear()
                        case Delta():
                            parts += frame.changes
                            if not frame.more:
                                self.see(frame.revision, _instances(parts))
                                parts.clear()
                                deltas -= 1
        finally:
            connection.close()


class Watcher(Witness):
    """Of server-sent events, as a browser or a script."""

    def read(self, port: int, deltas: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
        fields = {} if self.held is None else {"Last-Event-ID": str(self.held)}
        whole: list[tuple[str, str | None]] = []
        try:
            connection.request("GET", "/v1/watch?kind=Instance", headers=fields)
            answer = _opened(connection.getresponse())
            self._begin_quiet()
            event, data = "", b""
            while deltas > 0 and not self.is_over and (line := answer.readline()):
                self._check_quiet()
                name, _, value = line.rstrip(b"\n").partition(b": ")
                if name == b"event":
                    event = value.decode()
                elif name == b"data":
                    data = value
                elif name == b"id" and not event:
                    if int(value) != self.held:  # the end of a snapshot; else the head, said again
                        self.see(int(value), whole, is_snapshot=True)
                    whole = []
                elif not name and event:
                    deltas -= self._take(event, json.loads(data), whole)
                    event = ""
        finally:
            connection.close()

    def _take(self, event: str, read: Any, whole: list[tuple[str, str | None]]) -> int:
        """How many deltas it was."""
        seen = [
            (change["name"], change["value"].get("status", "passing") if change["op"] == "put" else None)
            for change in read.get("changes", ())
        ]
        if event == "delta":
            self.see(read["revision"], seen)
            return 1
        if event == "snapshot":
            whole += seen
        else:
            self.resets += 1
            whole.clear()
        return 0


class WitnessThread(threading.Thread):
    """Lets a witness read a while from one registry after the other.

    absences: the share of times after which it is away for some seconds. fault: what ended it too early, with its
    place.
    """

    def __init__(self, witness: Witness, next_port: Callable[[], int], *, seed: int, absences: float) -> None:
        super().__init__(daemon=True)
        self.witness = witness
        self._next_port = next_port
        self._is_over = threading.Event()
        self._chance = random.Random(seed)
        self._absences = absences
        self.fault: str | None = None

    def run(self) -> None:
        try:
            self._read_on()
        except BaseException:
            self.fault = traceback.format_exc()

    def end(self) -> None:
        """Raises AssertionError when it reads on: whoever read on with its witness then would see what it sees."""
        self._is_over.set()
        self.witness.is_over = True
        self.join(3 * _TIMEOUT_S)
        assert not self.is_alive(), f"a witness that holds {self.witness.held} has not ended"
        self.witness.is_over = False

    def _read_on(self) -> None:
        while not self._is_over.is_set():
            try:
                self.witness.read(self._next_port(), self._chance.randint(1, 200))
            except (OSError, http.client.HTTPException):
                self._is_over.wait(0.05)
            if self._chance.random() < self._absences:
                self._is_over.wait(self._chance.uniform(0, 8))


def _opened(answer: http.client.HTTPResponse) -> http.client.HTTPResponse:
    """Raises HTTPException for a refusal: the next registry is asked."""
    if answer.status != 200:
        assert answer.status == 503, answer.read()
        raise http.client.HTTPException(answer.status)
    return answer


def _instances(changes: list[Change]) -> list[tuple[str, str | None]]:
    return [
        (change.name, msgspec.msgpack.decode(change.value, type=Instance).status if change.op == "put" else None)
        for change in changes
        if change.kind == INSTANCE
    ]
