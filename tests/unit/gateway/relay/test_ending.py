import gc

from gateway.exchange import Exchange, Reply
from gateway.relay.attempt import Attempt
from gateway.relay.call import Call
from tests.parts.playbook import Playbook


def test_a_caller_who_leaves_cancels_the_attempt() -> None:
    book = Playbook()
    call = book.request()
    upstream = book.connect()
    call.on_gone()
    assert upstream.is_closed
    assert book.told == []
    exchange = book.last()
    assert (exchange.flag, exchange.status) == ("DC", 0)
    book.assert_nothing_is_held()


def test_a_caller_who_leaves_while_connecting_gives_the_connection_up() -> None:
    book = Playbook()
    call = book.request()
    call.on_gone()
    assert book.openings[0].is_abandoned
    book.assert_nothing_is_held()


def test_an_answer_cut_half_way_is_passed_on_as_a_cut() -> None:
    book = Playbook()
    book.request()
    upstream = book.connect()
    upstream.answer(200, b"one", ended=False)
    upstream.fail("reset")
    assert book.told == [("head", 200, b"one", "open"), ("cut",)]
    exchange = book.last()
    assert (exchange.status, exchange.flag, exchange.reason) == (200, "UC", "upstream_reset")


def test_a_body_that_cannot_be_read_on_is_refused_and_its_attempt_cancelled() -> None:
    book = Playbook()
    call = book.request(method="POST", fields="Transfer-Encoding: chunked\r\n", first=b"one", ended=False)
    upstream = book.connect()
    call.on_bad_body(Reply(400, "bad_request", "DPE"))
    assert upstream.is_closed
    assert book.told == [("reply", 400, "bad_request", "DPE")]
    book.assert_nothing_is_held()


def test_a_call_that_is_over_is_freed_without_the_collector() -> None:
    book = Playbook()
    gc.collect()
    gc.disable()
    before = _calls_in_memory()
    try:
        book.request()
        book.connect().answer(200, b"hello")
        book.request(method="POST", fields="Content-Length: 3\r\n", first=b"abc").on_gone()
        book.finished.clear()
        book.openings.clear()
        assert _calls_in_memory() == before
    finally:
        gc.enable()


def _calls_in_memory() -> int:
    return sum(isinstance(found, Call | Attempt | Exchange) for found in gc.get_objects())
