"""An embedded store as the first start of a registry leaves it, made once a process: each would migrate for itself."""

import tempfile
from functools import cache
from pathlib import Path

from registry.store.migrate import prepare
from registry.store.session import FILE_NAME


def put_fresh_store(folder: Path) -> None:
    """Into the folder of a registry that never ran; one that did keeps what it has."""
    if (folder / FILE_NAME).exists():
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / FILE_NAME).write_bytes(_fresh())


@cache
def _fresh() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        return (Path(folder) / FILE_NAME).read_bytes()
