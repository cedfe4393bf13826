"""One `meshway up` per data folder: its lock, where it runs, and the ready file."""

import fcntl
import os
from pathlib import Path
from typing import IO, Final

import msgspec

from meshway.cli.failure import CONFLICT, CliError
from meshway.cli.ports import flags_of

_OTHER: Final = (
    "--data DIR",
    "--registry-port 0",
    "--edge-port 0",
    "--mesh-port 0",
    "--edge-tls-port 0",
    "--mesh-tls-port 0",
    "--admin-port 0",
    "--dns-port 0",
)


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """The ready file: where everything answers. dns: ADDRESS:PORT. None: dns, or TLS, is off; token, while loopback is
    trusted."""

    registry: str
    edge: str
    mesh: str
    admin: str
    edge_tls: str | None = None
    mesh_tls: str | None = None
    dns: str | None = None
    token: str | None = None
    pids: dict[str, int]


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """What `up` leaves in DIR/run/up.json. ready: None until everything answered once."""

    pid: int
    ready: Ready | None = None


def write_whole(path: Path, value: msgspec.Struct) -> None:
    """By rename: a reader sees the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
    part.replace(path)


class RunFolder:
    """DIR/run of a data folder."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.path = data / "run"
        self._lock: IO[str] | None = None

    @property
    def _state(self) -> Path:
        return self.path / "up.json"

    def take(self) -> None:
        """Locks the folder for this process's life. Raises CliError saying where the other `up` runs."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / "up.lock").open("a+")
        except OSError as error:
            raise CliError(
                CONFLICT,
                f"cannot use the data folder {self.data}: {error.strerror}",
                mend="choose another: --data DIR",
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise self._taken() from None
        self._lock = lock
        self.note(None)

    def note(self, ready: Ready | None) -> None:
        write_whole(self._state, Running(pid=os.getpid(), ready=ready))

    def leave(self) -> None:
        self._state.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()

    def running(self) -> Running | None:
        try:
            return msgspec.json.decode(self._state.read_bytes(), type=Running)
        except (OSError, msgspec.DecodeError):
            return None

    def _taken(self) -> CliError:
        running = self.running()
        if running is None:
            where = ""
        elif running.ready is None:
            where = f" (pid {running.pid}, still starting)"
        else:
            ready = running.ready
            where = f" (pid {running.pid}): registry {ready.registry}, edge {ready.edge}, mesh {ready.mesh}"
        stop = f"stop it: kill {running.pid}; or " if running else ""
        return CliError(
            CONFLICT,
            f"the mesh in {self.data} runs already{where}",
            mend=f"use it; or {stop}start another: {flags_of(_OTHER, 'meshway up')}",
        )
