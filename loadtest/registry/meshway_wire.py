"""Meshway as its clients speak to it: HTTP/1.1 and JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def request(method: str, path: str, body: object) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


class Calls:
    """closed_loop.Dialect: `make` gives each request, of so many operations. body: of the last answer."""

    def __init__(self, make: Callable[[], bytes], operations: int = 1) -> None:
        self._make = make
        self.body = b""
        self._operations = operations
        self._buffer = b""

    def greeting(self) -> bytes:
        return b""

    def ask(self) -> bytes:
        return self._make()

    def read(self, data: bytes) -> tuple[int, bytes]:
        data = self._buffer + data if self._buffer else data
        end = data.find(b"\r\n\r\n") + 4
        if end > 3:
            at = data.find(b"content-length: ", 0, end) + 16
            whole = end + int(data[at : data.index(b"\r", at)])
            if len(data) >= whole:
                if data[9:10] != b"2":
                    raise RuntimeError(data[:600].decode("latin-1"))
                self.body = data[end:whole]
                self._buffer = data[whole:]
                return self._operations, b""
        self._buffer = data
        return 0, b""


def registrations(numbers: Any) -> Calls:
    """One new instance a call."""

    def make() -> bytes:
        number = next(numbers)
        place = f"/v1/namespaces/load/services/s-{number % 50}/instances/i-{number}"
        return request("PUT", place, {"port": 9000, "version": "v1", "ttl_s": 3600})

    return Calls(make)


def rows(numbers: Any, count: int, namespace: str = "load", services: int = 50) -> list[dict[str, Any]]:
    """Instances for POST /v1/registrations."""
    ids = [next(numbers) for _ in range(count)]
    return [
        {"namespace": namespace, "service": f"s-{at % services}", "id": f"i-{at}", "port": 9000, "ttl_s": 3600}
        for at in ids
    ]


def batches(numbers: Any, count: int) -> Calls:
    """`count` new instances a call."""
    return Calls(lambda: request("POST", "/v1/registrations", {"instances": rows(numbers, count)}), count)


def heartbeats(leases: list[str]) -> Calls:
    ready = request("POST", "/v1/heartbeats", {"leases": leases})
    return Calls(lambda: ready, len(leases))
