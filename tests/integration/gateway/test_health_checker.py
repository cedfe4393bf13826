from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.upstream.health import EndpointKey, HealthChecker
from meshway.outbound.health import Check, HealthCheckSettings
from tests.parts.conditions import until
from tests.parts.grpc_health_server import NOT_SERVING, SERVING, grpc_health
from tests.parts.plain_service import PlainService

KEY = ("default", "books", "b1")


def check(service: PlainService, **changes: object) -> Check:
    fields: dict[str, object] = {
        "type": "http",
        "path": "/healthz",
        "port": None,
        "host": "",
        "service": "",
        "expect": ((200, 299),),
        "interval_s": 0.03,
        "timeout_s": 0.2,
        "unhealthy_after": 2,
        "healthy_after": 2,
    }
    return Check("127.0.0.1", service.port, HealthCheckSettings(**(fields | changes)))  # type: ignore[arg-type]


class Checking:
    def __init__(self) -> None:
        self.said: list[tuple[bool, str]] = []
        self.checker = HealthChecker(self._on_report, lambda: 0.5)

    def _on_report(self, endpoint: EndpointKey, is_passing: bool, reason: str) -> None:
        assert endpoint == KEY
        self.said.append((is_passing, reason))


@pytest.fixture
async def checking() -> AsyncIterator[Checking]:
    checking = Checking()
    yield checking
    await checking.checker.close()


@pytest.fixture
async def service() -> AsyncIterator[PlainService]:
    async with PlainService() as service:
        yield service


async def test_a_passing_endpoint_is_asked_over_one_connection_and_nothing_is_said(
    checking: Checking, service: PlainService
) -> None:
    checking.checker.want({KEY: check(service)})
    await until(lambda: len(service.calls) >= 4)
    assert (checking.said, service.connections) == ([], 1)
    assert service.calls[0].startswith("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:")


async def test_who_is_behind_a_connection_is_said_once_and_first(checking: Checking, service: PlainService) -> None:
    checking.checker.want({KEY: replace(check(service), preamble=b"PROXY UNKNOWN\r\n")})
    await until(lambda: len(service.calls) >= 2)
    assert service.calls[0].startswith("PROXY UNKNOWN\r\nGET /healthz HTTP/1.1\r\n")
    assert service.calls[1].startswith("GET /healthz HTTP/1.1\r\n")
    assert service.connections == 1


async def test_a_bad_status_fails_and_a_good_one_passes_again(checking: Checking, service: PlainService) -> None:
    checking.checker.want({KEY: check(service)})
    await until(lambda: service.calls)
    service.status = 503
    await until(lambda: checking.said == [(False, "status")])
    assert checking.checker.failing == {KEY: "status"}
    service.status = 204
    await until(lambda: checking.said == [(False, "status"), (True, "")])
    assert checking.checker.failing == {}


async def test_a_first_bad_result_is_enough(checking: Checking, service: PlainService) -> None:
    service.status = 500
    checking.checker.want({KEY: check(service, unhealthy_after=100)})
    await until(lambda: checking.said == [(False, "status")])


async def test_a_stopped_process_times_out(checking: Checking, service: PlainService) -> None:
    checking.checker.want({KEY: check(service)})
    await until(lambda: len(service.calls) >= 2)
    service.is_stuck = True
    await until(lambda: checking.said == [(False, "timeout")])


async def test_a_dead_process_refuses_and_a_new_one_passes(checking: Checking, service: PlainService) -> None:
    checking.checker.want({KEY: check(service)})
    await until(lambda: service.calls)
    await service.stop()
    await until(lambda: checking.said == [(False, "connect_refused")])
    await service.start()
    await until(lambda: checking.said[-1] == (True, ""))


async def test_a_kept_connection_that_was_closed_between_two_checks_is_no_failure(
    checking: Checking, service: PlainService
) -> None:
    checking.checker.want({KEY: check(service, unhealthy_after=1)})
    for asked in (2, 4, 6):
        await until(lambda asked=asked: len(service.calls) >= asked)  # type: ignore[misc]
        service.cut()
    await until(lambda: len(service.calls) >= 8)
    assert checking.said == []


async def test_tcp_only_connects(checking: Checking, service: PlainService) -> None:
    checking.checker.want({KEY: check(service, type="tcp")})
    await until(lambda: service.connections >= 3)
    await service.stop()
    await until(lambda: checking.said == [(False, "connect_refused")])
    assert service.calls == []


async def test_an_endpoint_that_is_no_longer_checked_passes(checking: Checking, service: PlainService) -> None:
    service.status = 500
    checking.checker.want({KEY: check(service)})
    await until(lambda: checking.said)
    checking.checker.want({})
    assert checking.said == [(False, "status"), (True, "")]
    asked = len(service.calls)
    checking.checker.want({KEY: check(service, path="/other")})
    await until(lambda: len(service.calls) > asked)
    assert service.calls[-1].startswith("GET /other ")


async def test_expected_ranges_and_the_host_field_are_the_policy_s(checking: Checking, service: PlainService) -> None:
    service.status = 404
    checking.checker.want({KEY: check(service, expect=((200, 200), (404, 404)), host="health.internal")})
    await until(lambda: len(service.calls) >= 2)
    assert checking.said == []
    assert "Host: health.internal\r\n" in service.calls[0]


async def test_a_grpc_server_is_asked_by_its_health_service(checking: Checking, service: PlainService) -> None:
    settings = replace(check(service).settings, type="grpc", service="books")
    async with grpc_health(books=SERVING) as server:
        checking.checker.want({KEY: Check("127.0.0.1", server.port, settings)})
        await until(lambda: len(server.asked) >= 2)
        assert checking.said == []
        server.says["books"] = NOT_SERVING
        await until(lambda: checking.said == [(False, "status")])
