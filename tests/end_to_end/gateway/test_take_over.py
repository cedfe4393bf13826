"""Another gateway process in the place of one that runs, while callers call: none of them notices."""

import asyncio
import json
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from gateway.supervisor.offer import take_offer
from meshway.problem import Problem
from meshway.tasks import spawn
from tests.parts.changes import document, running
from tests.parts.conditions import until
from tests.parts.feed_server import Feed
from tests.parts.gateway_process import GatewayProcess, is_alive
from tests.parts.http2_caller import Http2Caller
from tests.parts.load import Load
from tests.parts.plain_service import PlainService
from tests.parts.ports import free_port, is_taken
from tests.parts.wire import Caller, ScriptedUpstream, read_head

UPGRADES = 3


@pytest.fixture
async def feed() -> AsyncIterator[Feed]:
    async with PlainService("books") as books, Feed() as feed:
        feed.commit(running("books", "b1", port=books.port))
        yield feed


def listening_on(port: int) -> int:
    """Sockets that wait for callers there (proc_net_tcp(5))."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in lines)


def get_books(number: int) -> tuple[str, str, bytes]:
    return (
        "GET",
        f"r{number:08d}",
        b"GET / HTTP/1.1\r\nHost: books.default.mesh\r\nx-request-id: r%08d\r\n\r\n" % number,
    )


class Http2Load:
    """Streams on connections that end when they are told goodbye, as callers of HTTP/2 do; calls that a goodbye says
    were not taken are made again (RFC 9113 §6.8)."""

    def __init__(self, port: int, connections: int) -> None:
        self._port, self._connections = port, connections
        self.stopping = asyncio.Event()
        self.answered = self.goodbyes = 0
        self.failures: list[str] = []

    async def run(self) -> None:
        await asyncio.gather(*(self._one() for _ in range(self._connections)))

    async def _one(self) -> None:
        while not self.stopping.is_set():
            caller = Http2Caller(*await asyncio.open_connection("127.0.0.1", self._port))
            try:
                while not caller.has_goodbye() and not self.stopping.is_set():
                    streams = [caller.get(b"/", authority=b"books.default.mesh") for _ in range(5)]
                    for stream in streams:
                        answer = await caller.answer(stream)
                        if answer.is_whole and answer.status == 200:
                            self.answered += 1
                        elif not caller.has_goodbye() or stream <= caller.last_taken:
                            self.failures.append(f"stream {stream}: {answer}, goodbye {caller.goaway}")
                if caller.has_goodbye():
                    self.goodbyes += 1
            finally:
                caller.close()


class Talk:
    """A WebSocket that says something every 20 ms and hears it back."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.heard = 0
        self.failure = ""

    async def hears(self, more: int) -> None:
        """So many more, or it has failed."""
        before = self.heard
        await until(lambda: self.heard > before + more or bool(self.failure), within_s=20.0)

    async def run(self, until_done: asyncio.Event) -> None:
        try:
            async with connect("ws://echo.default.mesh/", host="127.0.0.1", port=self._port) as talk:
                while not until_done.is_set():
                    await talk.send(f"{self.heard}")
                    assert await asyncio.wait_for(talk.recv(), 10.0) == f"{self.heard}"
                    self.heard += 1
                    await asyncio.sleep(0.02)
        except Exception as error:
            self.failure = f"{type(error).__name__}: {error}"


@asynccontextmanager
async def echo_service() -> AsyncIterator[int]:
    async def echo(talk: ServerConnection) -> None:
        async for message in talk:
            await talk.send(message)

    async with serve(echo, "127.0.0.1", 0) as server:
        yield next(iter(server.sockets)).getsockname()[1]


async def test_three_upgrades_under_load_fail_no_call_and_drop_no_websocket(feed: Feed, tmp_path: Path) -> None:
    async with echo_service() as port, GatewayProcess(tmp_path, feed.url, worker={"drain_s": 6.0}) as gateway:
        feed.commit(running("echo", "e1", port=port))
        await gateway.wait_for_revision(feed.revision)
        mesh = gateway.settings["mesh_port"]
        load, streams = Load(mesh, 8, get_books), Http2Load(mesh, 2)
        running_load = asyncio.gather(load.run(), streams.run())
        supervisors = {json.loads(gateway.ready_file.read_text())["pid"]}
        for _ in range(UPGRADES):
            talk, done = Talk(mesh), asyncio.Event()
            talking = spawn(talk.run(done), name="callers")
            await talk.hears(5)
            workers = await gateway.worker_pids()
            before = await gateway.take_over()
            await talk.hears(50)
            done.set()
            await talking
            assert talk.failure == ""
            assert await asyncio.to_thread(before.popen.wait, 30) == 0, gateway.text()
            assert not any(is_alive(pid) for pid in workers)
            supervisors.add(json.loads(gateway.ready_file.read_text())["pid"])
        load.stopping.set()
        streams.stopping.set()
        await running_load
        assert len(supervisors) == UPGRADES + 1
        assert (load.failures, streams.failures) == ([], [])
        assert len(load.calls) > 100
        assert streams.answered > 100
        assert streams.goodbyes >= UPGRADES
        assert (await gateway.call("books")).status_code == 200
        await until(lambda: feed.reports and feed.reports[-1]["node"] == "gw-1")
        assert not any(report["is_leaving"] for report in feed.reports)


