"""Answers for callers who speak otherwise, by a translation that counts the bytes and tells by them how it went."""

from dataclasses import replace

from gateway.exchange import Exchange
from gateway.plan import RoutePlan
from gateway.upstream.cluster import Cluster
from gateway.verdict import AnswerTranslation
from meshway.http1.message import CHUNKED, ResponseHead
from tests.parts.one_route import plan
from tests.parts.playbook import Playbook


class Counting(AnswerTranslation):
    """Says nothing before the end: how many bytes came, and 404 where the trailers say so."""

    def __init__(self, head: ResponseHead) -> None:
        self.head = None
        self._made = head.copy()
        self._made.body = CHUNKED
        self._count = 0

    def feed(self, data: bytes) -> bytes:
        self._count += len(data)
        return b""

    def end(self, trailers: bytes) -> bytes:
        self.head = self._made
        if trailers:
            self.head.status = 404
        return b"%d bytes" % self._count


class Doubling(AnswerTranslation):
    def __init__(self, head: ResponseHead) -> None:
        self.head = head

    def feed(self, data: bytes) -> bytes:
        return data * 2

    def end(self, trailers: bytes) -> bytes:
        return b"!"


class Breaking(Doubling):
    """Finds at the end that it is not whole."""

    def end(self, trailers: bytes) -> bytes:
        self.is_cut = True
        return b""


def counted(target: Cluster) -> RoutePlan:
    made = plan(target, response_filters=(lambda head: None,))

    def encode(exchange: Exchange, head: ResponseHead) -> AnswerTranslation:
        kinds: dict[bytes, type[Counting | Doubling]] = {b"/count": Counting, b"/break": Breaking}
        return kinds.get(exchange.path, Doubling)(head)

    return replace(made, encode=encode)


def test_a_head_that_waits_for_the_end_goes_out_with_all_of_the_answer_and_its_status_is_logged() -> None:
    book = Playbook(make_plan=counted)
    book.request(target="/count")
    upstream = book.connect()
    upstream.answer(200, b"abc", ended=False)
    upstream.body(b"de")
    assert book.told == []
    upstream.end(b"X-Not-Found: 1\r\n")
    assert book.told == [("head", 404, b"5 bytes", "ended")]
    exchange = book.last()
    assert (exchange.status, exchange.bytes_out) == (404, 7)


def test_an_answer_in_one_piece_is_translated_before_it_is_logged() -> None:
    book = Playbook(make_plan=counted)
    book.request(target="/count")
    book.connect().answer(200, b"abc")
    assert book.told == [("head", 200, b"3 bytes", "ended")]
    exchange = book.last()
    assert (exchange.status, exchange.bytes_out) == (200, 7)


def test_what_has_a_head_goes_out_piece_by_piece() -> None:
    book = Playbook(make_plan=counted)
    book.request()
    upstream = book.connect()
    upstream.answer(200, b"a", ended=False)
    upstream.body(b"b")
    upstream.end(b"X-A: 1\r\n")
    assert book.told == [("head", 200, b"aa", "open"), ("body", b"bb"), ("body", b"!"), ("end", b"")]
    assert book.last().bytes_out == 5


def test_an_answer_that_breaks_before_the_caller_has_any_of_it_is_one_of_our_own() -> None:
    book = Playbook(make_plan=counted)
    book.request(target="/count")
    upstream = book.connect()
    upstream.answer(200, b"abc", ended=False)
    upstream.fail()
    ((kind, status, *_),) = book.told
    assert (kind, status) == ("reply", 502)
    assert book.last().status == 502
    book.request()
    upstream = book.connect()
    upstream.answer(200, b"abc", ended=False)
    upstream.fail()
    assert book.told[-1] == ("cut",)


def test_an_answer_that_is_not_whole_is_cut_also_where_it_came_in_one_piece() -> None:
    for is_whole in (False, True):
        book = Playbook(make_plan=counted)
        book.request(target="/break")
        upstream = book.connect()
        upstream.answer(200, b"a", ended=is_whole)
        if not is_whole:
            upstream.end()
        assert book.told == [("head", 200, b"aa", "open"), ("cut",)], is_whole
