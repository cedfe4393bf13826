"""The same request by HTTP/1.1, HTTP/2 and HTTP/3: one verdict, and the same bytes at the service."""

import asyncio

import pytest

from tests.parts.http2_caller import Fields
from tests.parts.http2_caller import calling as calling_by_http2
from tests.parts.http3_caller import calling as calling_by_http3
from tests.parts.http3_wire import WholeWire, http3_wire
from tests.parts.wire import ScriptedUpstream, answering, read_head

pytestmark = pytest.mark.asyncio(loop_factories=["uvloop"])  # nothing of it is the loop's

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
HOST = b"shop.example"
# What says how and where it came, and what is made anew.
OF_THE_WAY = (b"via:", b"x-forwarded-proto:", b"x-forwarded-port:", b"forwarded:", b"x-request-id:", b"traceparent:")
REFUSED = 400  # also what a codec resets on its stream, or ends the connection for

METHODS = (b"GET", b"HEAD", b"DELETE", b"OPTIONS", b"PURGE", b"get", b"TRACE", b"G T", b"", b"M" * 40)
PATHS = (
    b"/a/../b", b"/%2e%2e/x", b"//x//y", b"/a%00b", b"/a?x=1&y=%20", b"/a;b/c", b"/a\\b", b"/%zz", b"/a/%2F/b", b"/a#b",
    b"/\xc3\xa9", b"/" + b"a" * 17_000, b"/..", b"/a b", b"a", b"",
)  # fmt: skip
FIELDS: dict[str, Fields] = {
    "who calls, by his own word": [
        (b"x-forwarded-for", b"1.2.3.4"),
        (b"x-real-ip", b"1.2.3.4"),
        (b"forwarded", b"for=x"),
    ],
    "what only we may say": [(b"meshway-principal", b"x"), (b"x-envoy-a", b"1"), (b"x-original-url", b"/admin")],
    "another method": [(b"x-http-method-override", b"DELETE")],
    "a name that CGI takes for another": [(b"x_user", b"a")],
    "cookies": [(b"cookie", b"a=1")],
    "what is kept": [(b"accept", b"a/b"), (b"x-a", b"1"), (b"x-a", b"2"), (b"authorization", b"Basic YTpi")],
    "a control": [(b"x-a", b"a\x01b")],
    "a delete": [(b"x-a", b"a\x7fb")],
    "beyond ASCII": [(b"x-a", b"\xc3\xa9")],
    "a name that is none": [(b"x(a", b"1")],
    "a name with a blank": [(b"x a", b"1")],
    "100 fields": [(b"x-%d" % n, b"") for n in range(99)],
    "too many fields": [(b"x-%d" % n, b"") for n in range(110)],
    "a length that is none": [(b"content-length", b"a")],
    "two lengths": [(b"content-length", b"0"), (b"content-length", b"1")],
    "an id of its own": [(b"x-request-id", b"abcdefgh-1")],
    "an empty field": [(b"x-a", b"")],
    "an expectation that nobody knows": [(b"expect", b"200-ok")],
}
HOSTS = (b"SHOP.example:80", b"a b", b"u@h", b"[::1]:80", b"shop.example.", b"a,b", b"a:b", b"")


async def by_http1(gateway: WholeWire, method: bytes, path: bytes, host: bytes, fields: Fields) -> int:
    caller = await gateway.gateway.open()
    lines = b"".join(b"%b: %b\r\n" % field for field in fields)
    caller.send(b"%b %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (method, path, host, lines))
    try:
        return int((await caller.head()).split()[1])
    finally:
        caller.writer.close()


def head(scheme: bytes, method: bytes, path: bytes, host: bytes, fields: Fields) -> Fields:
    return [(b":method", method), (b":scheme", scheme), (b":authority", host), (b":path", path), *fields]


async def by_http2(gateway: WholeWire, *asked: object) -> int:
    async with calling_by_http2(gateway.gateway.port) as caller:
        return (await caller.answer(caller.begin(head(b"http", *asked)))).status or REFUSED  # type: ignore[arg-type]


async def by_http3(gateway: WholeWire, *asked: object) -> int:
    async with calling_by_http3(gateway.port) as caller:
        return (await caller.answer(caller.begin(head(b"https", *asked)))).status or REFUSED  # type: ignore[arg-type]


def came(service: ScriptedUpstream) -> list[bytes]:
    """The lines of the request that reached it since it was last looked at, in lower case: so are names by HTTP/2."""
    data = b"".join(bytes(each) for each in service.received)
    for each in service.received:
        each.clear()
    return sorted(line for line in data.lower().split(b"\r\n") if not line.startswith(OF_THE_WAY))


CASES = [
    *((f"method {method!r:.20}", (method, b"/", HOST, [])) for method in METHODS),
    *((f"path {path!r:.20}", (b"GET", path, HOST, [])) for path in PATHS),
    *((f"host {host!r}", (b"GET", b"/", host, [])) for host in HOSTS),
    *((name, (b"GET", b"/", HOST, fields)) for name, fields in FIELDS.items()),
]


async def test_what_is_asked_is_judged_alike_however_it_comes() -> None:
    async with ScriptedUpstream(answering(OK)).running() as service, http3_wire(service.port) as gateway:
        unlike = []
        verdicts: list[int] = []
        for name, asked in CASES:
            told = []
            for way in (by_http1, by_http2, by_http3):
                status = await way(gateway, *asked)
                told.append((status, came(service)))
            verdicts.append(told[0][0])
            if any(each != told[0] for each in told[1:]):
                unlike.append((name, [(status, [line[:60] for line in lines]) for status, lines in told]))
        assert unlike == [], "\n".join(map(str, unlike))
        assert {200, 400, 414, 431} <= set(verdicts)


@pytest.mark.parametrize("size", [0, 1, 70_000])
async def test_a_body_reaches_the_service_alike(size: int) -> None:
    body = b"b" * size
    fields = [(b"content-length", b"%d" % size)]
    came: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            asked = await read_head(reader)
            assert b"\r\nContent-Length: %d\r\n" % size in asked
            came.append(await reader.readexactly(size))
            writer.write(OK)

    async with ScriptedUpstream(handle).running() as service, http3_wire(service.port) as gateway:
        caller = await gateway.gateway.open()
        caller.send(b"POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Length: %d\r\n\r\n%b" % (size, body))
        assert (await caller.head()).startswith(b"HTTP/1.1 200")
        caller.writer.close()
        async with calling_by_http2(gateway.gateway.port) as second:
            stream = second.begin(head(b"http", b"POST", b"/", HOST, fields), ended=not size)
            if size:
                await second.send(stream, body, ended=True)
            assert (await second.answer(stream)).status == 200
        async with calling_by_http3(gateway.port) as third:
            stream = third.begin(head(b"https", b"POST", b"/", HOST, fields), ended=not size)
            if size:
                third.send(stream, body, ended=True)
            assert (await third.answer(stream)).status == 200
    assert came == [body] * 3
