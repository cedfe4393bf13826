"""One registry a data folder. The lock is the kernel's and dies with the process, so no stale file ever blocks."""

import fcntl
import os
from pathlib import Path

from registry.settings import StartRefused


class FolderLock:
    """Held from construction to `release`. Raises StartRefused naming the process that holds it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "registry.lock"
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._file)
            raise StartRefused(
                f"the data folder {folder} is in use by the registry with pid {holder}: stop it, or name another folder"
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._file)
