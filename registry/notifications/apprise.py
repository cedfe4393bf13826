"""Sends through Apprise, in a process of its own that ends with the message.

Apprise opens its connections itself, and some of its URLs name files or programs. A process of its own can be ended
when it takes too long, which a thread cannot, and refuses by itself what it may not do (apprise_process.py).
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Final

import msgspec

from registry.notifications import apprise_process

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT_S: Final = 30.0
_MOST_SAID: Final = 64 << 10
# Nothing of the registry's own environment is passed on: it may hold what opens the registry.
_PASSED_ON: Final = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "PYTHONPATH", "LD_LIBRARY_PATH")


class _Result(msgspec.Struct, frozen=True):
    ok: bool
    why: str


async def send_by_apprise(
    url: str,
    title: str,
    body: str,
    *,
    allow_loopback: bool,
    closed: Sequence[tuple[str, int]] = (),
    timeout_s: float = TIMEOUT_S,
) -> tuple[bool, str]:
    """Whether it was taken, and what is told of it, without anything of the URL. closed: addresses and ports that are
    not connected to, whatever the URL says."""
    asked = {"url": url, "title": title, "body": body, "allow_loopback": allow_loopback, "closed": closed}
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | {"HOME": "/nonexistent"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        apprise_process.__name__,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # what a library prints may quote the URL
        env=environment,
    )
    try:
        async with asyncio.timeout(timeout_s):
            said, _ = await process.communicate(msgspec.json.encode(asked))
    except TimeoutError:
        return False, f"Apprise has not sent it within {timeout_s:g} s"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        result = msgspec.json.decode(said[:_MOST_SAID], type=_Result)
    except msgspec.DecodeError:
        return False, f"Apprise ended with code {process.returncode} and no word"
    return result.ok, result.why
