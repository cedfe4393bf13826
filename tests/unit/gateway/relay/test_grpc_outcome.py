from pathlib import Path

import pytest

from gateway.grpc.status import read_code
from gateway.relay.grpc_outcome import judge, pushback_s
from gateway.telemetry.counters import Counters, read_counters
from meshway.http1.fields import find
from tests.parts.calls import call
from tests.parts.cluster_bench import Bench
from tests.parts.playbook import read_answer


@pytest.mark.parametrize(
    ("trailers", "status"),
    [
        (b"grpc-status: 0\r\n", 200),
        (b"grpc-message: none\r\ngrpc-status: 5\r\n", 404),
        (b"grpc-status: 8\r\n", 429),
        (b"grpc-status: 12\r\n", 404),
        (b"grpc-status: 13\r\n", 500),
        (b"grpc-status: 14\r\n", 503),
        (b"grpc-status: 4\r\n", 504),
        (b"grpc-status: 77\r\n", 500),
        (b"x-sum: 1\r\n", 206),
        (b"grpc-status: x\r\n", 206),
    ],
)
def test_an_answer_is_judged_by_its_own_status(trailers: bytes, status: int) -> None:
    exchange = call()
    assert judge(trailers, exchange, Bench().cluster, 206) == status
    assert exchange.grpc_code == read_code(find(trailers, b"grpc-status"))


def test_a_time_that_the_caller_set_is_no_failure_of_the_service() -> None:
    assert judge(b"grpc-status: 4\r\n", call(headers={"grpc-timeout": "1S"}), Bench().cluster, 200) == 408


def test_answers_are_counted_by_the_name_of_their_status(tmp_path: Path) -> None:
    bench = Bench()
    bench.parts.counters = Counters(tmp_path / "counters")
    for code in (b"0", b"0", b"5", b"99"):
        judge(b"grpc-status: %b\r\n" % code, call(), bench.cluster, 200)
    counted = {dict(labels)["code"]: cells[0] for (_, labels), cells in read_counters(tmp_path / "counters").items()}
    assert counted == {"OK": 2.0, "NOT_FOUND": 1.0, "99": 1.0}


@pytest.mark.parametrize(("value", "wait_s"), [("1500", 1.5), ("0", 0.0), ("-1", None), ("soon", None)])
def test_a_service_says_when_it_may_be_asked_again(value: str, wait_s: float | None) -> None:
    said = read_answer(f"HTTP/1.1 200 OK\r\ngrpc-retry-pushback-ms: {value}\r\nContent-Length: 0\r\n\r\n")
    assert pushback_s(said) == wait_s


def test_who_says_nothing_of_it_may_be_asked_at_once() -> None:
    assert pushback_s(read_answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) == 0.0
