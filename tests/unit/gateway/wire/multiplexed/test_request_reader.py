import pytest

from gateway.wire.multiplexed.request_reader import FieldsReader
from meshway.http1.field_lines import request_lines
from meshway.http1.head import HeadError, HeadLimits
from meshway.http1.message import CHUNKED, NO_BODY

GET = ((b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"shop.example"), (b":path", b"/a?b=1"))
CONNECT = ((b":method", b"CONNECT"), (b":protocol", b"websocket"), *GET[1:])


def test_the_same_request_is_the_same_head_and_another_one_is_not() -> None:
    reader = FieldsReader(2, HeadLimits(), request_lines())
    head = reader.read(GET, is_bare=True)
    assert reader.read(tuple(GET), is_bare=True) is head
    assert (head.target, head.minor, head.body) == (b"/a?b=1", 2, NO_BODY)
    assert reader.read(GET, is_bare=False).body == CHUNKED
    assert reader.read((*GET[:3], (b":path", b"/c")), is_bare=True).target == b"/c"


def test_each_handshake_has_a_key_of_its_own() -> None:
    reader = FieldsReader(2, HeadLimits(), request_lines())
    first, second = (reader.read(CONNECT, is_bare=False).block for _ in range(2))
    assert first != second


def test_what_is_no_request_is_refused_each_time_and_the_next_one_is_read() -> None:
    reader = FieldsReader(2, HeadLimits(), request_lines())
    for _ in range(2):
        with pytest.raises(HeadError):
            reader.read((*GET, (b"host", b"other.example")), is_bare=True)
    assert reader.read(GET, is_bare=True).host == b"shop.example"
