"""Which requests get the same answer, by Vary (RFC 9111 §4.1)."""

from gateway.cache.selection import asked_with, varying


def test_vary_names_what_counts_and_what_makes_an_answer_one_callers() -> None:
    assert varying(b"") == ()
    assert varying(b"Vary: Accept, accept-language\r\nVary: ACCEPT\r\n") == (b"accept", b"accept-language")
    assert varying(b"Vary: Host, X-Forwarded-Proto\r\n") == ()
    for none in (b"*", b"Accept, *", b"X-Forwarded-For", b"traceparent", b"Meshway-Attempt"):
        assert varying(b"Vary: %b\r\n" % none) is None


def test_an_absent_field_is_another_than_an_empty_one_and_all_lines_count() -> None:
    def of(block: bytes) -> object:
        return asked_with((b"x-kind",), block)

    assert of(b"") != of(b"X-Kind:\r\n")
    assert of(b"X-Kind: a\r\nX-Kind: b\r\n") == of(b"x-kind: a, b\r\n") != of(b"X-Kind: a\r\n")


def test_codings_are_compared_as_a_set() -> None:
    def of(value: bytes) -> object:
        return asked_with((b"accept-encoding",), b"Accept-Encoding: %b\r\n" % value)

    assert of(b"gzip, br") == of(b"br,GZIP") != of(b"gzip")
    assert of(b"gzip;q=0, br") != of(b"gzip, br")
