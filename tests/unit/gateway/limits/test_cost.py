import pytest

from gateway.limits.cost import MOST, compile_answer_cost, compile_cost, compile_end_cost, number_in, units_of
from meshway.http1.message import ResponseHead
from meshway.model.rate_limit import Cost
from meshway.units import Size
from tests.parts.calls import call


@pytest.mark.parametrize(
    ("value", "cost"),
    [(None, 1), (b"", 1), (b"7", 7), (b"0", 1), (b"-7", 1), (b"1e9", 1), (b"9" * 9, 999_999_999), (b"9" * 40, MOST)],
)
def test_a_field_tells_a_whole_number_and_never_less_than_one(value: bytes | None, cost: int) -> None:
    assert number_in(value) == cost


def test_bytes_begun_count_whole() -> None:
    assert [units_of(size, 1024) for size in (-1, 0, 1, 1024, 1025)] == [1, 1, 1, 1, 2]


def test_a_cost_is_fixed_or_told_by_the_call() -> None:
    assert compile_cost(3)(call()) == 3
    assert compile_cost(Cost(request_header="X-Cost"))(call(headers={"x-cost": "4"})) == 4
    body = call(method="POST", headers={"Content-Length": "2049"})
    assert compile_cost(Cost(request_bytes=Size(1024)))(body) == 3
    assert compile_cost(Cost(response_header="x"))(call(headers={"x": "9"})) == 1


def test_what_comes_later_is_asked_for_where_it_counts_only() -> None:
    assert [compile_answer_cost(cost) for cost in (1, Cost(request_header="x"))] == [None, None]
    assert [compile_end_cost(cost) for cost in (1, Cost(response_header="x"))] == [None, None]
    of_answer, of_end = (
        compile_answer_cost(Cost(response_header="X-Cost")),
        compile_end_cost(Cost(request_bytes=Size(10))),
    )
    assert of_answer is not None
    assert of_end is not None
    head = ResponseHead()
    head.block = b"x-cost: 12\r\n"
    assert of_answer(head) == 12
    exchange = call()
    exchange.bytes_in = 95
    assert of_end(exchange) == 10
