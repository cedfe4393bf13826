"""What two answers are found to differ in."""

import gzip
import math
from collections import Counter

import pytest

from gateway.plan import ComparePlan
from gateway.relay.comparing import MAX_BODY, MAX_INFLATED, Comparison
from meshway.http1.message import ResponseHead


def head(encoding: bytes = b"") -> ResponseHead:
    made = ResponseHead()
    made.block = b"Content-Encoding: %b\r\n" % encoding if encoding else b""
    return made


class Compared:
    """A call and its copy, sent at 100.0."""

    def __init__(self, *, status: bool = True, slower_s: float = math.inf, fields: tuple[str, ...] = ()) -> None:
        self.counted: Counter[str] = Counter()
        paths = tuple(tuple(path.split(".")) for path in fields)
        plan = ComparePlan(status, slower_s, paths, lambda verdict: self.counted.update([verdict]))
        self.comparison = Comparison(plan, 100.0)

    def call(self, status: int = 200, body: bytes = b"", at: float = 100.1, encoding: bytes = b"") -> None:
        self.comparison.call.begin(status, head(encoding), at)
        self.comparison.call.feed(body)
        self.comparison.call_ended()

    def copy(self, status: int = 200, body: bytes = b"", at: float = 100.1, encoding: bytes = b"") -> None:
        self.comparison.copy.begin(status, head(encoding), at)
        self.comparison.copy.feed(body)
        self.comparison.copy_ended()


def test_equal_statuses_are_the_same_whoever_ends_first() -> None:
    for first, second in (("call", "copy"), ("copy", "call")):
        compared = Compared()
        getattr(compared, first)()
        assert not compared.counted
        getattr(compared, second)()
        assert compared.counted == {"same": 1}


def test_another_status_is_told_unless_it_is_not_asked_for() -> None:
    for asked, counted in ((True, {"status": 1}), (False, {"same": 1})):
        compared = Compared(status=asked, slower_s=5.0)
        compared.call(200)
        compared.copy(503)
        assert compared.counted == counted


@pytest.mark.parametrize(
    ("call_at", "copy_at", "verdict"), [(100.1, 100.25, "latency"), (100.1, 100.15, "same"), (99.0, 100.05, "same")]
)
def test_a_copy_may_begin_so_much_later(call_at: float, copy_at: float, verdict: str) -> None:
    """The last call was answered before its request was whole, and the copy sent."""
    compared = Compared(slower_s=0.1)
    compared.call(at=call_at)
    compared.copy(at=copy_at)
    assert compared.counted == {verdict: 1}


@pytest.mark.parametrize(
    ("call", "copy", "verdict"),
    [
        (b'{"total":1,"at":2}', b'{"at":3,"total":1}', "same"),
        (b'{"total":1}', b'{"total":2}', "json_fields"),
        (b'{"total":1}', b"{}", "json_fields"),
        (b"{}", b"{}", "same"),
        (b'{"items":[{"price":1}]}', b'{"items":[{"price":2}]}', "json_fields"),
        (b'{"items":[]}', b'{"items":[{"price":2}]}', "json_fields"),
        (b'{"total":1}', b"<html>", "incomparable"),
        (b'{"total":1}', b'{"total":' + b"[" * 50_000, "incomparable"),
        (b'{"total":1}', b'{"total":' + b"[" * 20_000 + b"]" * 20_000 + b"}", "incomparable"),
        (b'{"total":1}', b'{"total":1,"x":"' + b"x" * MAX_BODY + b'"}', "incomparable"),
    ],
)
def test_fields_of_json_are_compared_and_others_are_not(call: bytes, copy: bytes, verdict: str) -> None:
    compared = Compared(fields=("total", "items.0.price"))
    compared.call(body=call)
    compared.copy(body=copy)
    assert compared.counted == {verdict: 1}


def test_a_body_that_came_as_gzip_is_read_within_bounds() -> None:
    large = b'{"total":1,"x":"' + b"x" * MAX_INFLATED + b'"}'
    for body, verdict in (
        (gzip.compress(b'{"total":1}'), "same"),
        (gzip.compress(large), "incomparable"),
        (b"{", "incomparable"),
    ):
        compared = Compared(fields=("total",))
        compared.call(body=b'{"total":1}')
        compared.copy(body=body, encoding=b"gzip")
        assert compared.counted == {verdict: 1}
    compared = Compared(fields=("total",))
    compared.call(body=b'{"total":1}')
    compared.copy(body=b'{"total":1}', encoding=b"br")
    assert compared.counted == {"incomparable": 1}


def test_where_one_of_them_has_no_answer_that_is_told_once() -> None:
    compared = Compared(fields=("total",))
    compared.comparison.call_ended()
    compared.comparison.call_ended()
    compared.copy()
    assert compared.counted == {"unanswered": 1}
