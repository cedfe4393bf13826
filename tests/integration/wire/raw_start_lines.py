"""Rows: request lines and what a request is for (RFC 9112 §3)."""

from tests.integration.wire.raw_case import HOST, RequestCase, Seen, get, refused, request


def started(start: bytes) -> bytes:
    return request(HOST, start=start)


START_LINES = [
    *refused(
        "RFC 9112 §2.3: HTTP/1.0 and HTTP/1.1 only",
        {
            f"version {version.decode()}": started(b"GET /a " + version)
            for version in (b"HTTP/0.9", b"HTTP/1.2", b"HTTP/2.0", b"HTTP/3.0")
        },
        505,
    ),
    RequestCase("the preface of HTTP/2, damaged", b"PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n", "RFC 9113 §3.4", 505),
    *refused(
        "RFC 9112 §3: method SP target SP version",
        {
            "HTTP/0.9 request": b"GET /a\r\n\r\n",
            "version in lower case": started(b"GET /a http/1.1"),
            "version of four digits": started(b"GET /a HTTP/1.10"),
            "version without a dot": started(b"GET /a HTTP/11"),
            "another protocol": started(b"GET /a ICY/1.1"),
            "version missing, space left": started(b"GET /a "),
            "space after the version": started(b"GET /a HTTP/1.1 "),
            "two spaces before the target": started(b"GET  /a HTTP/1.1"),
            "two spaces before the version": started(b"GET /a  HTTP/1.1"),
            "a tab for a space": started(b"GET\t/a HTTP/1.1"),
            "a tab before the version": started(b"GET /a\tHTTP/1.1"),
            "a space before the method": started(b" GET /a HTTP/1.1"),
            "a space in the target": started(b"GET /a b HTTP/1.1"),
            "a form feed for a space": started(b"GET\x0c/a HTTP/1.1"),
            "bare CR after the version": started(b"GET /a HTTP/1.1\rX: y"),
            "bare CR in the target": started(b"GET /a\rb HTTP/1.1"),
            "ended by LF": b"GET /a HTTP/1.1\nHost: books.test\r\n\r\n",
            "LF all the way": b"GET /a HTTP/1.1\nHost: books.test\n\n",
            "an LF before the request": b"\n" + get(),
            "two empty lines before the request": b"\r\n\r\n" + get(),
            "a TLS handshake": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        },
    ),
    *refused(
        "RFC 9110 §9.1: a method is a token of at most 32 bytes",
        {
            "no method": started(b" /a HTTP/1.1"),
            "method with a slash": started(b"GE/T /a HTTP/1.1"),
            "method with a parenthesis": started(b"GET( /a HTTP/1.1"),
            "method with a colon": started(b"GET: /a HTTP/1.1"),
            "method with a NUL": started(b"GET\x00 /a HTTP/1.1"),
            "method beyond ASCII": started(b"G\xc9T /a HTTP/1.1"),
            "method of 33 bytes": started(b"A" * 33 + b" /a HTTP/1.1"),
        },
    ),
    *refused(
        "RFC 9112 §3.2: origin-form, or absolute-form of http and https",
        {
            "target without a slash": started(b"GET a HTTP/1.1"),
            "target that is a query": started(b"GET ?a HTTP/1.1"),
            "target of ftp": started(b"GET ftp://books.test/a HTTP/1.1"),
            "target of file": started(b"GET file:///etc/passwd HTTP/1.1"),
            "target of javascript": started(b"GET javascript:alert(1) HTTP/1.1"),
            "target of one slash": started(b"GET http:/books.test/a HTTP/1.1"),
            "target without a host": started(b"GET http:///a HTTP/1.1"),
            "target that ends after its scheme": started(b"GET http:// HTTP/1.1"),
            "target with userinfo": started(b"GET http://user:pw@books.test/a HTTP/1.1"),
            "target with an empty userinfo": started(b"GET http://@books.test/a HTTP/1.1"),
            "target with port 0": started(b"GET http://books.test:0/a HTTP/1.1"),
            "target with a wrong port": started(b"GET http://books.test:80a/a HTTP/1.1"),
            "target with a backslash in its authority": started(b"GET http://books.test\\@evil.test/a HTTP/1.1"),
            "target with an escape in its host": started(b"GET http://books%2etest/a HTTP/1.1"),
            "target with a fragment": started(b"GET /a#b HTTP/1.1"),
            "absolute target with a fragment": started(b"GET http://books.test/a#b HTTP/1.1"),
            "authority-form without CONNECT": started(b"GET books.test:80 HTTP/1.1"),
            "asterisk of a GET": started(b"GET * HTTP/1.1"),
            "asterisk and more": started(b"OPTIONS */a HTTP/1.1"),
            "CONNECT without a port": started(b"CONNECT books.test HTTP/1.1"),
            "CONNECT to a path": started(b"CONNECT /a HTTP/1.1"),
            "CONNECT with userinfo": started(b"CONNECT user@books.test:80 HTTP/1.1"),
        },
    ),
    *refused(
        "RFC 9112 §3.2: a target is visible ASCII",
        {
            f"target with {name}": started(b"GET /a" + byte + b" HTTP/1.1")
            for name, byte in {
                "NUL": b"\x00",
                "SOH": b"\x01",
                "ESC": b"\x1b",
                "DEL": b"\x7f",
                "byte 0x80": b"\x80",
                "UTF-8": "é".encode(),
            }.items()
        },
    ),
    RequestCase(
        "target of 20 KB", started(b"GET /" + b"a" * 20000 + b" HTTP/1.1"), "RFC 9112 §3: target of at most 16 KiB", 414
    ),
    RequestCase("endless target", b"GET /" + b"a" * 20000, "RFC 9112 §3: target of at most 16 KiB", 414),
    RequestCase(
        "target of 16 KiB",
        started(b"GET /" + b"a" * 16383 + b" HTTP/1.1"),
        "RFC 9112 §3: target of at most 16 KiB",
        seen=(Seen(target=b"/" + b"a" * 16383),),
    ),
    RequestCase("an empty line before the request", b"\r\n" + get(), "RFC 9112 §2.2", seen=(Seen(),)),
    RequestCase(
        "method in lower case",
        started(b"get /a HTTP/1.1"),
        "RFC 9110 §9.1: methods are case-sensitive, another method",
        seen=(Seen(method=b"get"),),
    ),
    RequestCase(
        "method of 32 bytes", started(b"A" * 32 + b" /a HTTP/1.1"), "RFC 9110 §9.1", seen=(Seen(method=b"A" * 32),)
    ),
    RequestCase(
        "target with a query",
        started(b"GET /a?b=c&d={e}|f HTTP/1.1"),
        "RFC 9112 §3.2.1, and what browsers send",
        seen=(Seen(target=b"/a?b=c&d={e}|f"),),
    ),
    RequestCase("HTTP/1.0 with a Host", request(HOST, start=b"GET /a HTTP/1.0"), "RFC 9112 §2.3", seen=(Seen(),)),
    RequestCase(
        "absolute target",
        started(b"GET http://books.test/a HTTP/1.1"),
        "RFC 9112 §3.2.2",
        seen=(Seen(),),
    ),
    RequestCase(
        "absolute target beats Host",
        request(b"Host: other.test", start=b"GET HTTP://BOOKS.test/a HTTP/1.1"),
        "RFC 9112 §3.2.2: the authority of the target replaces Host",
        seen=(Seen(host=b"BOOKS.test"),),
    ),
    RequestCase(
        "absolute target without a path",
        started(b"GET http://books.test?a HTTP/1.1"),
        "RFC 9112 §3.2.2",
        seen=(Seen(target=b"/?a"),),
    ),
    RequestCase("CONNECT", started(b"CONNECT books.test:80 HTTP/1.1"), "RFC 9110 §9.3.6: no tunnels here", gateway=405),
    RequestCase(
        "a path that climbs above the root",
        started(b"GET /../a HTTP/1.1"),
        "RFC 3986 §5.2.4, narrowed",
        gateway=400,
    ),
    RequestCase(
        "an escaped slash",
        started(b"GET /a%2Fb HTTP/1.1"),
        "RFC 3986 §2.1, §2.2, §3.3: one reading of a path",
        gateway=400,
    ),
    RequestCase(
        "an escaped NUL",
        started(b"GET /a%00 HTTP/1.1"),
        "RFC 3986 §2.1, §2.2, §3.3: one reading of a path",
        gateway=400,
    ),
    RequestCase(
        "a backslash", started(b"GET /a\\b HTTP/1.1"), "RFC 3986 §2.1, §2.2, §3.3: one reading of a path", gateway=400
    ),
    RequestCase(
        "a wrong escape",
        started(b"GET /a%zz HTTP/1.1"),
        "RFC 3986 §2.1, §2.2, §3.3: one reading of a path",
        gateway=400,
    ),
    RequestCase("dot segments", started(b"GET /b/.././a HTTP/1.1"), "RFC 3986 §5.2.4", seen=(Seen(),)),
    RequestCase(
        "two slashes first, which some read as an authority",
        started(b"GET //evil.test/a HTTP/1.1"),
        "RFC 3986 §3.3: repeated slashes are merged",
        seen=(Seen(target=b"/evil.test/a", host=b"books.test"),),
    ),
]


