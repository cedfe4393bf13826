"""Where a call went, read from the access log of a gateway that `meshway up` runs on this machine."""

import os
import time
from pathlib import Path
from typing import Any, Final

import msgspec

from meshway.cli.running import RunFolder

_TAIL: Final = 256 << 10
_WITHIN_S: Final = 0.4  # the gateway writes its log every 50 ms
_POLL_S: Final = 0.02


def where_it_went(data: Path, gateway: str, request_id: str) -> str | None:
    """`route default/hello rule all → instance hello-1, attempt 2 of 2`; None where this machine does not know.

    gateway: the mesh listener that was called; only the log of the mesh it belongs to is asked.
    """
    running = RunFolder(data).running()
    if not request_id or running is None or running.ready is None or running.ready.mesh != gateway:
        return None
    log = data / "log" / "access.jsonl"
    until = time.monotonic() + _WITHIN_S
    while log.exists():
        if (line := _line_of(log, request_id)) is not None:
            return _told(line)
        if time.monotonic() > until:
            break
        time.sleep(_POLL_S)
    return None


def _line_of(log: Path, request_id: str) -> dict[str, Any] | None:
    with log.open("rb") as opened:
        opened.seek(max(0, os.fstat(opened.fileno()).st_size - _TAIL))
        lines = opened.read().splitlines()
    wanted = request_id.encode()
    for line in reversed(lines):
        if wanted in line:
            try:
                found = msgspec.json.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue  # its end is still being written
            if isinstance(found, dict) and found.get("request_id") == request_id:
                return found
    return None


def _told(line: dict[str, Any]) -> str | None:
    if not line.get("route"):
        return None
    went = f"route {line['route']} rule {line['rule']}"
    if line.get("instance"):
        went += f" → instance {line['instance']}"
    attempts = line.get("attempts", 1)
    return went if attempts < 2 else f"{went}, {attempts} attempts"
