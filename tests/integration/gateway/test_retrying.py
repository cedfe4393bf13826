"""Which failed attempt is followed by another one, when, and where: every field of `retry`, and how many hedges."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import chain, repeat
from typing import Any

import pytest

from tests.integration.gateway.test_decisions import ROUND_ROBIN, saying, services
from tests.parts.changes import document, edge_route, running, to
from tests.parts.compiled import compiled_gateway
from tests.parts.upstream import RecordingUpstream
from tests.parts.wire import Handler, ScriptedUpstream

NEVER_EJECTED = {"outlier_detection": {"enabled": False}}


def retried(retry: dict[str, Any], **blocks: Any) -> Any:
    """For GETs of books, whose instances stay whatever they answer."""
    return document("TrafficPolicy", "p", NEVER_EJECTED | {"retry": retry} | blocks)


ROUTE = document("Route", "r", edge_route(to("books")))


def in_turn(name: str, statuses: Iterator[int]) -> RecordingUpstream:
    def answer(received: object) -> list[bytes]:
        return [f"HTTP/1.1 {next(statuses)} Said\r\nContent-Length: {len(name)}\r\n\r\n{name}".encode()]

    return RecordingUpstream(pieces_of=answer)


def failing(times: int, name: str = "1") -> RecordingUpstream:
    """At first."""
    return in_turn(name, chain(repeat(503, times), repeat(200)))


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


@pytest.mark.parametrize(("on", "status"), [(["reset"], 200), (["connect_failure"], 502)])
@pytest.mark.proves("Retry.on", "TrafficPolicy.retry")
async def test_a_reset_is_tried_again_where_the_policy_says_so(on: list[str], status: int) -> None:
    broken = ScriptedUpstream(hang_up)
    async with broken.running(), services(saying("1")) as books:
        changes = [*books, running("books", "0", port=broken.port), ROUND_ROBIN, ROUTE, retried({"on": on})]
        async with compiled_gateway(*changes) as gateway:
            assert (await gateway.ask())[0] == status


@pytest.mark.parametrize(("statuses", "status"), [([503], 200), ([500], 503), ([], 503)])
@pytest.mark.proves("Retry.statuses")
async def test_an_answer_is_tried_again_when_its_status_is_listed(statuses: list[int], status: int) -> None:
    async with (
        services(failing(1)) as books,
        compiled_gateway(*books, ROUTE, retried({"statuses": statuses})) as gateway,
    ):
        assert (await gateway.ask())[0] == status


@pytest.mark.parametrize(
    ("backoff", "failures", "status"),
    [
        ({"base": "1ms", "max": "1ms"}, 1, 200),
        ({"base": "60s", "max": "60s"}, 1, 504),
        # The waits double up to max: the sixth one is 32 times the base.
        ({"base": "20ms", "max": "20ms"}, 6, 200),
        ({"base": "20ms", "max": "1h"}, 10, 504),
        (None, 1, 200),
    ],
)
@pytest.mark.proves("Retry.backoff", "Backoff.base", "Backoff.max")
async def test_a_retry_waits_as_long_as_the_policy_says(
    backoff: dict[str, str] | None, failures: int, status: int
) -> None:
    retry = {"statuses": [503], "max_retries": 10, "budget": {"min_per_second": 10}}
    policy = retried(retry | ({"backoff": backoff} if backoff else {}), timeouts={"deadline": "1500ms"})
    async with (
        services(failing(failures)) as books,
        compiled_gateway(*books, ROUTE, policy, random=lambda: 0.9) as gateway,
    ):
        assert (await gateway.ask())[0] == status


@pytest.mark.parametrize(
    ("budget", "statuses"),
    [
        ({"percent": 0, "min_per_second": 0}, [503, 503]),
        ({"percent": 100, "min_per_second": 0}, [200, 200]),
        ({"percent": 50, "min_per_second": 0}, [503, 200]),
        ({"percent": 0, "min_per_second": 0.1}, [200, 503]),
        ({"percent": 0, "min_per_second": 0.2}, [200, 200]),
        (None, [200, 200]),
    ],
)
@pytest.mark.proves("Retry.budget", "RetryBudget.percent", "RetryBudget.min_per_second")
async def test_no_more_is_retried_than_the_budget_has(budget: dict[str, float] | None, statuses: list[int]) -> None:
    retry: dict[str, Any] = {"statuses": [503]} | ({"budget": budget} if budget is not None else {})
    one = in_turn("1", iter([503, 200, 503, 200] if statuses[0] == 200 else [503, 503, 200]))
    async with services(one) as books, compiled_gateway(*books, ROUTE, retried(retry)) as gateway:
        assert [(await gateway.ask())[0] for _ in range(2)] == statuses


@pytest.mark.parametrize(("buffer", "status"), [(4, 503), (5, 200), ("64KiB", 200)])
@pytest.mark.proves("Retry.buffer")
async def test_only_a_body_that_was_kept_whole_is_sent_again(buffer: int | str, status: int) -> None:
    one = failing(1)
    async with (
        services(one) as books,
        compiled_gateway(*books, ROUTE, retried({"statuses": [503], "buffer": buffer})) as gateway,
    ):
        assert (await gateway.ask(method="PUT", fields="Content-Length: 5\r\n", body="hello"))[0] == status
    assert {received.body for received in one.requests} == {b"hello"}


@pytest.mark.parametrize(("same", "answer"), [(True, "1"), (False, "2"), (None, "2")])
@pytest.mark.proves("Retry.same_endpoint")
async def test_a_retry_goes_elsewhere_unless_it_shall_stay(same: bool | None, answer: str) -> None:
    retry: dict[str, Any] = {"statuses": [503]} | ({} if same is None else {"same_endpoint": same})
    async with (
        services(failing(1), saying("2")) as books,
        compiled_gateway(*books, ROUND_ROBIN, ROUTE, retried(retry)) as gateway,
    ):
        assert (await gateway.ask())[2] == answer


@asynccontextmanager
async def answering_from(attempt: int) -> AsyncIterator[tuple[list[Any], list[int]]]:
    """Three instances of books: whoever is asked as the so-manieth answers at once, those before do not. And who was
    asked."""
    asked: list[int] = []

    def ask(number: int) -> Handler:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            asked.append(number)
            if len(asked) < attempt:
                await reader.read()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        return handle

    one, two, three = (ScriptedUpstream(ask(number)) for number in range(3))
    async with one.running(), two.running(), three.running():
        yield [running("books", str(at), port=each.port) for at, each in enumerate((one, two, three))], asked


@pytest.mark.parametrize(("most", "status", "attempts"), [(1, 504, 2), (2, 200, 3), (None, 504, 2)])
@pytest.mark.proves("Hedge.max")
async def test_no_more_instances_are_asked_beside_each_other_than_may_be(
    most: int | None, status: int, attempts: int
) -> None:
    hedge: dict[str, Any] = {"after": "20ms"} | ({} if most is None else {"max": most})
    policy = document("TrafficPolicy", "p", {"hedge": hedge, "timeouts": {"deadline": "800ms"}})
    async with answering_from(3) as (books, asked), compiled_gateway(*books, ROUTE, policy) as gateway:
        assert (await gateway.ask())[0] == status
        assert len(set(asked)) == len(asked) == attempts
