"""What a supervisor that was killed could not take away: the runtime folder in memory."""

import fcntl
import shutil
from pathlib import Path


def remove_leftovers(folder: Path, lock: Path) -> None:
    """Unless another gateway has taken the data folder, and with it the runtime folder, already.

    lock: held by a supervisor as long as it lives; its successor waits the moment that this takes.
    """
    try:
        with lock.open("a") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        pass  # it is in use, or gone: either way nothing of ours
