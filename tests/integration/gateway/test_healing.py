"""What keeps calls away from a service that does them no good."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from meshway.snapshot import Change
from tests.parts.changes import document, edge_route, running, to
from tests.parts.compiled import compiled_gateway

ROUTE = document("Route", "r", edge_route(to("books")))


@asynccontextmanager
async def answering(wait_s: float = 0.0, status: int = 200) -> AsyncIterator[Change]:
    """The one instance of books, as slow as that."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await asyncio.sleep(wait_s)  # what it is to be slow
                writer.write(f"HTTP/1.1 {status} Said\r\nContent-Length: 0\r\n\r\n".encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield running("books", "1", port=server.sockets[0].getsockname()[1])


def breaker(**fields: Any) -> Change:
    return document("TrafficPolicy", "p", {"breaker": {"minimum_requests": 3} | fields})


@pytest.mark.parametrize(
    ("slow_call", "last"),
    [
        ({"over": "20ms"}, 503),
        ({"over": "20ms", "percent": 99}, 503),
        ({"over": "20ms", "percent": 100}, 200),
        ({"over": "5s"}, 200),
        (None, 200),
    ],
)
async def test_a_service_whose_calls_are_slow_is_left_alone(slow_call: dict[str, Any] | None, last: int) -> None:
    policy = breaker(**({"slow_call": slow_call} if slow_call else {}))
    async with answering(wait_s=0.05) as books, compiled_gateway(books, ROUTE, policy) as gateway:
        assert [(await gateway.ask())[0] for _ in range(3)] == [200] * 3
        status, _, body = await gateway.ask()
        assert status == last
        assert ("breaker_open" in body) == (last == 503)


@pytest.mark.parametrize(("confidence", "last"), [(None, 503), (80, 503), (99, 500)])
async def test_few_failures_open_the_breaker_only_without_a_wish_for_confidence(
    confidence: int | None, last: int
) -> None:
    policy = breaker(failure_percent=50, failures=["500"], **({"confidence_percent": confidence} if confidence else {}))
    async with answering(status=500) as books, compiled_gateway(books, ROUTE, policy) as gateway:
        assert [(await gateway.ask())[0] for _ in range(3)] == [500] * 3
        assert (await gateway.ask())[0] == last
