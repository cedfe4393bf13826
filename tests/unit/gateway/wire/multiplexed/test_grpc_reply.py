import pytest

from gateway.exchange import Reply
from gateway.wire.multiplexed.grpc_reply import trailers_only
from tests.parts.calls import call

FIELDS = [
    (b":status", b"429"), (b"content-type", b"application/problem+json"), (b"content-length", b"9"),
    (b"retry-after", b"1"), (b"meshway-reason", b"rate_limited"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, 13), (401, 16), (403, 7), (404, 12), (408, 4), (413, 8), (429, 8), (503, 14), (504, 4), (418, 2)],
)
def test_an_answer_of_our_own_is_a_status_alone(status: int, code: int) -> None:
    exchange = call()
    fields = dict(trailers_only(exchange, Reply(status, "rate_limited", "RL", "too \u2026 often"), FIELDS))
    assert exchange.grpc_code == code
    assert fields == {
        b":status": b"200",
        b"content-type": b"application/grpc",
        b"retry-after": b"1",
        b"meshway-reason": b"rate_limited",
        b"grpc-status": b"%d" % code,
        b"grpc-message": b"too %E2%80%A6 often",
    }


def test_an_answer_that_brings_its_own_code_keeps_it() -> None:
    exchange = call()
    fields = trailers_only(exchange, Reply(200, "fault_abort", "FI"), [(b":status", b"200"), (b"grpc-status", b"8")])
    assert exchange.grpc_code == 8
    assert [value for name, value in fields if name == b"grpc-status"] == [b"8"]
