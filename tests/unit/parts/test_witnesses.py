"""A witness gives up a connection that tells it nothing new, however often it is told that nothing is new."""

import socket
import threading
from collections.abc import Callable

import pytest

from meshway.snapshot import Hello, Reset, SnapshotEnd, Tick, encode_frame
from tests.parts import witnesses
from tests.parts.witnesses import Follower, Watcher, Witness, WitnessThread

_FEED_HEAD = b"HTTP/1.1 200 OK\r\n\r\n"
_FEED = b"".join(
    encode_frame(frame) for frame in (Hello("e1", 7), Reset("compacted"), SnapshotEnd(revision=7, entries=0))
)
_WATCH = b"event: reset\ndata: {}\n\nevent: snapshot\ndata: {}\n\nid: 7\n\n"


@pytest.mark.parametrize(
    ("make", "told", "again"),
    [(Follower, _FEED, encode_frame(Tick(7))), (Watcher, _WATCH, b"id: 7\n\n")],
    ids=["follower", "watcher"],
)
def test_what_is_said_again_and_again_is_no_news(
    make: Callable[[], Witness], told: bytes, again: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witnesses, "_TIMEOUT_S", 0.3)
    witness, is_over = make(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1 << 14)
                connection.sendall(_FEED_HEAD + told)
                while not is_over.wait(0.05):
                    try:
                        connection.sendall(again)
                    except OSError:
                        return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            with pytest.raises(TimeoutError):
                witness.read(server.getsockname()[1], deltas=5)
        finally:
            is_over.set()
            thread.join(5)
    assert (witness.held, witness.resets) == (7, 1)


def test_a_thread_that_does_not_end_is_told_of_and_nobody_reads_on_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witnesses, "_TIMEOUT_S", 0.05)
    is_reading, may_end = threading.Event(), threading.Event()

    class Deaf(Witness):
        def read(self, port: int, deltas: int) -> None:
            is_reading.set()
            may_end.wait(10)

    thread = WitnessThread(Deaf(), lambda: 0, seed=1, absences=0.0)
    thread.start()
    try:
        assert is_reading.wait(5)
        with pytest.raises(AssertionError, match="has not ended"):
            thread.end()
        assert thread.witness.is_over
    finally:
        may_end.set()
        thread.join(5)
    thread.end()
    assert not thread.witness.is_over
