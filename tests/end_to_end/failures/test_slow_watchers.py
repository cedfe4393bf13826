"""A row of the failure matrix: who reads too slowly is told to begin anew, and slows nobody."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.conditions import wait_until
from tests.parts.memory import resident_bytes
from tests.parts.planes import Registry
from tests.parts.processes import Process, python
from tests.parts.witnesses import Watcher

# Says the name of every event and, at last, the revision it has.
_WATCH = """
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
connection.request("GET", "/v1/watch")
for line in connection.getresponse():
    if line.startswith((b"event: ", b"id: ")):
        print(line.decode().strip(), flush=True)
"""
_SLOW = 5
_ROWS = 200
# Of 0.9 MB each: so many are more than the registry keeps in memory for those who are behind.
_WRITES = 45


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    running = Registry(tmp_path)
    yield running
    running.close()


@pytest.mark.alone
def test_stopped_watchers_slow_nobody_and_are_told_to_begin_anew(registry: Registry, tmp_path: Path) -> None:
    quick = Watcher()
    reading = threading.Thread(target=lambda: quick.read(registry.port, 2 * _WRITES + 1))
    _write(registry)
    reading.start()
    wait_until(lambda: quick.held == 1, what="the quick one holds the snapshot")
    without_s = max(_way_s(registry, quick) for _ in range(_WRITES))
    before = resident_bytes(registry.process.pid)  # with all that it keeps for those who are behind
    slow = [Process(python("-c", _WATCH, str(registry.port)), tmp_path / f"slow{at}") for at in range(_SLOW)]
    try:
        for watcher in slow:
            wait_until(lambda watcher=watcher: "id: " in watcher.text(), what="each has its snapshot")  # type: ignore[misc]
            watcher.send(signal.SIGSTOP)
        with_s = max(_way_s(registry, quick) for _ in range(_WRITES))
        grown = resident_bytes(registry.process.pid) - before
        print(f"longest way to the quick one {without_s * 1e3:.0f} ms, beside slow ones {with_s * 1e3:.0f} ms")
        print(f"memory grown by {grown >> 20} MiB")
        assert with_s < max(1.0, 3 * without_s)
        assert grown < 40 << 20, "nothing is kept for each"
        for watcher in slow:
            watcher.send(signal.SIGCONT)
        last = f"id: {_write(registry)}"
        for watcher in slow:
            wait_until(lambda watcher=watcher: last in watcher.text(), 20, what="each catches up")  # type: ignore[misc]
            assert watcher.text().count("event: reset") == 1
    finally:
        for watcher in slow:
            watcher.kill()
    reading.join(10)
    assert quick.resets == 0
    assert [sight.revision for sight in quick.sights] == list(range(1, 2 * _WRITES + 3))


def _way_s(registry: Registry, quick: Watcher) -> float:
    """How long after the answer to a write the quick one had it."""
    revision = _write(registry)
    answered_s = time.monotonic()
    wait_until(lambda: quick.held == revision, 5, 0.002)
    return time.monotonic() - answered_s


def _write(registry: Registry) -> int:
    """Each row in a new generation, all in one revision."""
    rows = [
        {"service": "books", "id": f"i{at}", "port": 9000, "ttl_s": 3600, "metadata": {"n": "v" * 4000}}
        for at in range(_ROWS)
    ]
    answer = registry.client.post("/v1/registrations", json={"instances": rows})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["revision"])
