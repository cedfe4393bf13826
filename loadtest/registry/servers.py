"""Starts what is compared: Meshway, etcd and ZooKeeper, each durable (fsync before the answer) on the same disk."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from loadtest.measure import cpu_s, process_tree, rss_bytes
from loadtest.peers import ROOT, free_port
from loadtest.registry.figures import EMBEDDED, ETCD, SHARED, ZOOKEEPER
from tests.parts.postgres import Postgres
from tests.parts.valkey import Valkey

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ZOOKEEPER_CLASSES = "/usr/share/java/zookeeper.jar"
MISSING = {"etcd": "apt-get install etcd-server", "zookeeper": "apt-get install zookeeper"}
SERVE = """
import json, sys
from pathlib import Path
from registry.app import serve
from registry.settings import RegistrySettings
settings = RegistrySettings(data_dir=Path(sys.argv[1]), trusts_loopback=True, **{"port": 0, **json.loads(sys.argv[2])})
serve(settings, ready=lambda url: print(url, flush=True))
"""


class Server:
    """roots: of the processes that its CPU and memory are counted over; the first is the server itself, the others are
    the stores behind it."""

    def __init__(self, name: str, port: int, roots: Sequence[int]) -> None:
        self.name = name
        self.port = port
        self.roots = roots

    def spent_s(self) -> float:
        """CPU seconds of all its processes that live."""
        return sum(cpu_s(process_tree(root)) for root in self.roots)

    def own_s(self) -> float:
        """Without the stores behind it."""
        return cpu_s(process_tree(self.roots[0]))

    def memory_mb(self) -> float:
        """Of the server itself."""
        return rss_bytes(self.roots[0]) / 1e6


def present(name: str) -> bool:
    if name == "etcd":
        return shutil.which("etcd") is not None
    return shutil.which("java") is not None and Path(ZOOKEEPER_CLASSES).exists()


@contextmanager
def data_folder() -> Iterator[Path]:
    """On the disk of the checkout: /tmp may be memory, on which nothing is durable."""
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build", prefix="bench-") as folder:
        yield Path(folder)


@contextmanager
def _process(command: list[str], core: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    # As installed: compiled once, not at each start.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=out, start_new_session=True, env=environment)
    try:
        os.sched_setaffinity(process.pid, {core})
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def meshway(folder: Path, core: int, name: str = EMBEDDED, **settings: object) -> Iterator[Server]:
    """A registry in a process of its own. settings: of RegistrySettings."""
    command = [sys.executable, "-c", SERVE, str(folder / name), json.dumps(settings)]
    with _process(command, core, folder / f"{name}.log") as process:
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip()
        if not url:
            raise RuntimeError((folder / f"{name}.log").read_text())
        yield Server(name, urlsplit(url).port or 0, [process.pid])


@contextmanager
def meshway_shared(folder: Path, core: int) -> Iterator[Server]:
    """A registry over PostgreSQL with fsync and Valkey, all on one core, from the wheels that the tests use."""
    postgres = Postgres(durable=True)
    valkey = None
    try:
        postgres.start()
        os.sched_setaffinity(postgres.pid, {core})
        valkey = Valkey(folder)
        os.sched_setaffinity(valkey.process.pid, {core})
        with meshway(folder, core, SHARED, database_url=postgres.url(), redis_url=valkey.url) as server:
            yield Server(SHARED, server.port, [*server.roots, postgres.pid, valkey.process.pid])
    finally:
        if valkey is not None:
            valkey.close()
        postgres.close()


@contextmanager
def etcd(folder: Path, core: int) -> Iterator[Server]:
    port, peers = free_port(), free_port()
    here, there = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peers}"
    command = ["etcd", "--data-dir", str(folder / "etcd"), "--log-outputs", "stderr", "--logger", "zap"]
    command += ["--listen-client-urls", here, "--advertise-client-urls", here, "--listen-peer-urls", there]
    command += ["--initial-advertise-peer-urls", there, "--initial-cluster", f"default={there}"]
    command += ["--quota-backend-bytes", str(8 << 30)]
    with _process(command, core, folder / "etcd.log") as process:
        _wait_for(port)
        yield Server(ETCD, port, [process.pid])


@contextmanager
def zookeeper(folder: Path, core: int) -> Iterator[Server]:
    port = free_port()
    config = folder / "zoo.cfg"
    config.write_text(
        f"tickTime=2000\ndataDir={folder / 'zookeeper'}\nclientPort={port}\nclientPortAddress=127.0.0.1\n"
        "maxClientCnxns=0\nadmin.enableServer=false\n"
    )
    command = ["java", "-Xmx1000m", "-cp", ZOOKEEPER_CLASSES, "-Dzookeeper.root.logger=WARN,CONSOLE"]
    command += ["org.apache.zookeeper.server.quorum.QuorumPeerMain", str(config)]
    with _process(command, core, folder / "zookeeper.log") as process:
        _wait_for(port, b"srvr")
        yield Server(ZOOKEEPER, port, [process.pid])


def _wait_for(port: int, question: bytes = b"", within_s: float = 60.0) -> None:
    """Until something listens and, when asked, says that it serves (ZooKeeper listens before it does)."""
    deadline = time.monotonic() + within_s
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.sendall(question)
            if not question or b"Mode:" in connection.recv(1 << 12):
                return
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing serves on port {port} after {within_s} s")
        time.sleep(0.1)