async def test_listeners_of_documents_go_along_and_further_workers_read_them_as_well(
    feed: Feed, tmp_path: Path
) -> None:
    async with GatewayProcess(tmp_path, feed.url) as gateway:
        port = free_port()
        feed.commit(
            document("Listener", "partner", {"port": port, "protocol": "http"}, "mesh"),
            document("Route", "r", {"hosts": ["shop.example"], "rules": [{"destinations": [{"service": "books"}]}]}),
        )
        await gateway.wait_for_revision(feed.revision)

        def get_shop(number: int) -> tuple[str, str, bytes]:
            return "GET", f"r{number}", b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n"

        await until(lambda: "Listener mesh/partner" in gateway.text())
        load = Load(port, 4, get_shop)
        calling = spawn(load.run(), name="callers")
        await until(lambda: len(load.calls) > 20)
        seen = len(load.calls)
        edge_tls = int(gateway.edge_tls.rpartition(":")[2])
        assert is_taken(edge_tls)
        before = await gateway.take_over(edge_tls_port=None, workers=4)
        assert await asyncio.to_thread(before.popen.wait, 40) == 0
        assert not is_taken(edge_tls), "callers would queue for nobody"
        for place in (port, gateway.settings["mesh_port"]):
            assert listening_on(place) == 4
        assert gateway.process is not None
        assert (gateway.data / "run" / "gateway.lock").read_text() == f"{gateway.process.popen.pid}"
        await until(lambda: len(load.calls) > seen + 100)
        load.stopping.set()
        await calling
        assert load.failures == []


async def test_one_that_cannot_serve_leaves_the_running_one_as_it_was(feed: Feed, tmp_path: Path) -> None:
    async with GatewayProcess(tmp_path, feed.url) as gateway:
        load = Load(gateway.settings["mesh_port"], 4, get_books)
        calling = spawn(load.run(), name="callers")
        first = gateway.process
        await gateway.wait_for_revision(feed.revision)
        other = GatewayProcess(tmp_path, feed.url, workers=1, take_over=True)
        other.launch()
        assert other.process is not None
        assert await asyncio.to_thread(other.process.popen.wait, 30) != 0
        assert "each of its sockets is one's" in other.text()
        killed = GatewayProcess(tmp_path, feed.url, take_over=True)
        killed.launch()
        await until(lambda: "was given the sockets" in gateway.text())
        assert killed.process is not None
        killed.process.popen.kill()
        await until(lambda: "this one goes on" in gateway.text())
        assert first is not None
        assert (gateway.data / "run" / "gateway.lock").read_text() == f"{first.popen.pid}"
        load.stopping.set()
        await calling
        assert load.failures == []
        assert gateway.process is first
        assert gateway.is_running
        assert (await gateway.call("books")).status_code == 200


async def test_one_that_gives_up_answers_whom_its_workers_have_taken_in(feed: Feed, tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        await go_on.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1")

    slow = ScriptedUpstream(serve)
    async with slow.running(), GatewayProcess(tmp_path, feed.url, workers=1) as gateway:
        feed.commit(running("slow", "s1", port=slow.port))
        await gateway.wait_for_revision(feed.revision)
        other = GatewayProcess(tmp_path, feed.url, workers=2, take_over=True)
        other.program = (
            "from gateway.supervisor import slots, succession\nsuccession.READY_S = 3.0\n"
            "slots.Slots.missing = property(lambda _: 'a third one does not serve')\n"
        )
        other.launch()
        await until(lambda: gateway.text().count(" accepts after ") == 3)  # both write there
        port, get = gateway.settings["mesh_port"], b"GET / HTTP/1.1\r\nHost: slow.default.mesh\r\n\r\n"
        callers = [Caller(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(12)]
        for caller in callers:
            caller.send(get)
        await until(lambda: slow.open == len(callers))
        await until(lambda: "this one goes on" in gateway.text())
        assert other.process is not None
        with pytest.raises(subprocess.TimeoutExpired):
            await asyncio.to_thread(other.process.popen.wait, 1.0)
        go_on.set()
        for caller in callers:
            assert b" 200 " in await caller.head()
            caller.writer.close()
        assert await asyncio.to_thread(other.process.popen.wait, 30) != 0
        assert "a third one does not serve" in other.text()


async def test_the_child_of_up_keeps_its_place_and_does_not_speak_for_up(
    feed: Feed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`up` would start it again, and a service manager would take it for the main process."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        async with GatewayProcess(tmp_path, feed.url, workers=1, is_child=True) as gateway:
            assert gateway.is_running
            with pytest.raises(Problem, match="hands over"):
                await asyncio.to_thread(take_offer, gateway.data, 1)
        with pytest.raises(BlockingIOError):
            ear.recv(4096)


async def test_a_worker_replaced_under_load_of_http2_says_goodbye_and_fails_no_call(feed: Feed, tmp_path: Path) -> None:
    async with GatewayProcess(tmp_path, feed.url, worker={"drain_s": 5.0}) as gateway:
        streams = Http2Load(gateway.settings["mesh_port"], 4)
        calling = spawn(streams.run(), name="callers")
        for turn in range(2):
            before = set(await gateway.worker_pids())
            answered = streams.answered
            gateway.send(signal.SIGHUP)
            await gateway.wait_for_workers(before, 2, within_s=30.0)
            await until(lambda answered=answered: streams.answered > answered + 100)  # type: ignore[misc]
            await until(lambda turn=turn: streams.goodbyes > 2 * turn)  # type: ignore[misc]
        streams.stopping.set()
        await calling
        assert streams.failures == []
