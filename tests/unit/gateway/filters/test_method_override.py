from gateway.filters.method_override import pass_on
from meshway.http1.field_lines import request_lines
from meshway.http1.head import HeadLimits, RequestReader
from tests.parts.calls import call


def test_what_the_edge_keeps_is_written_again() -> None:
    exchange = call()
    lines = request_lines(method_override="drop")
    sent = b"GET / HTTP/1.1\r\nHost: a\r\nX-Method-Override: PUT\r\nX-A: b\r\n\r\n"
    head = RequestReader(HeadLimits(), lines=lines).read(sent)
    assert head is not None
    exchange.head, exchange.block = head, head.block
    assert exchange.block == b"X-A: b\r\n"
    pass_on(exchange)
    assert exchange.block == b"X-A: b\r\nx-method-override: PUT\r\n"
