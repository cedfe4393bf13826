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

from tests.parts.history import History, Write, faults
from tests.parts.planes import Registry
from tests.parts.witnesses import Follower, Watcher, Witness

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


def _run(folder: Path, reconnects: int, kills: int) -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    chance = random.Random(seed)
    kill_at = set(chance.sample(range(reconnects), kills))
    registry = Registry(folder)
    is_over = threading.Event()
    writers = [Writer(registry.port, f"w{at}", is_over) for at in range(CLIENTS)]
    follower, watcher = Follower(), Watcher()
    readers: list[Witness] = [follower, watcher]
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


@pytest.mark.flaky(reruns=0)
def test_who_comes_and_goes_sees_every_revision_once_and_in_order(tmp_path: Path) -> None:
    _run(tmp_path, reconnects=60, kills=2)


@pytest.mark.soak
def test_the_same_over_a_thousand_reconnects(tmp_path: Path) -> None:
    _run(tmp_path, reconnects=1000, kills=10)
