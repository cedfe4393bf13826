"""Rows that nothing can fail prove nothing: each rule is taken out of the readers once, and the tables must notice."""

from pathlib import Path

import httptools
import pytest

from tests.integration.wire.raw_answers import ANSWERS, AnswerCase
from tests.integration.wire.raw_case import RequestCase
from tests.integration.wire.raw_cases import REQUESTS
from tests.parts.mutants import Mutation, build, failing
from tests.unit.meshway.http1.test_raw_table import check_answer, check_request

MUTATIONS = (
    Mutation("length beside coding", "collect.py", "if chunked and length >= 0:", "if False:"),
    Mutation("host is given twice", "collect.py", "if host is not None:", "if False:"),
    Mutation(
        "host is missing",
        "collect.py",
        "if host is None:\n        if minor == 1:",
        "if host is None:\n        if False:",
    ),
    Mutation("content-length twice", "collect.py", "if length >= 0:\n        raise", "if False:\n        raise"),
    Mutation("transfer-encoding twice", "collect.py", "    if chunked:\n        raise", "    if False:\n        raise"),
    Mutation("transfer-encoding in 1.0", "collect.py", "if minor == 0:\n        raise", "if False:\n        raise"),
    Mutation("what Connection names", "collect.py", "    if names:", "    if False:"),
    Mutation("Connection: close", "collect.py", 'if b"close" in options:', "if False:"),
    Mutation("1.0 closes", "collect.py", "= minor == 1\n    if minor == 0", "= True\n    if minor == 0"),
    Mutation("single fields", "collect.py", "elif code in (SINGLE, SINGLE_READ):", "elif False:"),
    Mutation("length's digits", "field_lines.py", "value.translate(None, _DIGITS)", "not value.strip(b'+-')"),
    Mutation("length's size", "field_lines.py", "len(value) > 18", "False"),
    Mutation(
        "empty length",
        "field_lines.py",
        "if not value or len(value) > 18",
        "value = value or b'0'\n        if len(value) > 18",
    ),
    Mutation("coding is chunked", "field_lines.py", 'value.lower() != b"chunked"', 'b"chunked" not in value.lower()'),
    Mutation("coding is anything", "field_lines.py", 'value.lower() != b"chunked"', "False"),
    Mutation(
        "host's grammar",
        "field_lines.py",
        "name, _ = parse_authority(value)",
        "name = value.lower().partition(b':')[0]",
    ),
    Mutation("field names", "field_lines.py", "not name.translate(_NAME).isdigit()", "not name"),
    Mutation("empty names", "field_lines.py", "not name.translate(_NAME).isdigit()", "name.strip(TOKEN)"),
    Mutation("colons", "field_lines.py", "not colon or not name", "not name"),
    Mutation("field values", "field_lines.py", "if value and not value.translate(_LINE).isdigit():", "if False:"),
    Mutation("underscores", "field_lines.py", 'self._underscores == "drop" or', "False and"),
    Mutation("identity names", "field_lines.py", "codes.update(dict.fromkeys(IDENTITY, DROPPED))", "pass"),
    Mutation("identity prefixes", "field_lines.py", "IDENTITY_PREFIXES if strip else ()", "()"),
    Mutation("h2c settings", "field_lines.py", '    b"http2-settings": DROPPED,\n', ""),
    Mutation("proxy credentials", "field_lines.py", '    b"proxy-authorization": DROPPED,\n', ""),
    Mutation("proxy-connection", "field_lines.py", '    b"proxy-connection": DROPPED,\n', ""),
    Mutation("reason of ours", "field_lines.py", '        b"meshway-reason": DROPPED,\n', ""),
    Mutation("name of a host", "authority.py", "if host.translate(None, _NAME):", "if False:"),
    Mutation("labels", "authority.py", "if not host or host[0] == 0x2E or", "if False and"),
    Mutation("length of a host", "authority.py", "if len(authority) > MAX_AUTHORITY:", "if False:"),
    Mutation("empty host", "authority.py", "if not authority:", "if not authority: return b'', b''\n    if False:"),
    Mutation("empty port", "authority.py", "if colon and not port:", "if False:"),
    Mutation("port's range", "authority.py", "or int(port) > 65535", ""),
    Mutation("port's zero", "authority.py", "or port[0] == 0x30", ""),
    Mutation("port's digits", "authority.py", "port.translate(None, _DIGITS)", "False"),
    Mutation("zone ids", "authority.py", 'if b"%" in inside:', "if False:"),
    Mutation("after the bracket", "authority.py", "or (rest and (rest[0] != 0x3A or len(rest) == 1))", ""),
    Mutation("method's form", "start_line.py", "or method.translate(None, TOKEN)", ""),
    Mutation("method's length", "start_line.py", "or len(method) > MAX_METHOD", ""),
    Mutation("target's length", "start_line.py", "if len(target) > max_target:", "if False:"),
    Mutation("target's bytes", "start_line.py", "    if not target.translate(_TARGET).isdigit():", "    if False:"),
    Mutation("schemes", "start_line.py", 'scheme.lower() not in (b"http", b"https")', "False"),
    Mutation("asterisk", "start_line.py", 'if method != b"OPTIONS":', "if False:"),
    Mutation("port of CONNECT", "start_line.py", "if not port:", "if False:"),
    Mutation("versions", "start_line.py", 'b"HTTP/1.0": 0}', 'b"HTTP/1.0": 0, b"HTTP/1.2": 1, b"HTTP/2.0": 1}'),
    Mutation("target beats Host", "head.py", "if host is not None:", "if False:"),
    Mutation("lines ended by LF", "head.py", "return buffer.count", "return False and buffer.count"),
    Mutation(
        "size of a head",
        "head.py",
        "            raise _too_large(self._limits)\n\n        if line",
        "            pass\n\n        if line",
    ),
    Mutation("number of fields", "head.py", 'raise HeadError(431, "headers_too_large", f"more', 'str(f"more'),
    Mutation("body of HEAD and 304", "head.py", "head.body = NO_BODY", "pass"),
    Mutation("number of answer fields", "head.py", 'raise _upstream_error(f"more than', 'str(f"more than'),
    Mutation("status line", "start_line.py", "or not 100 <= int(status) <= 599", ""),
    Mutation("after the status", "start_line.py", 'or line[12:13] not in (b"", b" ")', ""),
    Mutation("reason", "start_line.py", "if reason.translate(None, _TEXT):", "if False:"),
    Mutation("ids in a cut", "block_memo.py", "if not (first + second).translate(_ID).isdigit():", "if False:"),
    Mutation(
        "chunk size's digits",
        "framing.py",
        "if not digits or len(digits) > _MAX_SIZE_DIGITS or digits.translate(None, _HEX):",
        "digits = digits.strip(b' -+_,x') or b'0'\n        if len(digits) > _MAX_SIZE_DIGITS:",
    ),
    Mutation("chunk size's length", "framing.py", "if not digits or len(digits) > _MAX_SIZE_DIGITS", "if not digits"),
    Mutation("end of chunk data", "framing.py", 'if end == b"\\r\\n":', "if len(end) == 2:"),
    Mutation("size of extensions", "framing.py", "if self._extensions > self._max_extensions:", "if False:"),
    Mutation("controls in extensions", "framing.py", "if extension.translate(None, _TEXT):", "if False:"),
    Mutation(
        "form of trailers",
        "framing.py",
        "if not colon or not name or name",
        "if False and name",
    ),
    Mutation("size of trailers", "framing.py", "if size > self._max_trailers:", "if False:"),
)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=str)
def test_a_missing_rule_is_noticed(mutation: Mutation, tmp_path: Path) -> None:
    assert caught_by(mutation, tmp_path)


