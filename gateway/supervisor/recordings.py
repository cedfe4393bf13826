"""The recorded calls of a host: read for rehearsals, and taken away from the disk when they are old or too many.

What the workers hold in memory goes before what lies on disk: it is all of the last calls, not a sample of them.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from gateway.telemetry.recent import RecentCalls
from gateway.telemetry.recorder import Recorded, file_of

KEPT_S: Final = 24 * 3600.0
MOST_BYTES: Final = 200 << 20
_HOUR_S: Final = 3600.0


_decode: Final = msgspec.json.Decoder(Recorded).decode


class Calls(NamedTuple):
    """In order of time. whole_from_s: every call that began since then is among them; 0.0: of no span is that known."""

    recorded: list[Recorded]
    whole_from_s: float


class Recordings:
    """folder: where the workers write."""

    def __init__(self, folder: Path, wall: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._wall = wall

    def latest(self, last_s: float, most: int, recent: Sequence[RecentCalls] = ()) -> Calls:
        """The calls of the last so many seconds, at most so many, the newest ones.

        recent: of each worker that takes calls; empty: on disk there is all that is known.
        """
        since = self._wall() - min(last_s, KEPT_S)
        whole_from = max((one.whole_from_s for one in recent), default=math.inf)
        found = [
            one for told in recent for one in _decoded(told.lines.splitlines()) if one.at >= max(since, whole_from)
        ]
        oldest = file_of(self._folder, since).name
        for path in reversed(self._files()):
            if path.name < oldest or len(found) >= most:
                break
            found = [one for one in _read(path) if since <= one.at < whole_from] + found
        found.sort(key=lambda one: one.at)
        return Calls(found[-most:], whole_from if recent else 0.0)

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
        yield from _decoded(opened)


def _decoded(lines: Iterable[bytes]) -> Iterator[Recorded]:
    for line in lines:
        with contextlib.suppress(msgspec.DecodeError):
            yield _decode(line)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
