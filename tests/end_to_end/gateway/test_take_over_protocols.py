"""Another gateway process in the place of one that runs, for callers of TCP, UDP and HTTP/3; and what a service manager
hears of it."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from meshway.tasks import spawn
from tests.end_to_end.gateway.test_http3 import NAME, certified
from tests.end_to_end.gateway.test_udp import asked
from tests.parts.changes import document, edge_route, running, to
from tests.parts.conditions import until
from tests.parts.datagrams import DatagramService, Sources, named
from tests.parts.feed_server import Feed
from tests.parts.gateway_process import GatewayProcess
from tests.parts.http2_caller import head
from tests.parts.http3_caller import Http3Caller, calling
from tests.parts.plain_service import PlainService
from tests.parts.ports import free_port

GET = head(b"GET", b"/", NAME.encode(), b"https")
SOURCES = 10
PEER = struct.Struct("3i")  # pid, uid, gid


@asynccontextmanager
async def echoing() -> AsyncIterator[int]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1000):
                writer.write(data)
        writer.close()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


class Talk:
    """A connection that says something every 20 ms and hears it back."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.heard = 0

    async def run(self, until_done: asyncio.Event) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        while not until_done.is_set():
            writer.write(b"%07d" % self.heard)
            assert await asyncio.wait_for(reader.readexactly(7), 10.0) == b"%07d" % self.heard
            self.heard += 1
            await asyncio.sleep(0.02)
        writer.close()


