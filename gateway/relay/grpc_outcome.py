"""What an answer of gRPC says of its service: every one is a 200 of HTTP, its own status stands in a field at the end.

It is judged, logged and counted as the HTTP status that google/rpc/code.proto names for it, so a breaker, outlier
detection, Alerts and Rollouts take UNAVAILABLE for the failure that 503 is. What a caller brought about himself is no
failure: to ask for a method that there is not, and to leave less time than the answer takes.
"""

from functools import lru_cache
from typing import Final

from gateway.exchange import Exchange
from gateway.grpc.status import http_status, read_code
from gateway.upstream.cluster import Cluster
from meshway.grpc_message import DEADLINE_EXCEEDED, UNIMPLEMENTED
from meshway.http1.fields import find
from meshway.http1.message import ResponseHead

PUSHBACK: Final = b"grpc-retry-pushback-ms"
_NOT_THERE: Final = 404
_CALLERS_TIME: Final = 408
_MOST_DIGITS: Final = 8
_KEPT: Final = 64  # blocks


def judge(block: bytes, exchange: Exchange, cluster: Cluster, status: int) -> int:
    """block: the trailers, or the head of an answer without a message. status: of HTTP, which holds where the answer is
    none of gRPC. cluster: whose answers it is counted among."""
    code = _code_in(block)
    if code < 0:
        return status
    cluster.count_code(code)
    exchange.grpc_code = code
    if code == UNIMPLEMENTED:
        return _NOT_THERE
    if code == DEADLINE_EXCEEDED and find(exchange.block, b"grpc-timeout") is not None:
        return _CALLERS_TIME
    return http_status(code)


@lru_cache(maxsize=_KEPT)
def _code_in(block: bytes) -> int:
    """Most answers end alike, and the block with them is then the same object."""
    return read_code(find(block, b"grpc-status"))


def pushback_s(head: ResponseHead) -> float | None:
    """How long the service wants to be left alone before another attempt (gRPC's A6); None: it wants no other one, or
    has written what nobody can read. 0.0: it says nothing of it."""
    value = find(head.block, PUSHBACK)
    if value is None:
        return 0.0
    return int(value) / 1000.0 if value.isdigit() and len(value) <= _MOST_DIGITS else None
