"""A certificate that is kept beside a program that blocks: the same keeper, in a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from meshway.client.async_mesh import AsyncMesh

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from meshway.client.certificate import CertificateKeeper
    from meshway.client.credential import Credential
    from meshway.client.settings import MeshSettings

_END_S: Final = 5.0


class KeptCertificate:
    """What the program may ask while it is kept, from any thread. A forked child has no such thread: it begins anew."""

    def __init__(self, keeper: CertificateKeeper, loop: asyncio.AbstractEventLoop) -> None:
        self._keeper, self._loop = keeper, loop

    def first(self, timeout_s: float | None = None) -> Credential:
        """The certificate there is, or the first that comes. Raises TimeoutError; None: for as long as it takes."""
        waiting = asyncio.run_coroutine_threadsafe(self._keeper.first(), self._loop)
        try:
            return waiting.result(timeout_s)
        finally:
            waiting.cancel()

    @property
    def credential(self) -> Credential | None:
        """The one that is kept now, None: there is none yet, or none any more."""
        return self._keeper.credential

    @property
    def problem(self) -> str:
        """Why it is not got or renewed now, for people; "" = nothing is wrong."""
        return self._keeper.problem


@contextmanager
def kept_certificate(
    settings: MeshSettings, folder: Path | str, token_file: Path | str | None, *, keeps_token: bool
) -> Iterator[KeptCertificate]:
    """As AsyncMesh.certificate, as long as the block runs."""
    begun = threading.Event()
    kept: list[KeptCertificate] = []
    faults: list[BaseException] = []
    end: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def keep() -> None:
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        async with AsyncMesh(settings).certificate(folder, token_file=token_file, keeps_token=keeps_token) as keeper:
            kept.append(KeptCertificate(keeper, loop))
            end.append((loop, ended))
            begun.set()
            await ended.wait()

    def run() -> None:
        try:
            asyncio.run(keep())
        except BaseException as fault:  # told to whoever began it
            faults.append(fault)
        finally:
            begun.set()

    thread = threading.Thread(target=run, name="meshway certificate", daemon=True)
    thread.start()
    begun.wait()
    if not kept:
        raise faults[0]
    try:
        yield kept[0]
    finally:
        loop, ended = end[0]
        if thread.is_alive():
            loop.call_soon_threadsafe(ended.set)
        thread.join(_END_S)
