"""A real ZooKeeper of one server, as Debian installs it: Java, and the package `zookeeper`."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import Final

import pytest

from tests.parts.conditions import wait_until
from tests.parts.ports import free_port
from tests.parts.processes import Process

# It names the jars it needs in its manifest.
JAR: Final = Path("/usr/share/java/zookeeper.jar")
_MAIN: Final = "org.apache.zookeeper.server.quorum.QuorumPeerMain"


class ZooKeeper:
    """address: `127.0.0.1:port`; it and the data stay over restarts. Skips the test where it is not installed."""

    def __init__(self, folder: Path) -> None:
        java = shutil.which("java")
        if java is None or not JAR.is_file():
            pytest.skip("no Java or no zookeeper on this machine (apt install zookeeper)")
        self._folder = folder
        self._port = free_port()
        self.address = f"127.0.0.1:{self._port}"
        (folder / "data").mkdir(parents=True)
        configuration = folder / "zoo.cfg"
        configuration.write_text(
            f"tickTime=500\ndataDir={folder / 'data'}\nclientPort={self._port}\nclientPortAddress=127.0.0.1\n"
            "admin.enableServer=false\n4lw.commands.whitelist=ruok\nmaxSessionTimeout=60000\n"
        )
        self._command = [java, "-Xmx128m", "-cp", str(JAR), _MAIN, str(configuration)]
        self.start()

    def start(self) -> None:
        self.process = Process(self._command, self._folder / "zookeeper.out")
        wait_until(self._answers, 40, what="ZooKeeper answers")

    def stop(self) -> None:
        self.process.stop()

    def _answers(self) -> bool:
        assert self.process.is_running(), self.process.text()
        with socket.create_connection(("127.0.0.1", self._port), timeout=2) as line:
            line.sendall(b"ruok")
            return line.recv(4) == b"imok"
