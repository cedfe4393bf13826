"""Workers that are stuck, asked to leave, killed by the dozen, or left alone with a queue of callers."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.parts.changes import running
from tests.parts.conditions import until
from tests.parts.feed_server import Feed
from tests.parts.gateway_process import GatewayProcess, is_alive
from tests.parts.load import Load
from tests.parts.plain_service import PlainService

QUEUED = 40
ASK = b"GET / HTTP/1.1\r\nHost: books.default.mesh\r\n\r\n"


@pytest.fixture
async def books() -> AsyncIterator[PlainService]:
    async with PlainService("books") as service:
        yield service


@pytest.fixture
async def feed(books: PlainService) -> AsyncIterator[Feed]:
    async with Feed() as feed:
        feed.commit(running("books", "b1", port=books.port))
        yield feed


def load_on(gateway: GatewayProcess, connections: int) -> Load:
    return Load(gateway.settings["mesh_port"], connections, lambda number: ("GET", str(number), ASK))


def queue_up(gateway: GatewayProcess) -> list[socket.socket]:
    """Callers that are connected and have asked, whether or not anybody accepts."""
    callers = []
    for _ in range(QUEUED):
        caller = socket.create_connection(("127.0.0.1", gateway.settings["mesh_port"]), timeout=10.0)
        caller.sendall(ASK)
        callers.append(caller)
    return callers


async def answers_of(callers: list[socket.socket]) -> list[bytes]:
    def read(caller: socket.socket) -> bytes:
        data = b""
        with caller:
            while piece := caller.recv(65536):
                data += piece
        return data

    return await asyncio.gather(*(asyncio.to_thread(read, caller) for caller in callers))


async def test_a_stuck_worker_is_replaced(feed: Feed, tmp_path: Path) -> None:
    async with GatewayProcess(tmp_path, feed.url, workers=1, worker={"stuck_s": 2.0}) as gateway:
        [pid] = await gateway.worker_pids()
        os.kill(pid, signal.SIGSTOP)
        await gateway.wait_for_workers({pid}, 1)
        assert not is_alive(pid)
        assert "is stuck" in gateway.text()
        assert (await gateway.call("books")).status_code == 200


async def test_a_stopped_supervisor_does_not_take_its_workers_for_stuck(feed: Feed, tmp_path: Path) -> None:
    async with GatewayProcess(tmp_path, feed.url, workers=1, worker={"stuck_s": 2.0}) as gateway:
        pids = await gateway.worker_pids()
        gateway.send(signal.SIGSTOP)
        await asyncio.sleep(2.6)
        gateway.send(signal.SIGCONT)
        await asyncio.sleep(1.1)
        assert await gateway.worker_pids() == pids


async def test_a_worker_that_hangs_at_its_start_does_not_hold_up_the_reload_for_good(
    feed: Feed, tmp_path: Path
) -> None:
    async with GatewayProcess(tmp_path, feed.url, workers=1, worker={"stuck_s": 2.0}) as gateway:
        [old] = await gateway.worker_pids()
        gateway.send(signal.SIGHUP)
        await until(lambda: children_of(gateway) - {old})
        [fresh] = children_of(gateway) - {old}
        os.kill(fresh, signal.SIGKILL)
        await until(lambda: children_of(gateway) == {old})
        gateway.send(signal.SIGHUP)
        await gateway.wait_for_workers({old}, 1)


async def test_a_reload_while_the_old_worker_dies_leaves_one_worker_a_slot(feed: Feed, tmp_path: Path) -> None:
    async with GatewayProcess(tmp_path, feed.url, workers=1, worker={"drain_s": 1.0}) as gateway:
        [old] = await gateway.worker_pids()
        gateway.send(signal.SIGHUP)
        await until(lambda: children_of(gateway) - {old})
        os.kill(old, signal.SIGKILL)
        await gateway.wait_for_workers({old}, 1)
        await until(lambda: len(children_of(gateway)) == 1, 8.0)
        assert children_of(gateway) == set(await gateway.worker_pids())


async def test_a_reload_that_finds_a_slot_waiting_for_its_next_try_leaves_one_worker(
    feed: Feed, tmp_path: Path
) -> None:
    async with GatewayProcess(tmp_path, feed.url, workers=1, worker={"drain_s": 1.0}) as gateway:
        for _ in range(5):  # the next try is more than a second away after these
            [pid] = await gateway.worker_pids()
            os.kill(pid, signal.SIGKILL)
            await gateway.wait_for_workers({pid}, 1)
        [old] = await gateway.worker_pids()
        gateway.send(signal.SIGHUP)
        await until(lambda: children_of(gateway) - {old})
        os.kill(old, signal.SIGKILL)
        await gateway.wait_for_workers({old}, 1)
        [now] = await gateway.worker_pids()
        await asyncio.sleep(2.5)
        assert children_of(gateway) == {now}


async def test_a_worker_that_is_told_to_end_goes_on_until_another_serves(feed: Feed, tmp_path: Path) -> None:
    async with GatewayProcess(tmp_path, feed.url, workers=1, worker={"drain_s": 1.0}) as gateway:
        [old] = await gateway.worker_pids()
        load = load_on(gateway, 4)
        running_load = asyncio.ensure_future(load.run())  # noqa: TID251 - awaited below
        os.kill(old, signal.SIGTERM)
        await gateway.wait_for_workers({old}, 1)
        await until(lambda: not is_alive(old))
        load.stopping.set()
        await running_load
        assert load.failures == []
        assert await gateway.metric("meshway_worker_restarts_total") == 0


async def test_whoever_waits_in_the_queue_at_the_end_is_answered(feed: Feed, tmp_path: Path) -> None:
    async with GatewayProcess(tmp_path, feed.url, workers=1) as gateway:
        [pid] = await gateway.worker_pids()
        os.kill(pid, signal.SIGSTOP)
        callers = queue_up(gateway)
        gateway.send(signal.SIGTERM)
        await until(lambda: has_let_go(gateway))
        os.kill(pid, signal.SIGCONT)
        answers = await answers_of(callers)
        assert all(a.startswith(b"HTTP/1.1 200 ") and b"Connection: close" in a for a in answers), answers
        await until(lambda: not gateway.is_running)


async def test_a_reload_does_not_hold_up_the_end(feed: Feed, tmp_path: Path) -> None:
    async with GatewayProcess(tmp_path, feed.url, workers=2) as gateway:
        gateway.send(signal.SIGHUP)
        gateway.send(signal.SIGHUP)
        await until(lambda: len(children_of(gateway)) == 3)
        left = children_of(gateway)
        gateway.send(signal.SIGTERM)
        await until(lambda: not gateway.is_running, 6.0)
        assert not any(is_alive(pid) for pid in left)
        assert "Traceback" not in gateway.text()


async def test_without_its_supervisor_a_worker_answers_its_queue_and_leaves_nothing_behind(
    feed: Feed, tmp_path: Path
) -> None:
    gateway = GatewayProcess(tmp_path, feed.url, workers=2)
    await gateway.start()
    pids = await gateway.worker_pids()
    tables = {path for path in shared_memory() if maps(pids[0], path)}
    assert tables
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    callers = queue_up(gateway)
    await gateway.kill()
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    answers = await answers_of(callers)
    assert all(answer.startswith(b"HTTP/1.1 200 ") for answer in answers), answers
    await until(lambda: not any(is_alive(pid) for pid in pids), 5.0)
    assert not tables & shared_memory()
    await gateway.client.aclose()


@pytest.mark.soak
async def test_a_hundred_killed_workers_cost_their_own_calls_only(feed: Feed, tmp_path: Path) -> None:
    connections = 8
    async with GatewayProcess(tmp_path, feed.url) as gateway:
        load = load_on(gateway, connections)
        running_load = asyncio.ensure_future(load.run())  # noqa: TID251 - awaited below
        took_s: list[float] = []
        for _ in range(100):
            victim = max(await gateway.worker_pids())
            os.kill(victim, signal.SIGKILL)
            killed_at = time.monotonic()
            await gateway.wait_for_workers({victim}, 2)
            took_s.append(time.monotonic() - killed_at)
            await asyncio.sleep(1.1)  # one that served a second is replaced at once
        load.stopping.set()
        await running_load
        took_s.sort()
        print("replaced after", *(f"{took:.2f}" for took in took_s), "s")
        # The load itself takes what the machine has: a few starts may have to share it with others.
        assert took_s[94] <= 1.0, took_s[90:]
        assert took_s[99] <= 3.0, took_s[90:]
        assert len(load.failures) <= 100 * connections
        assert all("reset" in call.error.lower() or "0 bytes" in call.error for call in load.failures), load.failures
        assert await gateway.metric("meshway_worker_restarts_total") == 100


def children_of(gateway: GatewayProcess) -> set[int]:
    assert gateway.process is not None
    supervisor = gateway.process.popen.pid
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    return {int(pid) for pid in children if is_alive(int(pid))}


def has_let_go(gateway: GatewayProcess) -> bool:
    """The supervisor holds no copy of the listening sockets any more."""
    assert gateway.process is not None
    supervisor = gateway.process.popen.pid
    held = {str(link.readlink()) for link in Path(f"/proc/{supervisor}/fd").iterdir() if link.is_symlink()}
    return not any(f"socket:[{inode}]" in held for inode in listening(gateway.settings["mesh_port"]))


def listening(port: int) -> list[str]:
    """Inodes of the sockets that listen on it."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    fields = [line.split() for line in lines]
    return [field[9] for field in fields if field[1].endswith(f":{port:04X}") and field[3] == "0A"]


def shared_memory() -> set[str]:
    return {str(path) for path in Path("/dev/shm").glob("meshway-*")}


def maps(pid: int, path: str) -> bool:
    return path in Path(f"/proc/{pid}/maps").read_text()
