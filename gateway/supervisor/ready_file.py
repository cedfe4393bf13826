"""Tells whoever started the gateway where it answers."""

import os
from pathlib import Path

import msgspec

from gateway.settings import Addresses


def write_ready_file(path: Path, addresses: Addresses) -> None:
    """Whole or not at all: a reader never sees a part. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.write_bytes(msgspec.json.encode(addresses))
    fresh.replace(path)
