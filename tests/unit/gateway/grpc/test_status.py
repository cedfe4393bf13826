from gateway.grpc.status import CODES, code_of, http_status, read_code


def test_codes_have_the_http_statuses_that_google_names() -> None:
    named = {CODES[code]: http_status(code) for code in range(len(CODES))}
    assert named["NOT_FOUND"] == 404
    assert named["UNAVAILABLE"] == 503
    assert named["DEADLINE_EXCEEDED"] == 504
    assert named["RESOURCE_EXHAUSTED"] == 429
    assert [name for name, status in named.items() if status >= 500] == [
        "UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
    ]  # fmt: skip
    assert http_status(17) == 500


def test_our_own_answers_have_a_code() -> None:
    assert (code_of(429), code_of(404), code_of(503), code_of(418)) == (8, 12, 14, 2)


def test_only_a_number_is_a_code() -> None:
    assert [read_code(value) for value in (b"0", b"14", None, b"", b"-1", b"100")] == [0, 14, -1, -1, -1, -1]