class Http3Load:
    """Calls on connections that end when they are told goodbye. failures: of calls that were taken."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.answered = self.goodbyes = 0
        self.failures: list[str] = []

    async def run(self, until_done: asyncio.Event) -> None:
        while not until_done.is_set():
            async with calling(self._port, NAME) as caller:
                if caller.closed is not None:
                    self.failures.append(f"no connection: {caller.closed} {caller.why}")
                    return
                while caller.goaway is None and caller.closed is None and not until_done.is_set():
                    await self._call(caller)
                self.goodbyes += caller.goaway is not None

    async def _call(self, caller: Http3Caller) -> None:
        stream = caller.begin(GET)
        answer = await caller.answer(stream)
        if answer.is_whole and answer.status == 200:
            self.answered += 1
        elif caller.goaway is None or stream < caller.goaway:
            self.failures.append(f"stream {stream}: {answer}, goodbye {caller.goaway}, closed {caller.closed}")


@asynccontextmanager
async def serving(tmp_path: Path, *, drain_s: float, workers: int) -> AsyncIterator[tuple[GatewayProcess, int, int]]:
    """A gateway with listeners of TCP and UDP, whose ports these are, and of HTTP/3."""
    tcp, udp = free_port(), free_port()
    world = DatagramService(named(b"world"))
    folder = tmp_path / "certificates"
    async with PlainService("books") as books, echoing() as echo, Feed() as feed:
        feed.commit(
            running("books", "b1", port=books.port),
            running("echo", "e1", port=echo),
            running("world", "w1", port=world.port),
            certified(folder),
            document("Route", "all", edge_route(to("books"), hosts=["*"])),
            document("Listener", "edge-tls", {"http3": {"enabled": True}}, "mesh"),
            document("Listener", "talk", {"port": tcp, "protocol": "tcp"}, "mesh"),
            document("TcpRoute", "talk", {"listeners": ["talk"], "destinations": [{"service": "echo"}]}),
            document("Listener", "game", {"port": udp, "protocol": "udp"}, "mesh"),
            document("UdpRoute", "game", {"listeners": ["game"], "destinations": [{"service": "world"}]}),
        )
        worker = {"drain_s": drain_s}
        async with GatewayProcess(
            tmp_path, feed.url, workers=workers, certificates_dir=str(folder), worker=worker
        ) as gateway:
            for name in ("talk", "game", "edge-tls"):
                await until(lambda name=name: f"Listener mesh/{name}" in gateway.text(), what=name)  # type: ignore[misc]
            yield gateway, tcp, udp
    world.close()


async def test_callers_of_tcp_udp_and_http_3_notice_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path, drain_s=5.0, workers=2) as (gateway, tcp, udp):
        talk, load, done = Talk(tcp), Http3Load(int(gateway.edge_tls.rpartition(":")[2])), asyncio.Event()
        talking, calls = spawn(talk.run(done), name="talk"), spawn(load.run(done), name="callers")
        await until(lambda: load.answered > 20 and talk.heard > 5)
        with Sources(("127.0.0.1", udp)) as sources:
            players = [sources.one() for _ in range(SOURCES)]
            assert all(await asyncio.gather(*(asked(player) for player in players)))
            taking = spawn(gateway.take_over(), name="take over")
            while not taking.done():
                assert all(await asyncio.gather(*(asked(player) for player in players)))
                await asyncio.sleep(0.05)
            assert all(await asyncio.gather(*(asked(player) for player in players)))
            heard, answered = talk.heard, load.answered
            await until(lambda: talk.heard > heard + 20 or talking.done())
            await until(lambda: load.answered > answered + 20 or calls.done())
            done.set()
            await talking
            await calls
            assert await asyncio.to_thread((await taking).popen.wait, 30) == 0, gateway.text()
            assert all(await asyncio.gather(*(asked(player) for player in players)))
        assert load.failures == []
        assert load.goodbyes >= 1


@pytest.mark.soak
async def test_whose_worker_died_after_a_take_over_believes_the_new_one_that_his_connection_is_over(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, drain_s=30.0, workers=1) as (gateway, _, _):
        async with calling(int(gateway.edge_tls.rpartition(":")[2]), NAME) as caller:
            assert (await caller.answer(caller.begin(GET))).status == 200
            (first,) = await gateway.worker_pids()
            before = await gateway.take_over()
            await until(lambda: "this one drains" in gateway.text())
            os.kill(first, signal.SIGKILL)
            deadline = asyncio.get_running_loop().time() + 20.0
            while not caller.is_reset:
                assert asyncio.get_running_loop().time() < deadline, "nobody tells him"
                caller.quic.send_ping(1)
                caller.transmit()
                await asyncio.sleep(0.1)
        assert await asyncio.to_thread(before.popen.wait, 40) == 0


async def test_a_service_manager_hears_who_serves_and_who_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.setblocking(False)
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "100000")
        told: list[dict[str, str]] = []
        signs: list[tuple[str, str]] = []  # of life: the main process, and whose it is
        main = ""

        def hear() -> None:
            nonlocal main
            text, ancillary, _, _ = ear.recvmsg(4096, socket.CMSG_SPACE(PEER.size))
            said = dict(line.split("=", 1) for line in text.decode().split("\n"))
            if "WATCHDOG" in said:
                signs.append((main, str(PEER.unpack(ancillary[0][2])[0])))
            else:
                told.append(said)
                main = said.get("MAINPID", main)

        async def heard(word: str) -> dict[str, str]:
            """The next that is told, but for signs of life."""
            await until(lambda: told, within_s=20.0, what=word)
            assert word in told[0], told
            return told.pop(0)

        asyncio.get_running_loop().add_reader(ear, hear)
        async with PlainService("books") as books, Feed() as feed:
            feed.commit(running("books", "b1", port=books.port))
            async with GatewayProcess(tmp_path, feed.url, workers=1) as gateway:
                assert gateway.process is not None
                said = await heard("READY")
                assert said["MAINPID"] == str(gateway.process.pid)
                gateway.send(signal.SIGHUP)
                await heard("RELOADING")
                await heard("READY")
                monkeypatch.delenv("NOTIFY_SOCKET")  # as of one that is started by hand: the former one tells it
                before = await gateway.take_over()
                pids = {(await heard("MAINPID"))["MAINPID"] for _ in range(2)}  # the former's word, the new one's
                assert pids == {str(gateway.process.pid)}
                assert await asyncio.to_thread(before.popen.wait, 40) == 0
                assert json.loads(gateway.ready_file.read_text())["pid"] == gateway.process.pid
                mains = {str(before.popen.pid), str(gateway.process.pid)}
            await heard("STOPPING")
        asyncio.get_running_loop().remove_reader(ear)
        assert {of for _, of in signs} == mains
        assert [sign for sign in signs if sign[0] and sign[0] != sign[1]] == []  # the main process's alone
