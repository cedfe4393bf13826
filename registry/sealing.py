"""Secrets at rest: sealed with AES-256-GCM by a data key, which a master key wraps.

The master key is in a file that the operator names (MESHWAY_MASTER_KEY_FILE), or in the data folder. It is made, 0600,
with the first start over a store, and never again: another one would open nothing. The data key lies in the store,
wrapped, so that all registries on a store have the same one, and another master key means that one row is wrapped anew,
not that every secret is sealed again.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

from meshway.sealing import KEY_BYTES, KeyFileRefused, SealBroken, Sealing, make_key_file, read_key_file
from registry.settings import StartRefused

MASTER_KEY_FILE: Final = "master.key"
_DATA_KEY: Final = "meshway data key"


def new_data_key(master_key: bytes) -> bytes:
    """One that was drawn, wrapped: as the store keeps it."""
    return Sealing(master_key).seal(secrets.token_bytes(KEY_BYTES), _DATA_KEY)


def sealing_of(wrapped: bytes, master_key: bytes) -> Sealing:
    """Raises StartRefused where another master key wrapped it."""
    try:
        return Sealing(Sealing(master_key).unseal(wrapped, _DATA_KEY))
    except SealBroken:
        raise StartRefused(
            "the master key is not the one that this store's secrets are sealed by: "
            f"give back the former one (MESHWAY_MASTER_KEY_FILE, or {MASTER_KEY_FILE} in the data folder)"
        ) from None


def rewrapped(wrapped: bytes, former: bytes, master_key: bytes) -> bytes:
    """The same data key under another master key. Raises StartRefused where the former one did not wrap it."""
    try:
        data_key = Sealing(former).unseal(wrapped, _DATA_KEY)
    except SealBroken:
        raise StartRefused("the master key is not the one that this store's secrets are sealed by") from None
    return Sealing(master_key).seal(data_key, _DATA_KEY)


def read_master_key(path: Path | None, data_dir: Path, *, is_first: bool) -> bytes:
    """Of the file that is named, else of the data folder's own. is_first: the store has no data key yet, so that the
    file may be made where there is none. Raises StartRefused."""
    file = path or data_dir / MASTER_KEY_FILE
    try:
        if is_first:
            if path is None:
                data_dir.mkdir(parents=True, exist_ok=True)
            make_key_file(file)
        return read_key_file(file)
    except OSError as error:
        raise StartRefused(f"cannot write the master key {file}: {error.strerror}") from error
    except KeyFileRefused as refused:
        raise StartRefused(f"no master key: {refused}") from refused
