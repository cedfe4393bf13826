"""The recorded calls of a host, on disk: read for rehearsals, and taken away when they are old or too many."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from gateway.telemetry.recorder import Recorded

KEPT_S: Final = 24 * 3600.0
MOST_BYTES: Final = 200 << 20
_HOUR_S: Final = 3600.0


_decode: Final = msgspec.json.Decoder(Recorded).decode


class Recordings:
    """folder: where the workers write."""

    def __init__(self, folder: Path, wall: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._wall = wall

    def latest(self, last_s: float, most: int) -> list[Recorded]:
        """The calls of the last so many seconds, at most so many, the newest ones; in order of time."""
        since = self._wall() - min(last_s, KEPT_S)
        found: list[Recorded] = []
        for path in reversed(self._files()):
            of_hour = [one for one in _read(path) if one.at >= since]
            found = of_hour + found
            if len(found) >= most or not of_hour:
                break
        found.sort(key=lambda one: one.at)
        return found[-most:]

    def prune(self) -> None:
        """In a thread, now and then."""
        files = self._files()
        sizes = {path: _size(path) for path in files}
        oldest = time.strftime("calls-%Y%m%d-%H.jsonl", time.gmtime(self._wall() - KEPT_S - _HOUR_S))
        for path in files:
            if path.name > oldest and sum(sizes.values()) <= MOST_BYTES:
                return
            path.unlink(missing_ok=True)
            del sizes[path]

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("calls-*.jsonl"))


def _read(path: Path) -> Iterator[Recorded]:
    """What a crash left half is passed over."""
    with contextlib.suppress(OSError), path.open("rb") as opened:
        for line in opened:
            with contextlib.suppress(msgspec.DecodeError):
                yield _decode(line)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
