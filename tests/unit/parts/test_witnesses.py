"""A witness gives up a connection that tells it nothing new, however often it is told that nothing is new."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import pytest

from meshway.model.instance import Instance
from meshway.snapshot import INSTANCE, Change, Hello, Reset, Snapshot, SnapshotEnd, Tick, encode_frame
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
    witness = make()
    with _serving(told, again) as port, pytest.raises(TimeoutError):
        witness.read(port, deltas=5)
    assert (witness.held, witness.resets) == (7, 1)


def _part(name: str) -> bytes:
    """Of a snapshot, as the feed tells it."""
    value = msgspec.Raw(msgspec.msgpack.encode(Instance(id=name, service="s", namespace="default", address="", port=1)))
    return encode_frame(Snapshot(revision=7, entries=[Change("put", INSTANCE, "default", f"s/{name}", value)]))


def _event(name: str) -> bytes:
    """The same, as the watch tells it."""
    change = {"op": "put", "name": f"s/{name}", "value": {}}
    return b"event: snapshot\ndata: %b\n\n" % msgspec.json.encode({"changes": [change]})


@pytest.mark.parametrize(
    ("make", "told", "again"),
    [
        (
            Follower,
            [encode_frame(Hello("e1", 7)), _part("old"), encode_frame(Reset("slow")), _part("new"),
             encode_frame(SnapshotEnd(revision=7, entries=1))],
            encode_frame(Tick(7)),
        ),
        (Watcher, [_event("old"), b"event: reset\ndata: {}\n\n", _event("new"), b"id: 7\n\n"], b"id: 7\n\n"),
    ],
    ids=["follower", "watcher"],
)  # fmt: skip
def test_a_reset_voids_the_snapshot_that_it_interrupts(
    make: Callable[[], Witness], told: list[bytes], again: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(witnesses, "_TIMEOUT_S", 0.3)
    witness = make()
    with _serving(b"".join(told), again) as port, pytest.raises(TimeoutError):
        witness.read(port, deltas=5)
    assert [(sight.revision, sight.keys) for sight in witness.sights] == [(7, ("s/new",))]


@contextmanager
def _serving(told: bytes, again: bytes) -> Iterator[int]:
    """The port of one that tells its first caller this, and then says the same again and again."""
    is_over = threading.Event()
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
            yield server.getsockname()[1]
        finally:
            is_over.set()
            thread.join(5)


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
