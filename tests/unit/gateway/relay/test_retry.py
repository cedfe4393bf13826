import pytest

from gateway.relay.retry import FAILURES, backoff_s, is_listed, retry_after_s
from gateway.upstream.cluster_settings import BreakerSettings
from tests.parts.one_route import cluster, endpoint, retry_plan
from tests.parts.playbook import read_answer


def test_the_backoff_doubles_up_to_its_most_and_is_drawn_below_it() -> None:
    retry = retry_plan(backoff_base_s=0.025, backoff_max_s=0.1)
    assert [backoff_s(retry, n, 1.0) for n in range(4)] == [0.025, 0.05, 0.1, 0.1]
    assert backoff_s(retry, 3, 0.0) == 0.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(b"3", 3.0), (b"0", 0.0), (None, 0.0), (b"-1", 0.0), (b"Wed, 21 Oct 2026 07:28:00 GMT", 0.0), (b"9" * 9, 0.0)],
)
def test_a_retry_after_in_seconds_is_read_and_nothing_else(value: bytes | None, seconds: float) -> None:
    assert retry_after_s(value) == seconds


def test_every_failure_has_an_outcome_that_a_cluster_with_a_breaker_takes() -> None:
    breaker = BreakerSettings(10.0, 1000, 50.0, frozenset({"connect", "reset", "timeout"}), frozenset(), 5.0, 60.0, 3)
    target = cluster(endpoint(1), now=lambda: 100.0, breaker=breaker)
    for failure in FAILURES.values():
        target.endpoints[0].in_flight += 1
        target.attempt_ended(target.endpoints[0], failure.outcome, 0, 100.0)
    assert target.endpoints[0].in_flight == 0


@pytest.mark.parametrize(
    ("line", "verdict"),
    [("grpc-status: 14\r\n", True), ("grpc-status: 0\r\n", False), ("", False), ("grpc-status: x\r\n", False)],
)
def test_an_answer_of_grpc_is_repeated_by_its_code(line: str, verdict: bool) -> None:
    retry = retry_plan(statuses=frozenset({200, 503}), grpc_codes=frozenset({14}))
    assert is_listed(retry, read_answer(f"HTTP/1.1 200 OK\r\n{line}Content-Length: 0\r\n\r\n")) is verdict
    assert is_listed(retry, read_answer("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"))
    assert is_listed(retry_plan(statuses=frozenset({200})), read_answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
