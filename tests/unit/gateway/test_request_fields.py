from gateway.request_fields import RequestFields, block_values
from tests.parts.calls import call


def test_names_are_folded_and_repeated_fields_are_joined() -> None:
    block = b"X-A: 1\r\nx-a:2 \r\nY:\r\nCookie: a=1\r\ncookie: b=2\r\n"
    assert block_values(block) == {b"x-a": b"1, 2", b"y": b"", b"cookie": b"a=1; b=2"}
    assert block_values(b"") == {}


def test_the_host_is_the_one_that_was_matched() -> None:
    fields = RequestFields()
    assert fields.headers(call(host="SHOP.example.:8080"))[b"host"] == b"shop.example"


def test_two_hosts_may_share_a_block() -> None:
    fields = RequestFields()
    one, two = call(host="a.example"), call(host="b.example")
    two.block = one.block
    first = fields.headers(one)
    assert first[b"host"] == b"a.example"
    assert fields.headers(two) is first
    assert first[b"host"] == b"b.example"


def test_a_block_is_taken_apart_once_and_another_one_anew() -> None:
    fields = RequestFields()
    one = call(headers={"Cookie": "a=1", "X-A": "1"})
    assert fields.cookies(one) == {b"a": b"1"}
    assert fields.cookies(one) is fields.cookies(one)
    assert fields.headers(one) is fields.headers(one)
    two = call(headers={"Cookie": "b=2"})
    assert fields.cookies(two) == {b"b": b"2"}
    assert b"x-a" not in fields.headers(two)
    assert fields.cookies(call()) == {}


def test_what_a_filter_made_of_the_block_is_what_is_asked() -> None:
    fields, exchange = RequestFields(), call(headers={"X-A": "1"})
    assert fields.headers(exchange)[b"x-a"] == b"1"
    exchange.block = b"X-A: 2\r\n"
    assert fields.headers(exchange)[b"x-a"] == b"2"


def test_a_query_is_read_by_its_first_values() -> None:
    fields = RequestFields()
    assert fields.query(call("/?a=1&a=2")) == {b"a": b"1"}
    assert fields.query(call("/?a=3")) == {b"a": b"3"}
    assert fields.query(call("/")) == {}
