"""Rows: several requests on one connection (RFC 9112 §9.3)."""

from tests.integration.wire.raw_case import HOST, POSTED, RequestCase, Seen, chunked, get, post, request


def traced(trace_id: bytes) -> bytes:
    return get(b"X: 1", b"x-request-id: " + trace_id)


PIPELINED = [
    RequestCase("two GETs", get() + get(), "RFC 9112 §9.3.2", seen=(Seen(), Seen())),
    RequestCase("ten GETs", get() * 10, "RFC 9112 §9.3.2", seen=(Seen(),) * 10),
    RequestCase(
        "a POST and a GET", post(b"Content-Length: 5", body=b"hello") + get(), "RFC 9112 §6.2", seen=(POSTED, Seen())
    ),
    RequestCase(
        "a chunked POST and a GET", chunked(b"5\r\nhello\r\n0\r\n\r\n") + get(), "RFC 9112 §7.1", seen=(POSTED, Seen())
    ),
    RequestCase(
        "a body that is a request is a body",
        post(b"Content-Length: %d" % len(get()), body=get()) + get(),
        "RFC 9112 §6.2",
        seen=(Seen(method=b"POST", body=get()), Seen()),
    ),
    RequestCase(
        "a chunk that is a request is a chunk",
        chunked(b"%x\r\n%b\r\n0\r\n\r\n" % (len(get()), get())) + get(),
        "RFC 9112 §7.1",
        seen=(Seen(method=b"POST", body=get()), Seen()),
    ),
    RequestCase("garbage after a GET", get() + b"\x00\x01\r\n\r\n", "RFC 9112 §3", 400, seen=(Seen(),)),
    RequestCase(
        "a byte too many after a body is the next method",
        post(b"Content-Length: 5", body=b"hello") + b"!" + get(),
        "RFC 9112 §6.2",
        seen=(POSTED, Seen(method=b"!GET")),
    ),
    RequestCase(
        "a second request that is wrong",
        get() + post(b"Content-Length: 5", b"Content-Length: 6", body=b"hello"),
        "RFC 9110 §8.6",
        400,
        seen=(Seen(),),
    ),
    RequestCase(
        "a field in the place of a tracing id",
        traced(b"1" * 32) + traced(b"2" * 32) + traced(b"3" * 26 + b"\r\nY: 1"),
        "RFC 9112 §5: the remembered block must not hide a field",
        seen=(Seen(), Seen(), Seen(has=(b"Y: 1",))),
    ),
    RequestCase(
        "framing in the place of a tracing id",
        traced(b"1" * 32) + traced(b"2" * 32) + traced(b"3\r\nContent-Length: 5\r\nY: 4444444") + b"hello" + get(),
        "RFC 9112 §6.3: the remembered block must not hide framing",
        seen=(Seen(), Seen(), Seen(body=b"hello"), Seen()),
    ),
    RequestCase(
        "a request after Connection: close",
        get(b"Connection: close") + get(),
        "RFC 9112 §9.6: nothing is read after it",
        seen=(Seen(),),
    ),
    RequestCase(
        "a request after close among other options",
        get(b"Connection: keep-alive, Close") + get(),
        "RFC 9112 §9.6",
        seen=(Seen(),),
    ),
    RequestCase(
        "a request after HTTP/1.0",
        request(HOST, start=b"GET /a HTTP/1.0") + get(),
        "RFC 9112 §9.3: HTTP/1.0 closes",
        seen=(Seen(),),
    ),
    RequestCase(
        "a request after HTTP/1.0 with keep-alive",
        request(HOST, b"Connection: keep-alive", start=b"GET /a HTTP/1.0") + get(),
        "RFC 9112 §9.3",
        seen=(Seen(), Seen()),
    ),
]
