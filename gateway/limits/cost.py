"""What a call counts for: what is known when it comes, and what is known only later.

A cost that no call tells is 1, and no cost is less: what cannot be read must not pass for nothing.
"""

from collections.abc import Callable
from typing import Final

from gateway.exchange import Exchange
from meshway.http1.fields import find
from meshway.http1.message import ResponseHead
from meshway.model.rate_limit import Cost

CostOf = Callable[[Exchange], int]
MOST: Final = 1_000_000_000  # of one call; above it every limit is spent
_MOST_DIGITS: Final = 9


def compile_cost(cost: int | Cost) -> CostOf:
    """As far as it is known when the call comes."""
    if isinstance(cost, int):
        return lambda _: cost
    if cost.request_header is not None:
        name = cost.request_header.lower().encode()
        return lambda exchange: number_in(find(exchange.block, name))
    if cost.request_bytes is not None:
        unit = int(cost.request_bytes)
        return lambda exchange: units_of(exchange.head.body, unit)
    return lambda _: 1


def compile_answer_cost(cost: int | Cost) -> Callable[[ResponseHead], int] | None:
    """What the answer says of it; None: nobody asks."""
    if isinstance(cost, int) or cost.response_header is None:
        return None
    name = cost.response_header.lower().encode()
    return lambda head: number_in(find(head.block, name))


def compile_end_cost(cost: int | Cost) -> CostOf | None:
    """What the whole call was; None: it was known before."""
    if isinstance(cost, int) or cost.request_bytes is None:
        return None
    unit = int(cost.request_bytes)
    return lambda exchange: units_of(exchange.bytes_in, unit)


def number_in(value: bytes | None) -> int:
    """Of a field: a whole number, 1 at least."""
    if value is None or not value.isdigit():
        return 1
    return max(int(value), 1) if len(value) <= _MOST_DIGITS else MOST


def units_of(size: int, unit: int) -> int:
    """size: bytes, below zero where nobody knows yet."""
    return max(-(-size // unit), 1)
