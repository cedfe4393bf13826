"""A limit of the whole mesh is divided among the gateways that are live, as the registry counts them."""

import asyncio
import os
import signal
from pathlib import Path

from tests.parts.changes import document, running
from tests.parts.feed_server import Feed
from tests.parts.gateway_process import GatewayProcess

CALLS = 6
ROUNDS = 40


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Slow enough that all calls of a round meet."""
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            await asyncio.sleep(0.2)  # what it is to be slow
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def becomes(gateway: GatewayProcess, admitted: int) -> list[int]:
    """How many calls of each round were admitted, until it is so many."""
    rounds: list[int] = []
    while len(rounds) < ROUNDS and rounds[-1:] != [admitted]:
        answers = await asyncio.gather(*(gateway.call("books", "/") for _ in range(CALLS)))
        rounds.append(sum(answer.status_code == 200 for answer in answers))
    return rounds


async def test_another_gateway_halves_what_one_may_run_and_its_new_worker_knows(tmp_path: Path) -> None:
    policy = document("TrafficPolicy", "p", {"bulkhead": {"max_requests": 4, "max_pending": 0}})
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server, Feed() as feed:
        feed.commit(running("books", "b1", port=server.sockets[0].getsockname()[1]), policy)
        async with GatewayProcess(tmp_path, feed.url, workers=1) as gateway:
            assert (await becomes(gateway, 4))[-1] == 4
            feed.gateways = 2
            assert (await becomes(gateway, 2))[-1] == 2
            (before,) = await gateway.worker_pids()
            os.kill(before, signal.SIGKILL)
            await gateway.wait_for_workers({before}, 1)
            assert (await becomes(gateway, 2)) == [2]
            feed.gateways = 1
            assert (await becomes(gateway, 4))[-1] == 4
