"""Rows: the form of fields, and those that end here (RFC 9110 §5, §7.6.1)."""

from tests.integration.wire.raw_case import HOST, POSTED, RequestCase, Seen, get, post, refused, request

SPECIALS = b'()<>@,;\\"/[]?={} \t'
FIELDS = [
    *refused(
        "RFC 9110 §5.5: no control in a value",
        {
            **{
                f"value with control {byte:#04x}": get(b"X: a" + bytes([byte]) + b"b")
                for byte in (0, 1, 7, 8, 11, 12, 14, 27, 31, 127)
            },
            "value with a bare CR": get(b"X: a\rb"),
            "value with a bare CR before its end": get(b"X: a\r"),
            "value with a bare LF": get(b"X: a\nb"),
            "value with an LF that hides a field": get(b"X: a\nContent-Length: 5"),
            "value with a CR that hides a field": get(b"X: a\rTransfer-Encoding: chunked"),
            "LF CR between fields": get(b"X: a\n\rY: b"),
            "control in a known field": get(b"Accept: \x01"),
        },
    ),
    *refused(
        "RFC 9112 §5.2: no folding",
        {
            "folded by a space": get(b"X: a", b" b"),
            "folded by a tab": get(b"X: a", b"\tb"),
            "folded first line": request(b" X: a", HOST),
            "folded by a space and a colon": get(b"X: a", b" Y: b"),
            "a line of one space": get(b"X: a", b" "),
        },
    ),
    *refused(
        "RFC 9112 §5.1: name, colon",
        {
            "no colon": get(b"X"),
            "no name": get(b": a"),
            "space before the colon": get(b"X : a"),
            "tab before the colon": get(b"X\t: a"),
            "name with NUL": get(b"X\x00: a"),
            "name with DEL": get(b"X\x7f: a"),
            "name beyond ASCII": get("X-é: a".encode()),
            "name with a CR": get(b"X\rY: a"),
            **{f"name with {chr(byte)!r}": get(b"X" + bytes([byte]) + b"Y: a") for byte in SPECIALS},
        },
    ),
    RequestCase("101 fields", get(*(b"X%d: y" % at for at in range(100))), "RFC 9110 §5.4: at most 100 fields", 431),
    RequestCase(
        "100 fields", get(*(b"X%d: y" % at for at in range(99))), "RFC 9110 §5.4: at most 100 fields", seen=(Seen(),)
    ),
    RequestCase(
        "a head of 70 KB",
        get(*(b"X%d: " % at + b"y" * 7000 for at in range(10))),
        "RFC 9110 §5.4: head of at most 64 KiB",
        431,
    ),
    RequestCase(
        "an endless field", b"GET /a HTTP/1.1\r\nHost: books.test\r\nX: " + b"y" * 70000, "RFC 9110 §5.4: 64 KiB", 431
    ),
    *refused(
        "RFC 9110 §5.3: fields whose repetition has two readings",
        {
            "two Authorizations": get(b"Authorization: Bearer a", b"Authorization: Bearer b"),
            "two Content-Types": post(b"Content-Type: text/plain", b"Content-Type: text/html", b"Content-Length: 0"),
            "two Idempotency-Keys": get(b"Idempotency-Key: a", b"Idempotency-Key: b"),
        },
    ),
    RequestCase(
        "a name with an underscore",
        get(b"X_User: evil", b"X-Ok: 1"),
        "RFC 3875 §4.1.18: CGI reads _ as -: dropped",
        seen=(Seen(has=(b"X-Ok: 1",), lacks=(b"x_user",)),),
    ),
    RequestCase("obs-text in a value", get(b"X: caf\xe9"), "RFC 9110 §5.5", seen=(Seen(has=(b"X: caf\xe9",)),)),
    RequestCase("an empty value", get(b"X:"), "RFC 9110 §5.5", seen=(Seen(has=(b"X:",)),)),
    RequestCase(
        "every character of a token",
        get(b"!#$%&'*+-.^`|~aZ9: y"),
        "RFC 9110 §5.6.2",
        seen=(Seen(has=(b"!#$%&'*+-.^`|~aZ9: y",)),),
    ),
    RequestCase(
        "the same field twice stays twice",
        get(b"X: a", b"X: b"),
        "RFC 9110 §5.3: order and number are kept",
        seen=(Seen(has=(b"X: a", b"X: b")),),
    ),
    RequestCase("a colon in a value", get(b"X: a:b: c"), "RFC 9110 §5.5", seen=(Seen(has=(b"X: a:b: c",)),)),
]


