"""Watchers and followers that come and go at random over real sockets, amid writes and kills of the registry."""

from __future__ import annotations

import http.client
import json
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from meshway.snapshot import INSTANCE, Change, Delta, FrameReader, Hello, Reset, Snapshot, SnapshotEnd
from tests.parts.history import History, Sight, Write, faults
from tests.parts.planes import Registry

CLIENTS = 4


class Writer(threading.Thread):
    """One registration after the other, again after a kill; every call is noted, also one that got no answer."""

    def __init__(self, port: int, name: str, is_over: threading.Event) -> None:
        super().__init__(daemon=True)
        self.port, self.writer, self.is_over = port, name, is_over
        self.writes: list[Write] = []

    def run(self) -> None:
        number = 0
        while not self.is_over.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            try:
                while not self.is_over.is_set():
                    number += 1
                    self._write(connection, f"{self.writer}-{number}")
            except (OSError, http.client.HTTPException, ValueError):
                time.sleep(0.02)  # refused until the registry is back
            finally:
                connection.close()

    def _write(self, connection: http.client.HTTPConnection, name: str) -> None:
        asked_s, answered_s, revision = time.monotonic(), None, None
        try:
            path = f"/v1/namespaces/default/services/books/instances/{name}"
            connection.request("PUT", path, json.dumps({"port": 8000, "ttl_s": 3600}))
            answer = connection.getresponse()
            body = json.loads(answer.read())
            assert answer.status == 201, body
            answered_s, revision = time.monotonic(), body["revision"]
        finally:
            self.writes.append(Write(f"books/{name}", asked_s, answered_s, revision))


class Reader:
    """Holds a place in the history and goes on from there, a few deltas at a time."""

    def __init__(self) -> None:
        self.held: int | None = None
        self.sights: list[Sight] = []
        self.resets = 0

    def see(self, revision: int, keys: tuple[str, ...], *, is_snapshot: bool = False) -> None:
        self.held = revision
        self.sights.append(Sight(revision, keys, time.monotonic(), is_snapshot))


class Follower(Reader):
    epoch = ""

    def read(self, port: int, deltas: int) -> None:
        """Until so many have come, or the connection ends."""
        held = "" if self.held is None else f"&since={self.held}&epoch={self.epoch}"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        reader, parts, whole = FrameReader(), list[Change](), list[Change]()
        try:
            connection.request("GET", f"/v1/feed?node=f{held}")
            answer = connection.getresponse()
            while deltas > 0 and (data := answer.read1(1 << 14)):
                for frame in reader.feed(data):
                    match frame:
                        case Hello():
                            self.epoch = frame.epoch
                        case Reset():
                            self.resets += 1
                        case Snapshot():
                            whole += frame.entries
                        case SnapshotEnd():
                            self.see(frame.revision, _keys(whole), is_snapshot=True)
                        case Delta():
                            parts += frame.changes
                            if not frame.more:
                                self.see(frame.revision, _keys(parts))
                                parts.clear()
                                deltas -= 1
        finally:
            connection.close()


class Watcher(Reader):
    def read(self, port: int, deltas: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        fields = {} if self.held is None else {"Last-Event-ID": str(self.held)}
        whole: list[str] = []
        try:
            connection.request("GET", "/v1/watch", headers=fields)
            answer = connection.getresponse()
            event, data = "", b""
            while deltas > 0 and (line := answer.readline()):
                name, _, value = line.rstrip(b"\n").partition(b": ")
                if name == b"event":
                    event = value.decode()
                elif name == b"data":
                    data = value
                elif name == b"id" and not event:
                    if int(value) != self.held:  # the end of a snapshot; else the head, said again
                        self.see(int(value), tuple(whole), is_snapshot=True)
                    whole = []
                elif not name and event:
                    read = json.loads(data)
                    names = tuple(change["name"] for change in read.get("changes", ()))
                    if event == "delta":
                        self.see(read["revision"], names)
                        deltas -= 1
                    elif event == "snapshot":
                        whole += names
                    else:
                        self.resets += 1
                    event = ""
        finally:
            connection.close()


def _keys(changes: list[Change]) -> tuple[str, ...]:
    return tuple(change.name for change in changes if change.kind == INSTANCE)


def _run(folder: Path, reconnects: int, kills: int) -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    kill_at = set(chance.sample(range(reconnects), kills))
    registry = Registry(folder)
    is_over = threading.Event()
    writers = [Writer(registry.port, f"w{at}", is_over) for at in range(CLIENTS)]
    follower, watcher = Follower(), Watcher()
    readers: list[Follower | Watcher] = [follower, watcher]
    try:
        for writer in writers:
            writer.start()
        for number in range(reconnects):
            if number in kill_at:
                registry.process.send(signal.SIGKILL)
                registry.process.popen.wait(10)
                registry.start()
            chance.choice(readers).read(registry.port, chance.randint(1, 12))
        is_over.set()
        for writer in writers:
            writer.join(15)
        head = int(registry.client.get("/v1/health/live").headers["Meshway-Revision"])
        for reader in readers:
            while reader.held is None or reader.held < head:
                reader.read(registry.port, head - (reader.held or 0))
        history = History(
            tuple(write for writer in writers for write in writer.writes),
            {type(reader).__name__: tuple(reader.sights) for reader in readers},
            _listed(registry),
        )
        assert faults(history) == []
        assert (follower.resets, watcher.resets) == (0, 0)
        for reader in readers:
            assert [sight.revision for sight in reader.sights if not sight.is_snapshot][-1] == head
            assert sum(sight.is_snapshot for sight in reader.sights) <= 1
    finally:
        is_over.set()
        registry.close()


def _listed(registry: Registry) -> dict[str, int]:
    listed: dict[str, int] = {}
    query = {"limit": "1000"}
    while True:
        page = registry.client.get("/v1/namespaces/default/services/books/instances", params=query).json()
        listed |= {f"books/{item['id']}": item["revision"] for item in page["items"]}
        if "next" not in page:
            return listed
        query["cursor"] = page["next"]


def test_who_comes_and_goes_sees_every_revision_once_and_in_order(tmp_path: Path) -> None:
    _run(tmp_path, reconnects=60, kills=2)


@pytest.mark.soak
def test_the_same_over_a_thousand_reconnects(tmp_path: Path) -> None:
    _run(tmp_path, reconnects=1000, kills=10)
