"""Instances that are well, slow, failing at once, overloaded or call others, as one process beside the gateway's.

Run: python -m tests.parts.sick_services PORTS-FILE, with a JSON list of instances on stdin, `Sick` each; the ports are
written in its order. GET /_count tells how many calls an instance got.
"""

import asyncio
import json
import sys
from asyncio import StreamReader, StreamWriter
from pathlib import Path
from typing import Any

import msgspec

from tests.parts.conditions import wait_until
from tests.parts.processes import Process, python


class Sick(msgspec.Struct, frozen=True):
    """wait_s: how long a call takes. at_once: calls that run beside each other, the others wait; 0 = any number.

    calls: port and host of a service whose answer's status is this instance's own, too.
    """

    status: int = 200
    wait_s: float = 0.0
    at_once: int = 0
    calls: tuple[int, str] | None = None


class SickServices(Process):
    """ports: of the instances, in their order."""

    def __init__(self, folder: Path, name: str, *instances: Sick) -> None:
        ports = folder / f"{name}.ports"
        config = folder / f"{name}.json"
        config.write_bytes(msgspec.json.encode(instances))
        super().__init__(python("-m", "tests.parts.sick_services", str(config), str(ports)), folder / f"{name}.out")
        wait_until(lambda: ports.exists() or not self.is_running(), 20, what=f"{name} listens")
        assert self.is_running(), self.text()
        self.ports: list[int] = json.loads(ports.read_text())

    def counts(self) -> list[int]:
        """Calls that each instance got."""
        return asyncio.run(_counts(self.ports))


async def _counts(ports: list[int]) -> list[int]:
    return [await _ask(*await asyncio.open_connection("127.0.0.1", port), "/_count", "count") for port in ports]


async def _ask(reader: StreamReader, writer: StreamWriter, path: str, host: str) -> int:
    """The status of an answer whose body is empty, or the number that stands in it."""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.partition("content-length:")[2].split("\r\n")[0] or 0)
    body = await reader.readexactly(length)
    return int(body) if path == "/_count" else int(head.split()[1])


class _Instance:
    def __init__(self, sick: Sick) -> None:
        self._sick = sick
        self._free = asyncio.Semaphore(sick.at_once) if sick.at_once else None
        self._idle: list[tuple[StreamReader, StreamWriter]] = []
        self._calls = 0

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"GET /_count "):
                    status, body = 200, b"%d" % self._calls
                else:
                    self._calls += 1
                    status, body = await self._answer(), b""
                writer.write(b"HTTP/1.1 %d Said\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _answer(self) -> int:
        if self._free is None:
            return await self._work()
        async with self._free:
            return await self._work()

    async def _work(self) -> int:
        if self._sick.wait_s:
            await asyncio.sleep(self._sick.wait_s)  # what it is to take time
        if self._sick.calls is None:
            return self._sick.status
        port, host = self._sick.calls
        connection = self._idle.pop() if self._idle else await asyncio.open_connection("127.0.0.1", port)
        status = await _ask(*connection, "/", host)
        self._idle.append(connection)
        return status


async def _main(config: Path, ports: Path) -> None:
    sick = msgspec.json.decode(config.read_bytes(), type=list[Sick])
    servers: list[Any] = [
        await asyncio.start_server(_Instance(one).serve, "127.0.0.1", 0, backlog=4096) for one in sick
    ]
    fresh = ports.with_suffix(".new")
    fresh.write_text(json.dumps([server.sockets[0].getsockname()[1] for server in servers]))
    fresh.replace(ports)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), Path(sys.argv[2])))