def caught_by(mutation: Mutation, folder: Path) -> list[str]:
    lenient = build(mutation, folder)

    def request(row: RequestCase) -> None:
        check_request(row, lenient.read_requests([row.data]))

    def answer(row: AnswerCase) -> None:
        check_answer(row, lenient.read_answer([row.data], row.method, closes=row.closes))

    return [f"request: {row}" for row in failing(REQUESTS, request)] + [
        f"answer: {row}" for row in failing(ANSWERS, answer)
    ]


def test_most_refusals_are_what_httptools_lets_through_when_it_is_lenient() -> None:
    refusals = [row for row in REQUESTS if row.status is not None]
    let_through = [row.name for row in refusals if _httptools_lets_through(row.data)]
    assert len(let_through) >= len(refusals) // 3, let_through


def _httptools_lets_through(data: bytes) -> bool:
    parser = httptools.HttpRequestParser(object())
    parser.set_dangerous_leniencies(
        lenient_headers=True,
        lenient_chunked_length=True,
        lenient_keep_alive=True,
        lenient_transfer_encoding=True,
        lenient_version=True,
        lenient_data_after_close=True,
        lenient_optional_lf_after_cr=True,
        lenient_optional_cr_before_lf=True,
        lenient_optional_crlf_after_chunk=True,
        lenient_spaces_after_chunk_size=True,
    )
    try:
        parser.feed_data(data)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return False
    return True
