"""Bodies that become others on their way to the service; those that are held whole are test_call.py's."""

from gateway.exchange import Exchange
from gateway.plan import RoutePlan
from gateway.upstream.cluster import Cluster
from gateway.verdict import Recoding
from tests.parts.one_route import plan
from tests.parts.playbook import Playbook


class Pairs(Recoding):
    """Of each two bytes the second."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        if b"?" in data:
            raise ValueError("a question")
        data = self._rest + data
        end = len(data) - len(data) % 2
        self._rest = data[end:]
        return data[1:end:2]

    @property
    def is_whole(self) -> bool:
        return not self._rest


def recoded(target: Cluster) -> RoutePlan:
    def recode(exchange: Exchange) -> Recoding:
        return Pairs()

    return plan(target, request_filters=(recode,))


def test_the_service_gets_what_was_made_of_each_piece() -> None:
    book = Playbook(make_plan=recoded)
    call = book.request("POST", fields="Transfer-Encoding: chunked\r\n", first=b"-a-b-", ended=False)
    upstream = book.connect()
    call.on_body(b"c-")
    call.on_body(b"d-")
    call.on_body(b"e")
    call.on_end(b"")
    assert upstream.told == [("request", b"ab", "open"), ("body", b"c"), ("body", b"d"), ("body", b"e"), ("end", b"")]
    assert call.exchange.bytes_in == 10


def test_a_body_that_is_there_whole_is_made_into_the_other_at_once() -> None:
    book = Playbook(make_plan=recoded)
    book.request("POST", fields="Content-Length: 4\r\n", first=b"-a-b")
    assert book.connect().told == [("request", b"ab", "ended")]


def test_what_can_be_no_such_body_is_refused_and_the_service_is_left() -> None:
    book = Playbook(make_plan=recoded)
    for first in (b"?a", b"-"):
        book.request("POST", fields=f"Content-Length: {len(first)}\r\n", first=first)
        assert book.told[0][:2] == ("reply", 400)
        assert not book.openings
    for more in (b"?", b"-"):
        call = book.request("POST", fields="Transfer-Encoding: chunked\r\n", first=b"-a", ended=False)
        upstream = book.connect()
        call.on_body(more)
        if not call.is_over:
            call.on_end(b"")
        assert book.told[-1][:2] == ("reply", 400)
        assert upstream.is_closed