def hosted(value: bytes) -> bytes:
    return request(b"Host: " + value)


HOSTS = [
    *refused(
        "RFC 9112 §3.2: exactly one Host",
        {
            "no Host": request(b"X: y"),
            "no Host beside an absolute target": request(b"X: y", start=b"GET http://books.test/a HTTP/1.1"),
            "two Hosts": request(HOST, b"Host: evil.test"),
            "the same Host twice": request(HOST, HOST),
            "two Hosts in odd case": request(HOST, b"hOST: evil.test"),
            "two Hosts in HTTP/1.0": request(HOST, b"Host: evil.test", start=b"GET /a HTTP/1.0"),
            "empty Host": request(b"Host:"),
            "space before Host's colon": request(b"Host : books.test"),
            "Host folded": request(b"Host:", b" books.test"),
            "Host with a second line": request(HOST, b" evil.test"),
        },
    ),
    *refused(
        "RFC 9110 §7.2: Host is a name or address and a port",
        {
            f"Host {value!r}": hosted(value)
            for value in (
                *(b"books.test evil.test", b"books.test,evil.test", b"books.test, evil.test", b"books.test/a"),
                *(b"user@books.test", b"books.test?a", b"books.test#a", b"books.test\\evil", b"books%2etest"),
                *(b"<books.test>", b'"books.test"', b"books.test;a", b"books.test\tevil", b"b\xc3\xb6oks.test"),
                *(b":80", b":", b"books.test:", b"books.test:0", b"books.test:65536", b"books.test:+80"),
                *(b"books.test:080", b"books.test:8 0", b"books.test:80:80", b"books.test:http", b"books.test:-1"),
                *(b"[::1", b"[::1]80", b"[::1]:", b"[::1%25eth0]", b"[evil.test]", b"::1", b"[]", b"[::1]]"),
                *(b".", b"..", b".books.test", b"books..test", b"books.test..", b"http://books.test", b"{books}"),
                *(b"a" * 256, b"books.test:80808080", b"books.test\x00", b"books.test:80\x01"),
            )
        },
    ),
    *(
        RequestCase(f"Host {value.decode()}", hosted(value), "RFC 9110 §7.2", seen=(Seen(host=value),))
        for value in (b"books.test", b"BOOKS.Test", b"books.test:8080", b"books.test.", b"books.test.:80")
    ),
    RequestCase(
        "white space around Host",
        request(b"Host: \tbooks.test \t"),
        "RFC 9110 §5.5",
        seen=(Seen(host=b"books.test"),),
    ),
    RequestCase("HOST in capitals", request(b"HOST: books.test"), "RFC 9110 §5.1", seen=(Seen(host=b"books.test"),)),
]
