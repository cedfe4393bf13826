"""One registration for the worker processes of one service on one host.

uvicorn --workers, gunicorn and their like run the same program several times behind one port. Each copy would register
the same instance and supersede its sisters. So the copies agree by file locks: one holds the lease, the others look
once a second whether it still does, and the last one out ends the registration. `flock` is let go by the kernel when a
process dies, whatever killed it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Protocol

if sys.platform != "win32":
    import fcntl


class Share(Protocol):
    """A process's part in a registration."""

    def hold(self) -> bool:
        """True when this process is the one that registers and renews; tries to become it."""

    def read_lease(self) -> str | None:
        """The lease id the last holder left, for the one who takes over."""

    def write_lease(self, lease_id: str | None) -> None: ...

    def leave(self) -> bool:
        """Lets everything go. True when nobody else is left: the caller then ends the registration."""

    def abandon(self) -> None:
        """In a forked child: closes the parent's locks without letting them go."""


class Alone:
    """For systems without `flock` or without a folder to lock in: this process is all there is."""

    def hold(self) -> bool:
        return True

    def read_lease(self) -> str | None:
        return None

    def write_lease(self, lease_id: str | None) -> None:
        pass

    def leave(self) -> bool:
        return True

    def abandon(self) -> None:
        pass


class FileShare:
    """Two lock files. `members`: everyone holds it shared, so who gets it exclusively is alone. `holder`: exclusive,
    and it contains the lease id.
    """

    def __init__(self, folder: Path, key: str) -> None:
        """Joins. Raises OSError when the folder cannot be used."""
        stem = hashlib.sha256(key.encode()).hexdigest()[:24]
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._members = os.open(folder / f"{stem}.members", flags, 0o600)
        self._holder = os.open(folder / f"{stem}.holder", flags, 0o600)
        self._holding = False
        if _lock(self._members, fcntl.LOCK_EX):
            # Nobody else is alive: a lease left by a crash must not be taken up, its instance may be draining.
            os.ftruncate(self._holder, 0)
        fcntl.flock(self._members, fcntl.LOCK_SH)

    def hold(self) -> bool:
        if not self._holding:
            self._holding = _lock(self._holder, fcntl.LOCK_EX)
        return self._holding

    def read_lease(self) -> str | None:
        return os.pread(self._holder, 256, 0).decode("ascii", "replace") or None

    def write_lease(self, lease_id: str | None) -> None:
        os.ftruncate(self._holder, 0)
        os.pwrite(self._holder, (lease_id or "").encode(), 0)

    def leave(self) -> bool:
        """When two leave at once, exactly one is told it is the last: flock gives up the shared lock before it tries
        for the exclusive one, so whoever tries second finds the first one gone.
        """
        last = _lock(self._members, fcntl.LOCK_EX)
        self.abandon()
        return last

    def abandon(self) -> None:
        for descriptor in (self._holder, self._members):
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._holding = False


def join_share(key: str) -> Share:
    """key: what the processes have in common, registry and instance."""
    if sys.platform == "win32":
        return Alone()
    try:
        return FileShare(runtime_folder(), key)
    except OSError:
        return Alone()


def runtime_folder() -> Path:
    """A folder of this user alone. Raises OSError when somebody else's stands in its place."""
    base = os.environ.get("MESHWAY_RUNTIME_DIR") or os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(base) / "meshway" if base else Path(tempfile.gettempdir()) / f"meshway-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to another user")
    return folder


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
