"""µs per request head: ours beside httptools (llhttp in C) with the callbacks a proxy needs.

    python -m loadtest.micro.head

Rows: the same block again (only the path differs), another traceparent and x-request-id with each request, every line
new but for the framing. Each figure is the least of several rounds, so that a neighbour's load is not in it.
"""

import time
from collections.abc import Callable

import httptools

from meshway.http1.head import HeadLimits, RequestReader, ResponseReader

ROUNDS = 9
HEADS = 2000


class Callbacks:
    """What a proxy must take from a callback parser: target, names and values, end of head."""

    def __init__(self) -> None:
        self.target = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.is_done = False

    def on_url(self, url: bytes) -> None:
        self.target = url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.is_done = True

    def on_message_begin(self) -> None:
        self.fields = []


def head(at: int, *, is_traced: bool, is_new: bool) -> bytes:
    """A usual head of eight fields."""
    salt = at if is_new else 0
    ids = at if is_traced else 0
    return (
        f"GET /books/{at % 997}/reviews?page={at} HTTP/1.1\r\nHost: reviews{salt}.default.mesh\r\n"
        f"User-Agent: python-httpx/0.28.1-{salt}\r\nAccept: */*;q=0.{salt}\r\nAccept-Encoding: gzip, deflate, x{salt}\r\n"
        f"Connection: keep-alive\r\ntraceparent: 00-{ids:032x}-{ids:016x}-01\r\n"
        f"x-request-id: 7d0f2b1c-5f0a-4a53-9d6e-{ids:012x}\r\nCookie: session=abcdef{salt}\r\n\r\n"
    ).encode()


def answer(at: int) -> bytes:
    """An answer whose date does not change."""
    return (
        b"HTTP/1.1 200 OK\r\nDate: Tue, 24 Nov 2026 10:00:00 GMT\r\nServer: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 256\r\nCache-Control: no-store\r\n\r\n"
    )


def least_us(step: Callable[[bytes], object], heads: list[bytes]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for data in heads:
            step(data)
        best = min(best, time.perf_counter() - begin)
    return best / len(heads) * 1e6


def with_callbacks(data: bytes) -> None:
    httptools.HttpRequestParser(Callbacks()).feed_data(data)


def main() -> None:
    rows = [
        ("repeated block", [head(at, is_traced=False, is_new=False) for at in range(HEADS)]),
        ("changing ids", [head(at, is_traced=True, is_new=False) for at in range(HEADS)]),
        ("all lines new", [head(at, is_traced=True, is_new=True) for at in range(HEADS * ROUNDS)]),
    ]
    print(f"{'request head':<22}{'ours µs':>9}{'httptools':>11}{'ratio':>8}")
    for name, heads in rows:
        parser = httptools.HttpRequestParser(Callbacks())  # one a connection, as ours
        theirs = least_us(parser.feed_data, heads[:HEADS])
        if name == "all lines new":
            ours = min(_once_us(heads[at : at + HEADS]) for at in range(0, len(heads), HEADS))
        else:
            ours = least_us(RequestReader(HeadLimits()).read, heads)
        print(f"{name:<22}{ours:>9.2f}{theirs:>11.2f}{ours / theirs:>8.2f}")
    other = RequestReader(HeadLimits())
    pairs = [
        data for two in zip(rows[0][1], [d.replace(b"*/*", b"text/x") for d in rows[1][1]], strict=True) for data in two
    ]
    print(f"{'known lines, no memo':<22}{least_us(other.read, pairs):>9.2f}")
    reader = ResponseReader(HeadLimits())
    print(f"{'repeated answer':<22}{least_us(lambda data: reader.read(data, 0, b'GET'), [answer(0)] * HEADS):>9.2f}")


def _once_us(heads: list[bytes]) -> float:
    """A reader that has seen none of these lines."""
    read = RequestReader(HeadLimits()).read
    begin = time.perf_counter()
    for data in heads:
        read(data)
    return (time.perf_counter() - begin) / len(heads) * 1e6


if __name__ == "__main__":
    main()
