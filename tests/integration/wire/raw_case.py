"""A row of the raw tables: bytes in, one verdict out, and the rule that says so."""

from dataclasses import dataclass

HOST = b"Host: books.test"


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as the upstream must get it. target None: not looked at. has: whole lines; lacks: lower-case names.

    host: value of its Host field. trailers: all of them, whole lines.
    """

    method: bytes = b"GET"
    target: bytes | None = b"/a"
    body: bytes = b""
    has: tuple[bytes, ...] = ()
    lacks: tuple[bytes, ...] = ()
    host: bytes | None = None
    trailers: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestCase:
    """status None: accepted; else the status of the refusal, after which the connection is closed.

    seen: what the upstream gets, also before the refusal. gateway: the status when the reader accepts but the gateway
    as a whole refuses (CONNECT, a path that climbs above the root).
    """

    name: str
    data: bytes
    rule: str
    status: int | None = None
    seen: tuple[Seen, ...] = ()
    gateway: int | None = None

    def __str__(self) -> str:
        return self.name


def request(*lines: bytes, start: bytes = b"GET /a HTTP/1.1", body: bytes = b"") -> bytes:
    return b"\r\n".join([start, *lines, b"", b""]) + body


def get(*lines: bytes) -> bytes:
    return request(HOST, *lines)


def post(*lines: bytes, body: bytes = b"") -> bytes:
    return request(HOST, *lines, start=b"POST /a HTTP/1.1", body=body)


def chunked(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", body=body)


def refused(rule: str, rows: dict[str, bytes], status: int = 400) -> list[RequestCase]:
    return [RequestCase(name, data, rule, status) for name, data in rows.items()]


POSTED = Seen(method=b"POST", body=b"hello")
