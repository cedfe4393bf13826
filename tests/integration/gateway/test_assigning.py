"""A supervisor gets the assignments that its workers want: of a real registry, and without one it says so."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.channel import AskFrame, GrantFrame
from gateway.feed.registry_link import RegistryUrl
from gateway.supervisor.assigning import Assigning
from gateway.supervisor.worker_process import WorkerProcess
from meshway.assignments.messages import Ask, Budget
from meshway.tasks import spawn
from tests.parts.conditions import until
from tests.parts.registry import RunningRegistry, running_registry

TEN = Budget(id="default/ten@mesh", limit=10, rate=1.0)
ONE = Budget(id="default/one@mesh", limit=1, rate=0.1)


class Worker(WorkerProcess):
    """As much of one as is answered."""

    def __init__(self) -> None:
        self.granted: list[GrantFrame] = []

    def send(self, frame: object) -> None:
        assert isinstance(frame, GrantFrame)
        self.granted.append(frame)


class Host:
    """told: what the workers were told of the store, in order."""

    def __init__(self, registry: RegistryUrl | None) -> None:
        self.registry = registry
        self.told: list[str] = []
        self.assigning = Assigning("gw-1", 2, lambda: self.registry, self._on_store, time.monotonic)

    def _on_store(self) -> None:
        self.told.append(self.assigning.lost)

    async def shared(self) -> None:
        await until(lambda: not self.assigning.lost, what="a registry that assigns")


def at(port: int) -> RegistryUrl:
    return RegistryUrl.parse(f"http://127.0.0.1:{port}")


def asking(number: int, *wants: int, scope: str = "mesh", worker: str = "7", budget: Budget = TEN) -> AskFrame:
    asks = [Ask(budget=0, key=f"k{key}", worker=worker, want=want) for key, want in enumerate(wants)]
    return AskFrame(number=number, scope=scope, budgets=[budget], asks=asks)


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[RunningRegistry]:
    async with running_registry(tmp_path) as running:
        yield running


@pytest.fixture
async def host(registry: RunningRegistry) -> AsyncIterator[Host]:
    host = Host(at(registry.port))
    task = spawn(host.assigning.run(), name="assigning")
    await host.shared()
    yield host
    task.cancel()


async def test_each_worker_gets_the_grants_of_its_own_asks_in_order(host: Host) -> None:
    first, second = Worker(), Worker()
    host.assigning.take(first, asking(1, 1, 2))
    host.assigning.take(second, asking(8, 9, worker="8", budget=ONE))
    host.assigning.take(first, asking(2, 3))
    await until(lambda: len(first.granted) == 2 and second.granted, what="grants")
    assert [(frame.number, [grant.count for grant in frame.grants]) for frame in first.granted] == [
        (1, [1, 2]),
        (2, [3]),
    ]
    assert [(frame.number, [grant.count for grant in frame.grants]) for frame in second.granted] == [(8, [1])]
    assert (host.told, host.assigning.asked) == ([""], 4)
    assert first.granted[0].workers == 2, "those of this host, since it has not reported yet"


async def test_limits_of_this_host_need_no_registry(tmp_path: Path) -> None:
    host, worker = Host(None), Worker()
    host.assigning.take(worker, asking(5, 1, 1, scope="gateway"))
    (frame,) = worker.granted
    assert (frame.scope, frame.workers, [grant.count for grant in frame.grants]) == ("gateway", 2, [1, 1])


async def test_a_registry_that_is_away_is_told_once_and_its_return_too(
    host: Host, registry: RunningRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    host.registry = None
    await until(lambda: host.assigning.lost, what="a loss")
    worker = Worker()
    host.assigning.take(worker, asking(1, 1))
    host.registry = at(registry.port)
    await host.shared()
    assert (host.told, host.assigning.losses, worker.granted) == (["", "no registry is followed", ""], 1, [])
    host.assigning.take(worker, asking(2, 1))
    await until(lambda: worker.granted, what="grants")
    assert "limits are counted by this host's share: no registry is followed" in caplog.text


async def test_a_connection_that_was_idle_too_long_costs_nothing(host: Host, registry: RunningRegistry) -> None:
    worker = Worker()
    for number in range(3):
        for connection in list(registry.surface.connections):
            connection.shutdown()
        await until(lambda: not registry.surface.connections, what="connections that end")
        host.assigning.take(worker, asking(number, 1))
        await until(lambda number=number: len(worker.granted) == number + 1, what="grants")  # type: ignore[misc]
    assert host.told == [""]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "nothing came within"),
        (b"HTTP/1.1 503 Away\r\nContent-Length: 23\r\n\r\n" + b'{"detail":"Redis: gone"}'[:23], "answered 503"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "cannot be read"),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 25\r\n\r\n{"workers":1,"grants":[]}', "1 asks have 0 answers"),
    ],
    ids=["silent", "refusing", "nonsense", "short"],
)
async def test_whatever_is_no_answer_counts_as_away(
    host: Host, registry: RunningRegistry, answer: bytes, why: str
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(1 << 16):
                writer.write(answer)
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host.registry = at(server.sockets[0].getsockname()[1])
    host.assigning.take(Worker(), asking(1, 1))
    await until(lambda: host.assigning.lost, what="a loss")
    assert why in host.assigning.lost
    server.close()
    host.registry = at(registry.port)
    await host.shared()
