from gateway.exchange import Reply
from gateway.filters.respond import compile_filter
from meshway.model.respond import Respond
from tests.parts.calls import call


def test_every_call_gets_the_same_answer() -> None:
    reply = compile_filter(Respond(status=503, body="later", content_type="text/html"))(call())
    assert isinstance(reply, Reply)
    assert (reply.status, reply.reason, reply.body) == (503, "respond", b"later")
    assert reply.fields == b"Content-Type: text/html\r\n"


def test_an_answer_without_a_body_says_no_type() -> None:
    reply = compile_filter(Respond(status=204))(call())
    assert isinstance(reply, Reply)
    assert (reply.body, reply.fields) == (b"", b"")
