"""The table of raw answers: what an upstream, maybe a hostile one, sends, and what the caller may see of it.

Verdicts: PASSED (status, body, fields), REFUSED (502 `upstream_protocol`, nothing of the answer is seen), CUT (the
head was passed on before the fault showed: the caller must see a broken message, never a whole one).
"""

from dataclasses import dataclass
from typing import Final

PASSED: Final = "passed"
REFUSED: Final = "refused"
CUT: Final = "cut"


@dataclass(frozen=True, slots=True)
class AnswerCase:
    """reusable: whether the upstream connection may serve another request. closes: the upstream closes after data.

    has: whole lines the caller gets; lacks: lower-case names it must not. method: of the request.
    """

    name: str
    data: bytes
    rule: str
    verdict: str = PASSED
    status: int = 200
    body: bytes = b""
    method: bytes = b"GET"
    closes: bool = False
    reusable: bool = True
    has: tuple[bytes, ...] = ()
    lacks: tuple[bytes, ...] = ()

    def __str__(self) -> str:
        return self.name


def answer(*lines: bytes, start: bytes = b"HTTP/1.1 200 OK", body: bytes = b"") -> bytes:
    return b"\r\n".join([start, *lines, b"", b""]) + body


def sized(*lines: bytes, body: bytes = b"hello") -> bytes:
    return answer(b"Content-Length: %d" % len(body), *lines, body=body)


def chunked(body: bytes, *lines: bytes) -> bytes:
    return answer(b"Transfer-Encoding: chunked", *lines, body=body)


def refused(rule: str, rows: dict[str, bytes]) -> list[AnswerCase]:
    return [AnswerCase(name, data, rule, REFUSED, 502, reusable=False) for name, data in rows.items()]


def cut(rule: str, rows: dict[str, bytes], *, closes: bool = False) -> list[AnswerCase]:
    return [AnswerCase(name, data, rule, CUT, closes=closes, reusable=False) for name, data in rows.items()]


