"""The folders of a gateway: its data folder, held by one process, and its runtime folder in memory."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

from gateway.supervisor.offer import SOCKET
from meshway.problem import Problem

# The last worker of a gateway that was killed holds the lock while it tidies up.
HELD_WAIT_S: Final = 0.5
LOCK: Final = "gateway.lock"  # in `run`
TAKE_OVER: Final = "replace it while it serves: --take-over"
_SHM: Final = Path("/dev/shm")  # noqa: S108 - the folder made in it is ours alone (mode and owner are checked)


@contextlib.contextmanager
def held_folder(data: Path, lock: int | None = None) -> Iterator[tuple[Path, int]]:
    """Holds the data folder while it lasts and gives the runtime folder, empty, and the lock's descriptor.

    lock: of the gateway whose place is taken: it is held together, signed by whoever has the place (`sign`), and each
    has its own runtime folder.
    Raises Problem when another gateway holds it, or when it cannot be written.
    """
    if lock is not None:
        with os.fdopen(lock, "a+"), _runtime(data, data / "run", of_one=True) as runtime:
            yield runtime, lock
        return
    run = data / "run"
    try:
        for folder in (run, data / "log", data / "gateway" / "last_good"):
            folder.mkdir(parents=True, exist_ok=True)
        opened = (run / LOCK).open("a+")
    except OSError as error:
        raise Problem(
            400,
            "data_folder",
            f"cannot write the data folder {data}: {error.strerror}",
            mend="pass --data DIR with a folder of your own",
        ) from error
    with opened:
        _lock(opened, data)
        sign(opened.fileno())
        with _runtime(data, run, of_one=False) as runtime:
            yield runtime, opened.fileno()


def can_be_taken_over(data: Path) -> bool:
    """A gateway holds the folder, and hands it over to whoever asks; it is not asked."""
    try:
        with (data / "run" / LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return (data / "run" / SOCKET).exists()
    except OSError:
        return False
    return False


def sign(lock: int) -> None:
    """Says who holds it. lock: descriptor of a file that is appended to."""
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())


def _lock(lock: TextIO, data: Path) -> None:
    give_up = time.monotonic() + HELD_WAIT_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if time.monotonic() < give_up:
                time.sleep(0.05)
                continue
            lock.seek(0)
            mend = "stop it, or pass --data with another folder"
            raise Problem(
                409,
                "data_folder_held",
                f"{data} is used by another gateway (pid {lock.read().strip() or 'unknown'})",
                mend=f"{TAKE_OVER}; or {mend}" if can_be_taken_over(data) else mend,
            ) from error
        return


@contextlib.contextmanager
def _runtime(data: Path, run: Path, *, of_one: bool) -> Iterator[Path]:
    """In tmpfs where there is one: counters are written for each call and shall never wait for a disk. of_one: another
    gateway has one of its own beside it."""
    folder = run / "tables"
    if os.access(_SHM, os.W_OK):
        name = hashlib.blake2b(str(data.resolve()).encode(), digest_size=8).hexdigest()
        folder = _SHM / f"meshway-{os.getuid()}-{name}"
    if of_one:
        folder = folder.with_name(f"{folder.name}-{os.getpid()}")
    else:
        # What killed ones left behind; their workers, if some still drain, keep their mapped files.
        for left in (folder, *folder.parent.glob(f"{folder.name}-*")):
            shutil.rmtree(left, ignore_errors=True)
    folder.mkdir(mode=0o700)
    if folder.stat().st_uid != os.getuid():
        raise Problem(400, "data_folder", f"{folder} belongs to somebody else", mend="remove it")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
