from gateway.filters.headers import compile_request_filter, compile_response_filter
from meshway.http1.message import ResponseHead
from meshway.model.route import HeaderChanges
from tests.parts.calls import call

CHANGES = HeaderChanges(set={"X-Team": "shop"}, add={"Vary": "Accept"}, remove=("X-Secret",))


def test_request_fields_are_removed_set_and_added_in_this_order() -> None:
    exchange = call(headers={"x-team": "old", "X-TEAM": "older", "Vary": "Cookie", "x-secret": "1", "Accept": "*/*"})
    assert compile_request_filter(CHANGES)(exchange) is None
    assert exchange.block == b"Vary: Cookie\r\nAccept: */*\r\nX-Team: shop\r\nVary: Accept\r\n"


def test_a_field_both_removed_and_added_is_there_once() -> None:
    exchange = call(headers={"Vary": "Cookie"})
    compile_request_filter(HeaderChanges(add={"vary": "Accept"}, remove=("Vary",)))(exchange)
    assert exchange.block == b"vary: Accept\r\n"


def test_the_callers_own_block_is_left_alone() -> None:
    exchange = call(headers={"X-Team": "old"})
    compile_request_filter(CHANGES)(exchange)
    assert exchange.head.block == b"X-Team: old\r\n"


def test_response_fields_are_changed_the_same_way() -> None:
    head = ResponseHead()
    head.block = b"Server: x\r\nX-Secret: 1\r\nx-team: old\r\n"
    compile_response_filter(CHANGES)(head)
    assert head.block == b"Server: x\r\nX-Team: shop\r\nVary: Accept\r\n"
    compile_response_filter(HeaderChanges(add={"A": "1"}))(head)
    assert head.block.endswith(b"A: 1\r\n")
