"""How long a change is under way: to the last of 1,000 followers, and to the first call that a gateway routes."""

from __future__ import annotations

import http.client
import itertools
import json
import socket
import statistics
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from loadtest.registry.followers import followers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loadtest.registry.servers import Server

_numbers = itertools.count(1)


class Spread(NamedTuple):
    """Milliseconds over all changes."""

    p50: float
    p99: float
    longest: float


def spread_of(times_s: list[float]) -> Spread:
    ordered = sorted(times_s)
    at = min(len(ordered) - 1, int(len(ordered) * 0.99))
    return Spread(statistics.median(ordered) * 1e3, ordered[at] * 1e3, ordered[-1] * 1e3)


def to_the_last_follower(server: Server, core: int, *, count: int, changes: int, writes_per_s: float) -> Spread:
    """From the answer to a registration until the last of `count` followers has decoded it, while others write."""
    times_s = []
    with followers(server.port, count, core, decodes=True) as following, _writing(server.port, writes_per_s):
        assert following is not None
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        for _ in range(changes):
            mark = f"mark-{next(_numbers)}"
            answered_s = _register(connection, "marked", mark, 9000)
            name, seen_s = following.line()
            assert name == mark
            times_s.append(float(seen_s) - answered_s)
        connection.close()
    return spread_of(times_s)


def to_the_first_call(server: Server, mesh_port: int, core: int, *, count: int, changes: int) -> Spread:
    """From the answer to the first registration of a service until a gateway routes a call to it, `count` following."""
    times_s = []
    with followers(server.port, count, core), _answering() as port:
        registry = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        gateway = http.client.HTTPConnection("127.0.0.1", mesh_port, timeout=30)
        for _ in range(changes):
            service = f"new-{next(_numbers)}"
            answered_s = _register(registry, service, "one", port)
            while True:
                gateway.request("GET", "/", headers={"Host": service})
                answer = gateway.getresponse()
                answer.read()
                if answer.status == 200:
                    break
                if time.monotonic() - answered_s > 10:
                    raise TimeoutError(f"{service} is not routed: {answer.status}")
            times_s.append(time.monotonic() - answered_s)
        registry.close()
        gateway.close()
    return spread_of(times_s)


def _register(connection: http.client.HTTPConnection, service: str, instance: str, port: int) -> float:
    """When it was answered."""
    place = f"/v1/namespaces/default/services/{service}/instances/{instance}"
    connection.request("PUT", place, json.dumps({"port": port, "address": "127.0.0.1", "ttl_s": 3600}))
    answer = connection.getresponse()
    answered_s = time.monotonic()
    body = answer.read()
    assert answer.status == 201, body
    return answered_s


class _Background:
    """A thread that does one thing again and again until it is left."""

    def __init__(self, work: Callable[[], None], end: Callable[[], None]) -> None:
        self._work = work
        self._end = end
        self._is_over = threading.Event()
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._end()
        self._thread.join(10)
        if self._fault is not None:
            raise RuntimeError("the work in the background failed") from self._fault

    def _run(self) -> None:
        try:
            while not self._is_over.is_set():
                self._work()
        except BaseException as fault:
            if not self._is_over.is_set():
                self._fault = fault


def _writing(port: int, writes_per_s: float) -> _Background:
    """Registrations of others at an even rate, on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    due: Iterator[float] = itertools.count(time.monotonic(), 1.0 / writes_per_s)

    def write() -> None:
        time.sleep(max(0.0, next(due) - time.monotonic()))
        _register(connection, "others", f"o-{next(_numbers)}", 9000)

    return _Background(write, connection.close)


class _answering:  # noqa: N801  # a context manager that reads as a verb
    """An instance that answers 200 to whatever comes; gives its port."""

    def __enter__(self) -> int:
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()
        return int(self._listener.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    @staticmethod
    def _serve(connection: socket.socket) -> None:
        with connection:
            while connection.recv(1 << 16):
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
