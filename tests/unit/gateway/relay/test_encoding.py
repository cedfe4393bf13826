import gzip
from dataclasses import replace

from gateway.filters.compress import compile_encode, compile_response_filter
from gateway.plan import RoutePlan
from gateway.relay.call import Call
from gateway.upstream.cluster import Cluster
from meshway.model.rule_actions import Compression
from meshway.units import Size
from tests.parts.one_route import plan
from tests.parts.playbook import FakeDownstream, Playbook, Told

ALL = Compression(min_size=Size(1))


def encoded_plan(target: Cluster) -> RoutePlan:
    made = plan(target, response_filters=(compile_response_filter(ALL),))
    return replace(made, encode=compile_encode(ALL))


def test_an_answer_in_one_piece_goes_out_in_one_piece_and_is_logged_as_it_went() -> None:
    book = Playbook(make_plan=encoded_plan)
    book.request(fields="Accept-Encoding: gzip\r\n")
    book.connect().answer(200, b"a" * 1000, fields="Content-Type: text/plain\r\n")
    ((_, _, sent, end),) = book.told
    assert isinstance(sent, bytes)
    assert (gzip.decompress(sent), end) == (b"a" * 1000, "ended")
    assert book.last().bytes_out == len(sent)


def test_an_answer_in_pieces_ends_with_what_the_encoder_kept_back() -> None:
    book = Playbook(make_plan=encoded_plan)
    book.request(fields="Accept-Encoding: gzip\r\n")
    upstream = book.connect()
    upstream.answer(200, b"a" * 500, fields="Content-Type: text/plain\r\n", ended=False)
    upstream.body(b"b" * 500)
    upstream.end()
    sent = b"".join(piece for kind, *rest in book.told for piece in rest if isinstance(piece, bytes))
    assert gzip.decompress(sent) == b"a" * 500 + b"b" * 500
    assert book.told[-1] == ("end", b"")
    assert book.last().bytes_out == len(sent)


class Full(FakeDownstream):
    """Takes no more than a head."""

    def __init__(self, call: Call, told: list[Told]) -> None:
        super().__init__()
        self.told = told
        self._call = call

    def send_body(self, data: bytes) -> None:
        super().send_body(data)
        self._call.on_write_paused()


def test_what_the_encoder_kept_back_holds_up_nobody_who_has_the_connection_next() -> None:
    book = Playbook(make_plan=encoded_plan)
    call = book.request(fields="Accept-Encoding: gzip\r\n")
    call.downstream = Full(call, book.told)
    upstream = book.connect()
    upstream.answer(200, b"a" * 500, fields="Content-Type: text/plain\r\n", ended=False)
    upstream.end()
    assert [kind for kind, *_ in book.told] == ["head", "body", "end"]
    assert (upstream.timer.owner, upstream.is_paused) == (upstream, False)


def test_an_encoded_answer_that_breaks_is_cut() -> None:
    book = Playbook(make_plan=encoded_plan)
    book.request(fields="Accept-Encoding: gzip\r\n")
    upstream = book.connect()
    upstream.answer(200, b"a" * 500, fields="Content-Type: text/plain\r\n", ended=False)
    upstream.fail()
    assert book.told[-1] == ("cut",)


def test_whoever_does_not_take_it_is_told_what_came() -> None:
    book = Playbook(make_plan=encoded_plan)
    book.request()
    book.connect().answer(200, b"abc", fields="Content-Type: text/plain\r\n")
    assert book.told == [("head", 200, b"abc", "ended")]
