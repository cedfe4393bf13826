"""A Unix socket below a folder whose own path is longer than a socket's name may be (sun_path: 107 bytes)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_MOST: Final = 100  # bytes, on every system that has them


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """A name to bind or connect by, as long as it is held. Long ones lead through an open folder, on Linux."""
    if len(os.fsencode(path)) <= _MOST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
