"""Rows: where a request ends (RFC 9112 §6, §7)."""

from tests.integration.wire.raw_case import HOST, POSTED, RequestCase, Seen, chunked, get, post, refused, request

FRAMING = [
    *refused(
        "RFC 9112 §6.1: Content-Length and Transfer-Encoding exclude each other",
        {
            "length then coding": post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
            "coding then length": post(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n"),
            "coding with length 0": post(b"Transfer-Encoding: chunked", b"Content-Length: 0", body=b"0\r\n\r\n"),
            "length and coding in odd case": post(
                b"cOnTeNt-LeNgTh: 5", b"TRANSFER-ENCODING: chunked", body=b"0\r\n\r\n"
            ),
        },
    ),
    *refused(
        "RFC 9110 §8.6: one Content-Length of 1 to 18 digits",
        {
            "two equal lengths": post(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
            "two different lengths": post(b"Content-Length: 5", b"Content-Length: 6", body=b"hello!"),
            "equal lengths in a list": post(b"Content-Length: 5, 5", body=b"hello"),
            "length with a plus": post(b"Content-Length: +5", body=b"hello"),
            "negative length": post(b"Content-Length: -5", body=b"hello"),
            "hexadecimal length": post(b"Content-Length: 0x5", body=b"hello"),
            "two numbers in a length": post(b"Content-Length: 5 5", body=b"hello"),
            "empty length": post(b"Content-Length:", body=b"hello"),
            "length with a semicolon": post(b"Content-Length: 5;", body=b"hello"),
            "length with a fraction": post(b"Content-Length: 5.0", body=b"hello"),
            "length with an underscore, as int() reads it": post(b"Content-Length: 0_5", body=b"hello"),
            "length of 19 digits": post(b"Content-Length: 0000000000000000005", body=b"hello"),
            "length in Arabic digits": post("Content-Length: ٥".encode(), body=b"hello"),
            "length in superscript, as isdigit() reads it": post("Content-Length: ⁵".encode(), body=b"hello"),
            "length with a vertical tab": post(b"Content-Length: \x0b5", body=b"hello"),
            "length in quotes": post(b'Content-Length: "5"', body=b"hello"),
        },
    ),
    *refused(
        "RFC 9112 §6.1: the only transfer coding is one `chunked`",
        {
            "coding gzip": post(b"Transfer-Encoding: gzip", body=b"0\r\n\r\n"),
            "coding gzip, chunked": post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
            "coding chunked, gzip": post(b"Transfer-Encoding: chunked, gzip", body=b"0\r\n\r\n"),
            "coding chunked twice in a list": post(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"),
            "coding chunked with a comma": post(b"Transfer-Encoding: chunked,", body=b"0\r\n\r\n"),
            "coding chunked in two lines": post(
                b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"
            ),
            "coding chunked and identity in two lines": post(
                b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=b"0\r\n\r\n"
            ),
            "coding identity": post(b"Transfer-Encoding: identity", b"Content-Length: 5", body=b"hello"),
            "coding identity alone": post(b"Transfer-Encoding: identity"),
            "coding xchunked": post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
            "coding chunked with a parameter": post(b"Transfer-Encoding: chunked;q=1", body=b"0\r\n\r\n"),
            "coding in quotes": post(b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n"),
            "coding after a vertical tab": post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"),
            "coding with a no-break space": post(b"Transfer-Encoding: chunked\xa0", body=b"0\r\n\r\n"),
            "empty coding": post(b"Transfer-Encoding:", body=b"0\r\n\r\n"),
            "coding folded onto the next line": post(b"Transfer-Encoding:", b" chunked", body=b"0\r\n\r\n"),
            "space between coding's name and colon": post(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n"),
            "coding in HTTP/1.0": request(
                HOST, b"Transfer-Encoding: chunked", start=b"POST /a HTTP/1.0", body=b"0\r\n\r\n"
            ),
        },
    ),
    RequestCase(
        "length with white space around",
        post(b"Content-Length: \t 5 \t", body=b"hello"),
        "RFC 9110 §5.5: white space around a value is none of it",
        seen=(POSTED,),
    ),
    RequestCase(
        "length of 18 digits",
        post(b"Content-Length: 000000000000000005", body=b"hello"),
        "RFC 9110 §8.6: 1 to 18 digits",
        seen=(POSTED,),
    ),
    RequestCase(
        "coding in capitals",
        post(b"Transfer-Encoding: CHUNKED", body=b"5\r\nhello\r\n0\r\n\r\n"),
        "RFC 9112 §7: names of codings are case-insensitive",
        seen=(POSTED,),
    ),
    RequestCase("length 0 of a GET", get(b"Content-Length: 0"), "RFC 9110 §8.6", seen=(Seen(),)),
    RequestCase(
        "a GET with a body",
        request(HOST, b"Content-Length: 5", body=b"hello"),
        "RFC 9110 §9.3.1: without a meaning, but framed",
        seen=(Seen(body=b"hello"),),
    ),
    RequestCase(
        "underscored length beside the true one",
        post(b"Content_Length: 99", b"Content-Length: 5", body=b"hello"),
        "RFC 3875 §4.1.18: names with an underscore are dropped",
        seen=(Seen(method=b"POST", body=b"hello", lacks=(b"content_length",)),),
    ),
    RequestCase(
        "underscored coding beside a length",
        post(b"Transfer_Encoding: chunked", b"Content-Length: 5", body=b"hello"),
        "RFC 3875 §4.1.18: names with an underscore are dropped",
        seen=(Seen(method=b"POST", body=b"hello", lacks=(b"transfer_encoding",)),),
    ),
]
EMPTY_POST = Seen(method=b"POST")


CHUNKS = [
    *refused(
        "RFC 9112 §7.1: a chunk size is 1 to 16 hexadecimal digits and CRLF",
        {
            "empty chunk size": chunked(b"\r\nhello\r\n0\r\n\r\n"),
            "chunk size with 0x": chunked(b"0x5\r\nhello\r\n0\r\n\r\n"),
            "chunk size with a space after it": chunked(b"5 \r\nhello\r\n0\r\n\r\n"),
            "chunk size with a space before it": chunked(b" 5\r\nhello\r\n0\r\n\r\n"),
            "chunk size with a tab": chunked(b"5\t\r\nhello\r\n0\r\n\r\n"),
            "negative chunk size": chunked(b"-5\r\nhello\r\n0\r\n\r\n"),
            "chunk size with a plus": chunked(b"+5\r\nhello\r\n0\r\n\r\n"),
            "chunk size with an underscore": chunked(b"0_5\r\nhello\r\n0\r\n\r\n"),
            "chunk size that is no number": chunked(b"G\r\nhello\r\n0\r\n\r\n"),
            "chunk size of 17 digits": chunked(b"00000000000000005\r\nhello\r\n0\r\n\r\n"),
            "chunk size ended by LF": chunked(b"5\nhello\r\n0\r\n\r\n"),
            "chunk size ended by CR": chunked(b"5\rhello\r\n0\r\n\r\n"),
            "chunk size with a comma": chunked(b"5,5\r\nhello\r\n0\r\n\r\n"),
            "chunk size with a NUL": chunked(b"5\x00\r\nhello\r\n0\r\n\r\n"),
        },
    ),
    *refused(
        "RFC 9112 §7.1: chunk data ends with CRLF where its size says",
        {
            "chunk data longer than its size": chunked(b"5\r\nhello!\r\n0\r\n\r\n"),
            "chunk data shorter than its size": chunked(b"6\r\nhello\r\n0\r\n\r\n"),
            "chunk data ended by LF": chunked(b"5\r\nhello\n0\r\n\r\n"),
            "chunk data ended by CR": chunked(b"5\r\nhello\r0\r\n\r\n"),
            "chunk data without an end": chunked(b"5\r\nhello0\r\n\r\n"),
            "chunk data ended by LF CR": chunked(b"5\r\nhello\n\r0\r\n\r\n"),
        },
    ),
    *refused(
        "RFC 9112 §7.1.1: extensions are text of at most 4 KiB a message",
        {
            "extension with a bare LF": chunked(b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
            "extension with a bare CR": chunked(b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
            "extension with a NUL": chunked(b"5;a=\x00\r\nhello\r\n0\r\n\r\n"),
            "extension ended by LF": chunked(b"5;a=b\nhello\r\n0\r\n\r\n"),
            "extension of 5 KiB": chunked(b"5;" + b"a" * 5000 + b"\r\nhello\r\n0\r\n\r\n"),
            "many extensions, 5 KiB together": chunked((b"1;" + b"a" * 999 + b"\r\nx\r\n") * 5 + b"0\r\n\r\n"),
            "extension of the last chunk over the limit": chunked(b"5\r\nhello\r\n0;" + b"a" * 5000 + b"\r\n\r\n"),
        },
    ),
    *refused(
        "RFC 9112 §7.1.2: trailers are fields",
        {
            "trailer without a colon": chunked(b"5\r\nhello\r\n0\r\nx-sum\r\n\r\n"),
            "trailer folded": chunked(b"5\r\nhello\r\n0\r\nx-sum: 1\r\n 2\r\n\r\n"),
            "trailer with a space before its colon": chunked(b"5\r\nhello\r\n0\r\nx-sum : 1\r\n\r\n"),
            "trailer with a NUL": chunked(b"5\r\nhello\r\n0\r\nx-sum: \x00\r\n\r\n"),
            "trailer ended by LF": chunked(b"5\r\nhello\r\n0\r\nx-sum: 1\n\r\n\r\n"),
            "trailers ended by LF": chunked(b"5\r\nhello\r\n0\r\n\n"),
            "bytes in place of the last empty line": chunked(b"5\r\nhello\r\n0\r\nXX\r\n"),
        },
    ),
    RequestCase(
        "trailers over 8 KiB",
        chunked(b"5\r\nhello\r\n0\r\nx-sum: " + b"a" * 8200 + b"\r\n\r\n"),
        "RFC 9110 §5.4: trailers of at most 8 KiB",
        431,
    ),
    RequestCase(
        "many trailers over 8 KiB",
        chunked(b"5\r\nhello\r\n0\r\n" + b"x-sum: aaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 300 + b"\r\n"),
        "RFC 9110 §5.4: trailers of at most 8 KiB",
        431,
    ),
    *(
        RequestCase(name, chunked(body), "RFC 9112 §7.1", seen=(POSTED,))
        for name, body in {
            "one chunk": b"5\r\nhello\r\n0\r\n\r\n",
            "several chunks": b"1\r\nh\r\n2\r\nel\r\n2\r\nlo\r\n0\r\n\r\n",
            "leading zeros of a size": b"0000000000000005\r\nhello\r\n0\r\n\r\n",
            "last chunk of several zeros": b"5\r\nhello\r\n000\r\n\r\n",
            "an extension is dropped": b"5;name=value\r\nhello\r\n0\r\n\r\n",
            "a quoted extension is dropped": b'5;name="v; w"\r\nhello\r\n0;last\r\n\r\n',
        }.items()
    ),
    RequestCase("no data", chunked(b"0\r\n\r\n"), "RFC 9112 §7.1", seen=(EMPTY_POST,)),
    RequestCase(
        "hexadecimal size in capitals",
        chunked(b"A\r\n0123456789\r\n0\r\n\r\n"),
        "RFC 9112 §7.1",
        seen=(Seen(method=b"POST", body=b"0123456789"),),
    ),
    RequestCase(
        "a trailer is passed on as a trailer",
        chunked(b"5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n"),
        "RFC 9110 §6.5",
        seen=(Seen(method=b"POST", body=b"hello", lacks=(b"x-sum",), trailers=(b"x-sum: 1",)),),
    ),
    *(
        RequestCase(
            f"trailer {name.decode()} is dropped",
            chunked(b"5\r\nhello\r\n0\r\n" + name + b": evil\r\n\r\n"),
            "RFC 9110 §6.5.1: what frames, routes or authenticates is no trailer",
            seen=(Seen(method=b"POST", body=b"hello"),),
        )
        for name in (
            *(b"Content-Length", b"Transfer-Encoding", b"Host", b"Connection", b"Authorization", b"Cookie", b"TE"),
            *(b"X-Forwarded-For", b"X-Forwarded-User", b"meshway-deadline", b"x_forwarded_user", b"Upgrade"),
        )
    ),
]