def passed(
    name: str, *lines: bytes, rule: str, has: tuple[bytes, ...] = (), lacks: tuple[bytes, ...] = ()
) -> RequestCase:
    return RequestCase(name, get(*lines), rule, seen=(Seen(has=has, lacks=lacks),))


HOP = "RFC 9110 §7.6.1: hop-by-hop fields end here"
IDENTITY = "RFC 7239 §8.1: names by which a caller could pass for another"
HOP_BY_HOP = [
    passed("what Connection names", b"Connection: X-Private", b"X-Private: 1", rule=HOP, lacks=(b"x-private",)),
    passed(
        "what Connection names among options",
        b"Connection: keep-alive, X-Private",
        b"x-private: 1",
        b"X-Ok: 1",
        rule=HOP,
        has=(b"X-Ok: 1",),
        lacks=(b"x-private",),
    ),
    passed(
        "what two Connections name",
        b"Connection: X-A",
        b"X-A: 1",
        b"X-B: 1",
        b"connection: x-b",
        rule=HOP,
        lacks=(b"x-a", b"x-b"),
    ),
    passed("empty members of Connection", b"Connection: ,, x-a ,,", b"X-A: 1", rule=HOP, lacks=(b"x-a",)),
    passed(
        "Connection names Host",
        b"Connection: Host",
        rule="RFC 9110 §7.6.1: Host is never taken out",
        has=(b"Host: books.test",),
    ),
    RequestCase(
        "Connection names Content-Length",
        post(b"Connection: Content-Length", b"Content-Length: 5", body=b"hello"),
        "RFC 9110 §7.6.1: framing is never taken out",
        seen=(POSTED,),
    ),
    RequestCase(
        "Connection names Transfer-Encoding",
        post(b"Connection: Transfer-Encoding", b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\n0\r\n\r\n"),
        "RFC 9110 §7.6.1: framing is never taken out",
        seen=(POSTED,),
    ),
    *(
        passed(
            f"{line.partition(b':')[0].decode()} ends here", line, rule=HOP, lacks=(line.partition(b":")[0].lower(),)
        )
        for line in (
            *(b"Keep-Alive: timeout=5", b"Proxy-Connection: keep-alive", b"Trailer: X-Sum", b"TE: gzip"),
            *(b"Proxy-Authorization: Basic YTpi", b"HTTP2-Settings: AAMAAABkAAQAAP__"),
        )
    ),
    passed(
        "an upgrade to h2c",
        b"Connection: Upgrade, HTTP2-Settings",
        b"Upgrade: h2c",
        b"HTTP2-Settings: AAMAAABkAAQAAP__",
        rule="RFC 9113 §3.1: never",
        lacks=(b"upgrade", b"http2-settings"),
    ),
    passed("an upgrade that Connection does not name", b"Upgrade: websocket", rule=HOP, lacks=(b"upgrade",)),
    *(
        passed(
            f"{name.decode()} from outside",
            name + b": evil",
            b"X-Ok: 1",
            rule=IDENTITY,
            has=(b"X-Ok: 1",),
            lacks=(name.lower(),),
        )
        for name in (
            *(b"X-Forwarded-Client-Cert", b"Meshway-Deadline-Not", b"meshway-reason", b"X-Envoy-Original-Path"),
            *(b"x-envoy-internal", b"X-Original-URL", b"X-Original-URI", b"X-Rewrite-URL", b"X-Forwarded-User"),
            *(
                b"X-Forwarded-Email",
                b"X-Forwarded-Groups",
                b"X-Forwarded-Prefix",
                b"X-Forwarded-Path",
                b"X-Remote-User",
            ),
            *(b"X-REMOTE-USER", b"x_forwarded_user", b"X-Forwarded_User"),
        )
    ),
]
