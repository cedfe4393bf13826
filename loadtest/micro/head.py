"""µs per request head: ours beside httptools (llhttp in C).

    python -m loadtest.micro.head

Rows: the same block again (only the path differs), another traceparent and x-request-id with each request, two blocks
in turn (known lines, nothing remembered), every line new. Columns: ours; httptools with callbacks that only collect;
the same with what a proxy must then do to have the same facts (names looked up; host, framing and hop-by-hop fields
taken out; the block written anew; no strictness of ours in it). Each figure is the least of several rounds, so that a
neighbour's load is not in it.
"""

import time
from collections.abc import Callable

import httptools

from meshway.http1.head import HeadLimits, RequestReader, ResponseReader

ROUNDS = 9
HEADS = 2000
TAKEN_OUT = frozenset(
    {
        *(
            b"host",
            b"content-length",
            b"transfer-encoding",
            b"connection",
            b"keep-alive",
            b"te",
            b"trailer",
            b"upgrade",
        ),
        *(b"proxy-connection", b"traceparent", b"x-request-id", b"x-forwarded-for", b"x-forwarded-proto", b"forwarded"),
        *(
            b"via",
            b"x-forwarded-host",
            b"x-forwarded-client-cert",
            b"x-original-url",
            b"x-rewrite-url",
            b"x-remote-user",
        ),
    }
)
READ = frozenset({b"authorization", b"content-type", b"accept", b"expect", b"idempotency-key", b"prefer"})


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


class Collected(Callbacks):
    """With the least work after the callbacks that gives what RequestHead holds."""

    def __init__(self) -> None:
        super().__init__()
        self.named: dict[bytes, bytes] = {}
        self.block = b""

    def on_headers_complete(self) -> None:
        named: dict[bytes, bytes] = {}
        kept: list[bytes] = []
        for name, value in self.fields:
            if name in TAKEN_OUT:
                named[name] = value
                continue
            if name in READ:
                named[name] = value
            if not name.startswith((b"meshway-", b"x-envoy-")):
                kept.append(b"%b: %b\r\n" % (name, value))
        self.named = named
        self.block = b"".join(kept)


def head(at: int, *, is_traced: bool = False, is_new: bool = False, accept: str = "*/*") -> bytes:
    """A usual head of eight fields."""
    salt = at if is_new else 0
    ids = at if is_traced else 0
    return (
        f"GET /books/{at % 997}/reviews?page={at} HTTP/1.1\r\nHost: reviews{salt}.default.mesh\r\n"
        f"User-Agent: python-httpx/0.28.1-{salt}\r\nAccept: {accept};q=0.{salt}\r\nAccept-Encoding: gzip, x{salt}\r\n"
        f"Connection: keep-alive\r\ntraceparent: 00-{ids:032x}-{ids:016x}-01\r\n"
        f"x-request-id: 7d0f2b1c-5f0a-4a53-9d6e-{ids:012x}\r\nX-Tenant: abcdef{salt}\r\n\r\n"
    ).encode()


ANSWER = (
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


def once_us(heads: list[bytes]) -> float:
    """By readers that have seen none of these lines: a round has its own."""
    best = float("inf")
    for at in range(0, len(heads), HEADS):
        read = RequestReader(HeadLimits()).read
        begin = time.perf_counter()
        for data in heads[at : at + HEADS]:
            read(data)
        best = min(best, time.perf_counter() - begin)
    return best / HEADS * 1e6


def main() -> None:
    rows = {
        "repeated block": [head(at) for at in range(HEADS)],
        "changing ids": [head(at, is_traced=True) for at in range(HEADS)],
        "two blocks in turn": [head(at, accept="text/html" if at % 2 else "*/*") for at in range(HEADS)],
        "all lines new": [head(at, is_traced=True, is_new=True) for at in range(HEADS * ROUNDS)],
    }
    print(f"{'request head':<22}{'ours':>8}{'httptools':>11}{'and work':>10}{'ratio':>8}{'ratio':>8}")
    for name, heads in rows.items():
        ours = once_us(heads) if name == "all lines new" else least_us(RequestReader(HeadLimits()).read, heads)
        bare = least_us(httptools.HttpRequestParser(Callbacks()).feed_data, heads[:HEADS])
        full = least_us(httptools.HttpRequestParser(Collected()).feed_data, heads[:HEADS])
        print(f"{name:<22}{ours:>8.2f}{bare:>11.2f}{full:>10.2f}{ours / bare:>8.2f}{ours / full:>8.2f}")
    reader = ResponseReader(HeadLimits())
    print(f"{'repeated answer':<22}{least_us(lambda data: reader.read(data, 0, b'GET'), [ANSWER] * HEADS):>8.2f}")


if __name__ == "__main__":
    main()
