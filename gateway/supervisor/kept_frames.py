"""What a gateway must know after its restart beside the snapshot, with no registry and no issuer alive: contents of
Secrets and fetched key sets, in one file that a key in the data folder seals."""

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from gateway.channel import KeySetFrame
from meshway.sealing import KeyFileRefused, SealBroken, Sealing, make_key_file, read_key_file
from meshway.snapshot import SecretFrame

KEY_FILE: Final = "seal.key"
FILE: Final = "sealed"
SOON_S: Final = 0.2  # one write for what comes together
RETRY_S: Final = 10.0
_WHOSE: Final = "gateway"
_log = logging.getLogger("meshway.gateway.kept")

KeptFrame = SecretFrame | KeySetFrame
_encode: Final = msgspec.msgpack.Encoder().encode
_decoder: Final = msgspec.msgpack.Decoder(list[KeptFrame])


class KeptFrames:
    """folder: the gateway's, made when absent. frames: what is to be kept, asked for when it is written."""

    def __init__(self, folder: Path, frames: Callable[[], Sequence[KeptFrame]]) -> None:
        self._folder, self._frames = folder, frames
        self._changed = asyncio.Event()

    def load(self) -> list[KeptFrame]:
        """What cannot be read counts as not there: what needs it refuses until the registry has told it again."""
        file = self._folder / FILE
        try:
            sealed = file.read_bytes()
            return _decoder.decode(self._sealing().unseal(sealed, _WHOSE))
        except FileNotFoundError:
            return []
        except (OSError, SealBroken, KeyFileRefused, msgspec.DecodeError) as error:
            _log.error("%s cannot be read: %s", file, error)
            return []

    def changed(self) -> None:
        self._changed.set()

    async def run(self) -> None:
        while True:
            await self._changed.wait()
            await asyncio.sleep(SOON_S)
            if not await self.sync():
                await asyncio.sleep(RETRY_S)

    async def sync(self) -> bool:
        """Writes what changed. False: the disk refused, and is to be tried again."""
        if not self._changed.is_set():
            return True
        self._changed.clear()
        plain = _encode(self._frames())
        try:
            await asyncio.to_thread(self._write, plain)
        except (OSError, KeyFileRefused) as error:
            _log.warning("cannot keep secrets and keys in %s: %s", self._folder, error)
            self._changed.set()
            return False
        return True

    def _write(self, plain: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        fresh = self._folder / f"{FILE}.new"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(self._sealing().seal(plain, _WHOSE))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._folder / FILE)

    def _sealing(self) -> Sealing:
        self._folder.mkdir(parents=True, exist_ok=True)
        make_key_file(self._folder / KEY_FILE)
        return Sealing(read_key_file(self._folder / KEY_FILE))
