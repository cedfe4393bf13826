from gateway.filters import grpc_web
from gateway.verdict import AnswerTranslation
from meshway.http1.message import CHUNKED
from meshway.model.rule_actions import Cors
from tests.parts.calls import call
from tests.parts.playbook import read_answer

GRPC = "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\n"


def test_binary_messages_go_on_as_they_are_and_text_is_read() -> None:
    exchange = call(
        method="POST", headers={"Content-Type": "application/grpc-web+proto", "X-Grpc-Web": "1", "X-A": "1"}
    )
    assert grpc_web.translate(exchange) is None
    assert exchange.block == b"X-A: 1\r\nContent-Type: application/grpc+proto\r\n"
    assert exchange.head.te_trailers
    exchange = call(method="POST", headers={"Content-Type": "application/grpc-web-text", "Content-Length": "8"})
    known = exchange.head
    recoding = grpc_web.translate(exchange)
    assert recoding is not None
    assert (recoding.feed(b"YWJjZGVm"), exchange.head.body, known.body) == (b"abcdef", CHUNKED, 8)


def test_other_calls_are_left_alone() -> None:
    for method, kind in (("POST", "application/grpc"), ("POST", "text/plain"), ("GET", "application/grpc-web")):
        exchange = call(method=method, headers={"Content-Type": kind})
        before = exchange.block
        assert grpc_web.translate(exchange) is None
        assert exchange.block is before


def test_only_answers_of_grpc_to_such_calls_are_translated() -> None:
    encode = grpc_web.compile_encode(None)
    asked = call(method="POST", headers={"Content-Type": "application/grpc-web"})
    assert isinstance(encode(asked, read_answer(GRPC + "Transfer-Encoding: chunked\r\n\r\n")), AnswerTranslation)
    page = read_answer("HTTP/1.1 502 Bad\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n")
    assert encode(asked, page) is None
    native = call(method="POST", headers={"Content-Type": "application/grpc"})
    assert encode(native, read_answer(GRPC + "Transfer-Encoding: chunked\r\n\r\n")) is None


def test_a_status_in_the_head_moves_to_the_end() -> None:
    head = read_answer(GRPC + "grpc-status: 5\r\ngrpc-message: none\r\nX-A: 1\r\nContent-Length: 0\r\n\r\n")
    said = b"grpc-status: 5\r\ngrpc-message: none\r\nX-A: 1\r\nX-B: 2\r\nDate: now\r\n"
    answer = grpc_web.WebAnswer(head, b"application/grpc-web", said)
    assert answer.head is not None
    assert answer.head.block == b"X-A: 1\r\nContent-Type: application/grpc-web\r\n"
    assert answer.end(b"") == b"\x80\0\0\0\x2cgrpc-status: 5\r\ngrpc-message: none\r\nx-a: 1\r\n"


def test_pages_that_may_call_may_send_and_read_what_it_takes() -> None:
    cors = grpc_web.with_leave(Cors(allow_origins=("https://a",), allow_headers=("X-Grpc-Web",), expose_headers=("*",)))
    assert cors.allow_headers == ("X-Grpc-Web", "content-type", "x-user-agent", "grpc-timeout")
    assert cors.expose_headers == ("*",)
