"""The raw tables, judged by the pure readers, whole and split anywhere."""

import re

import pytest

from meshway.http1.message import ResponseHead
from tests.integration.wire.raw_answers import ANSWERS, CUT, PASSED, REFUSED, AnswerCase
from tests.integration.wire.raw_case import RequestCase, Seen
from tests.integration.wire.raw_cases import REQUESTS
from tests.parts.raw_reader import ReadAnswer, ReadRequest, ReadStream, in_pieces, read_answer, read_requests


def test_each_row_names_the_section_that_decides_it() -> None:
    assert len(REQUESTS) >= 300
    rules = [(row.name, row.rule) for row in REQUESTS] + [(row.name, row.rule) for row in ANSWERS]
    assert [name for name, rule in rules if not re.search(r"RFC \d{4} §\d", rule)] == []


def check_request(row: RequestCase, got: ReadStream) -> None:
    assert got.status == row.status, got.error
    if row.status is None:
        assert not got.is_partial
    if row.gateway is None:
        assert len(got.requests) == len(row.seen), row.rule
        for request, seen in zip(got.requests, row.seen, strict=True):
            check_seen(request, seen)


def check_seen(request: ReadRequest, seen: Seen) -> None:
    head = request.head
    assert (head.method, request.body) == (seen.method, seen.body)
    lines = head.block.split(b"\r\n")
    names = {line.partition(b":")[0].lower() for line in lines}
    assert {line for line in seen.has if not line.startswith(b"Host:")} <= set(lines)
    assert not names & {*seen.lacks, b"host", b"content-length", b"transfer-encoding", b"connection"}
    assert tuple(request.trailers.split(b"\r\n")[:-1]) == seen.trailers
    if seen.host is not None:
        assert head.authority == seen.host
        assert head.host == seen.host.lower().partition(b":")[0].rstrip(b".")


@pytest.mark.parametrize("row", REQUESTS, ids=str)
def test_a_request_is_judged_as_its_row_says(row: RequestCase) -> None:
    check_request(row, read_requests([row.data]))


@pytest.mark.parametrize("row", [row for row in REQUESTS if len(row.data) < 1000], ids=str)
def test_a_request_is_judged_the_same_byte_by_byte(row: RequestCase) -> None:
    check_request(row, read_requests(in_pieces(row.data, range(len(row.data)))))


@pytest.mark.parametrize("row", [row for row in REQUESTS if len(row.data) < 1000], ids=str)
def test_a_request_is_judged_the_same_in_two_pieces(row: RequestCase) -> None:
    for at in range(1, len(row.data)):
        check_request(row, read_requests(in_pieces(row.data, [at])))


def check_answer(row: AnswerCase, got: ReadAnswer) -> None:
    if row.verdict == REFUSED:
        assert _is_refused(row, got), got
        return
    assert got.head is not None
    assert got.head.status == row.status
    if row.verdict == CUT:
        assert got.error is not None or not got.is_whole
        return
    assert row.verdict == PASSED
    assert got.error is None
    assert got.is_whole
    assert got.body == row.body
    assert (got.head.keep_alive and not got.rest and len(got.interim) <= 10) == row.reusable
    _check_block(row, got.head)


def _is_refused(row: AnswerCase, got: ReadAnswer) -> bool:
    if got.error is not None:
        return got.error.status == 502 and got.error.code == "upstream_protocol" and got.head is None
    # Whether interim answers are too many, or asked for, is for those to judge who sent the request.
    return got.head is None or len(got.interim) > 10


def _check_block(row: AnswerCase, head: ResponseHead) -> None:
    lines = head.block.split(b"\r\n")
    names = {line.partition(b":")[0].lower() for line in lines}
    assert set(row.has) <= set(lines)
    assert not names & {*row.lacks, b"content-length", b"transfer-encoding", b"connection"}


@pytest.mark.parametrize("row", ANSWERS, ids=str)
def test_an_answer_is_judged_as_its_row_says(row: AnswerCase) -> None:
    check_answer(row, read_answer([row.data], row.method, closes=row.closes))


@pytest.mark.parametrize("row", [row for row in ANSWERS if len(row.data) < 1000], ids=str)
def test_an_answer_is_judged_the_same_byte_by_byte(row: AnswerCase) -> None:
    pieces = in_pieces(row.data, range(len(row.data)))
    check_answer(row, read_answer(pieces, row.method, closes=row.closes))