HEADS = [
    *refused(
        "RFC 9112 §6: one framing",
        {
            "length and coding": answer(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
            "two different lengths": answer(b"Content-Length: 5", b"Content-Length: 6", body=b"hello!"),
            "two equal lengths": answer(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
            "lengths in a list": answer(b"Content-Length: 5, 5", body=b"hello"),
            "length with a plus": answer(b"Content-Length: +5", body=b"hello"),
            "negative length": answer(b"Content-Length: -1", body=b"hello"),
            "empty length": answer(b"Content-Length:", body=b"hello"),
            "hexadecimal length": answer(b"Content-Length: 0x5", body=b"hello"),
            "length of 19 digits": answer(b"Content-Length: 1000000000000000000", body=b"hello"),
            "coding gzip": answer(b"Transfer-Encoding: gzip", body=b"hello"),
            "coding gzip, chunked": answer(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
            "coding twice": answer(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
            "coding xchunked": answer(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
            "coding with a vertical tab": answer(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"),
            "coding in HTTP/1.0": answer(b"Transfer-Encoding: chunked", start=b"HTTP/1.0 200 OK", body=b"0\r\n\r\n"),
            "space before coding's colon": answer(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n"),
            "wrong length of a 204": answer(b"Content-Length: x", start=b"HTTP/1.1 204 No Content"),
        },
    ),
    *refused(
        "RFC 9112 §4: version SP three digits SP reason",
        {
            f"status line {line!r}": answer(b"Content-Length: 0", start=line)
            for line in (
                *(b"HTTP/2 200 OK", b"HTTP/2.0 200 OK", b"HTTP/0.9 200 OK", b"HTTP/1.2 200 OK", b"http/1.1 200 OK"),
                *(b"ICY 200 OK", b"HTTP/1.1  200 OK", b"HTTP/1.1\t200 OK", b"HTTP/1.1 20 OK", b"HTTP/1.1 2000 OK"),
                *(
                    b"HTTP/1.1 099 Low",
                    b"HTTP/1.1 600 High",
                    b"HTTP/1.1 2x0 OK",
                    b"HTTP/1.1 +20 OK",
                    b"HTTP/1.1",
                    b"OK",
                ),
                *(b"HTTP/1.1 200 O\x00K", b"HTTP/1.1 200 O\rK", b" HTTP/1.1 200 OK", b"HTTP/1.1 \xb2\xb2\xb2 OK"),
            )
        },
    ),
    *refused(
        "RFC 9112 §2.2, §5: lines and fields",
        {
            "status line ended by LF": b"HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\nhello",
            "LF all the way": b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
            "empty lines alone": b"\r\n\r\n",
            "an empty line first": b"\r\n" + sized(),
            "a page without a head": b"<html>hello</html>\r\n\r\n",
            "value with a NUL": sized(b"X: \x00"),
            "value with a bare CR": sized(b"X: a\rb"),
            "value with a bare LF": sized(b"X: a\nb"),
            "value with DEL": sized(b"X: \x7f"),
            "folded": sized(b"X: a", b" b"),
            "folded by a tab": sized(b"X: a", b"\tb"),
            "space before a colon": sized(b"X : a"),
            "no colon": sized(b"X"),
            "no name": sized(b": a"),
            "name with a space": sized(b"X Y: a"),
            "name beyond ASCII": sized("É: a".encode()),
            "101 fields": sized(*(b"X%d: y" % at for at in range(100))),
            "a head of 70 KB": sized(*(b"X%d: " % at + b"y" * 7000 for at in range(10))),
            "an endless field": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000,
        },
    ),
    *refused(
        "RFC 9110 §15.2: interim answers",
        {
            "101 that nobody asked for": answer(b"Connection: Upgrade", b"Upgrade: websocket", start=b"HTTP/1.1 101 X"),
            "eleven interim answers": answer(start=b"HTTP/1.1 103 Early Hints") * 11 + sized(),
        },
    ),
    AnswerCase("closed without a byte", b"", "RFC 9112 §8: no answer", REFUSED, 502, closes=True, reusable=False),
    AnswerCase(
        "closed inside the head",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        "RFC 9112 §8: no whole head",
        REFUSED,
        502,
        closes=True,
        reusable=False,
    ),
]

BODIES = [
    AnswerCase("a body of a length", sized(), "RFC 9112 §6.2", body=b"hello"),
    AnswerCase("a chunked body", chunked(b"5\r\nhello\r\n0\r\n\r\n"), "RFC 9112 §7.1", body=b"hello"),
    AnswerCase("an extension is dropped", chunked(b"5;a=b\r\nhello\r\n0;c\r\n\r\n"), "RFC 9112 §7.1.1", body=b"hello"),
    AnswerCase("no body", answer(b"Content-Length: 0"), "RFC 9112 §6.2"),
    AnswerCase(
        "a body until the end of the connection",
        answer(body=b"hello"),
        "RFC 9112 §6.3",
        body=b"hello",
        closes=True,
        reusable=False,
    ),
    AnswerCase(
        "a body until the end in HTTP/1.0",
        answer(start=b"HTTP/1.0 200 OK", body=b"hello"),
        "RFC 9112 §6.3",
        body=b"hello",
        closes=True,
        reusable=False,
    ),
    AnswerCase(
        "HTTP/1.0 is not kept alive",
        answer(b"Content-Length: 5", start=b"HTTP/1.0 200 OK", body=b"hello"),
        "RFC 9112 §9.3",
        body=b"hello",
        reusable=False,
    ),
    AnswerCase(
        "HTTP/1.0 with keep-alive",
        answer(b"Content-Length: 5", b"Connection: keep-alive", start=b"HTTP/1.0 200 OK", body=b"hello"),
        "RFC 9112 §9.3",
        body=b"hello",
    ),
    AnswerCase("Connection: close", sized(b"Connection: close"), "RFC 9112 §9.6", body=b"hello", reusable=False),
    AnswerCase("the length of a HEAD", answer(b"Content-Length: 5"), "RFC 9110 §9.3.2", method=b"HEAD"),
    AnswerCase("the coding of a HEAD", answer(b"Transfer-Encoding: chunked"), "RFC 9110 §9.3.2", method=b"HEAD"),
    AnswerCase(
        "a body after a HEAD",
        sized(),
        "RFC 9112 §6.3: bytes nobody asked for",
        method=b"HEAD",
        reusable=False,
    ),
    AnswerCase("204", answer(start=b"HTTP/1.1 204 No Content"), "RFC 9112 §6.3", status=204),
    AnswerCase(
        "304 with a length",
        answer(b"Content-Length: 5", start=b"HTTP/1.1 304 Not Modified"),
        "RFC 9112 §6.3",
        status=304,
    ),
    AnswerCase(
        "204 with a body",
        answer(b"Content-Length: 5", start=b"HTTP/1.1 204 No Content", body=b"hello"),
        "RFC 9112 §6.3: bytes nobody asked for",
        status=204,
        reusable=False,
    ),
    AnswerCase(
        "bytes after the answer",
        sized() + b"more",
        "RFC 9112 §9.2: a connection with bytes left over is closed",
        body=b"hello",
        reusable=False,
    ),
    AnswerCase(
        "a second answer that nobody asked for",
        sized() + sized(body=b"evil"),
        "RFC 9112 §9.2: never the answer to somebody else",
        body=b"hello",
        reusable=False,
    ),
    AnswerCase(
        "bytes after the last chunk",
        chunked(b"5\r\nhello\r\n0\r\n\r\n") + b"HTTP/1.1 200 OK\r\n\r\n",
        "RFC 9112 §9.2",
        body=b"hello",
        reusable=False,
    ),
    *cut(
        "RFC 9112 §7.1: chunks",
        {
            "wrong chunk size": chunked(b"5\r\nhello\r\nzz\r\n"),
            "chunk size with 0x": chunked(b"5\r\nhello\r\n0x0\r\n\r\n"),
            "chunk size ended by LF": chunked(b"5\r\nhello\r\n5\nhello\r\n0\r\n\r\n"),
            "chunk longer than its size": chunked(b"5\r\nhello!\r\n0\r\n\r\n"),
            "chunk shorter than its size": chunked(b"6\r\nhello\r\n0\r\n\r\n"),
            "chunk size of 17 digits": chunked(b"5\r\nhello\r\n00000000000000000\r\n\r\n"),
            "extensions over 4 KiB": chunked(b"5\r\nhello\r\n5;" + b"a" * 5000 + b"\r\nhello\r\n0\r\n\r\n"),
            "trailers over 8 KiB": chunked(b"5\r\nhello\r\n0\r\nX: " + b"a" * 9000 + b"\r\n\r\n"),
            "trailer folded": chunked(b"5\r\nhello\r\n0\r\nX: a\r\n b\r\n\r\n"),
        },
    ),
    *cut(
        "RFC 9112 §8: a cut is passed on as a cut",
        {
            "closed inside a sized body": answer(b"Content-Length: 10", body=b"hello"),
            "closed before a sized body": answer(b"Content-Length: 10"),
            "closed inside a chunk": chunked(b"a\r\nhello"),
            "closed after a chunk": chunked(b"5\r\nhello\r\n"),
            "closed inside the last chunk": chunked(b"5\r\nhello\r\n0\r\n"),
            "closed inside the trailers": chunked(b"5\r\nhello\r\n0\r\nX: a\r\n"),
        },
        closes=True,
    ),
]

FIELDS = [
    AnswerCase(
        "an interim answer goes first",
        answer(b"Link: </a.css>", start=b"HTTP/1.1 103 Early Hints") + sized(),
        "RFC 8297 §2",
        body=b"hello",
    ),
    AnswerCase(
        "ten interim answers", answer(start=b"HTTP/1.1 103 Early Hints") * 10 + sized(), "RFC 9110 §15.2", body=b"hello"
    ),
    AnswerCase("an empty reason", b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "RFC 9112 §4"),
    AnswerCase(
        "no reason, no space",
        b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
        "RFC 9112 §4: a space and no reason; many servers leave the space out",
    ),
    AnswerCase("obs-text in the reason", answer(b"Content-Length: 0", start=b"HTTP/1.1 200 D\xe9j\xe0"), "RFC 9112 §4"),
    AnswerCase(
        "several cookies stay several",
        sized(b"Set-Cookie: a=1", b"Set-Cookie: b=2"),
        "RFC 6265 §3",
        body=b"hello",
        has=(b"Set-Cookie: a=1", b"Set-Cookie: b=2"),
    ),
    AnswerCase(
        "what Connection names",
        sized(b"Connection: X-Secret", b"X-Secret: 1", b"X-Ok: 1"),
        "RFC 9110 §7.6.1",
        body=b"hello",
        has=(b"X-Ok: 1",),
        lacks=(b"x-secret",),
    ),
    *(
        AnswerCase(
            f"{line.partition(b':')[0].decode()} ends here",
            sized(line),
            "RFC 9110 §7.6.1",
            body=b"hello",
            lacks=(line.partition(b":")[0].lower(),),
        )
        for line in (
            *(b"Keep-Alive: timeout=5", b"Proxy-Connection: keep-alive", b"Trailer: X", b"Upgrade: h2c"),
            b"HTTP2-Settings: AAMAAABkAAQAAP__",
        )
    ),
    AnswerCase(
        "a reason of ours from an upstream",
        sized(b"Meshway-Reason: no_route"),
        "RFC 7239 §8.1: what the gateway says of itself, it alone says",
        body=b"hello",
        lacks=(b"meshway-reason",),
    ),
    AnswerCase(
        "a trailer is passed on",
        chunked(b"5\r\nhello\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\n"),
        "RFC 9110 §6.5",
        body=b"hello",
    ),
]

ANSWERS: tuple[AnswerCase, ...] = (*HEADS, *BODIES, *FIELDS)
