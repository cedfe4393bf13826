"""What the workers of a host counted since one last looked, as rows of a report.

Read from the workers' own files: of a series that counted nothing one cell is looked at, of another only the octaves of
its histogram that changed, so that a look costs what was counted and not what could be.
"""

import asyncio
import mmap
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.telemetry.call_plan import has_failed
from gateway.telemetry.counters import (
    CALL,
    CONSUMER_CALLS,
    ENDPOINT,
    GAUGE,
    HEADER,
    HISTOGRAM,
    IN_FLIGHT,
    MAGIC,
    NAMES_SIZE,
    PLAIN,
    Labels,
    names_in,
)
from meshway.histogram import BUCKETS, STEPS
from meshway.telemetry import CONSUMERS, EDGES, INSTANCES, ROUTES, TRACKS, Key, Row, Rows, add_row

_OCTAVES: Final = BUCKETS // STEPS
_OCTAVE_BYTES: Final = STEPS * 8
_STRIDE: Final = 200  # series between two turns of the loop
_NOTHING: Final = bytes(_OCTAVE_BYTES)


class Sections:
    """Rows by section."""

    __slots__ = ("consumers", "edges", "instances", "routes", "tracks")

    def __init__(self) -> None:
        self.edges: Rows = {}
        self.routes: Rows = {}
        self.instances: Rows = {}
        self.consumers: Rows = {}
        self.tracks: Rows = {}

    def __bool__(self) -> bool:
        return bool(self.edges or self.routes or self.instances or self.consumers)

    def add(self, other: "Sections") -> None:
        for section, rows in other.named().items():
            for row in rows.values():
                add_row(self.named()[section], row)

    def named(self) -> dict[str, Rows]:
        return {
            EDGES: self.edges,
            ROUTES: self.routes,
            INSTANCES: self.instances,
            CONSUMERS: self.consumers,
            TRACKS: self.tracks,
        }


class Differences:
    """`take` is asked at every report; `leave` is told of a worker's file before that is removed."""

    def __init__(self) -> None:
        self._files: dict[Path, _File] = {}
        self._left = Sections()

    async def take(self, paths: Iterable[Path]) -> Sections:
        """Lets others have the loop now and then: of 36,000 series that all moved it takes 0.4 s."""
        taken, self._left = self._left, Sections()
        try:
            for path in paths:
                if (file := self._file(path)) is not None:
                    await self._take(path, file, taken)
        except asyncio.CancelledError:
            # What was taken is told by who takes next.
            taken.add(self._left)
            self._left = taken
            raise
        return taken

    async def _take(self, path: Path, file: "_File", into: Sections) -> None:
        for _ in file.take(into, all_of_it=False):
            await asyncio.sleep(0)
            if self._files.get(path) is not file:
                return  # its worker went meanwhile, and `leave` has told the rest

    def in_flight(self) -> dict[str, int]:
        """Attempts under way, by service, of those that have some; by workers that have counted before."""
        found: dict[str, int] = {}
        for file in self._files.values():
            counts = file.in_flight()
            for cluster, count in counts.items():
                whole, is_part, _ = cluster.partition("#")
                # An instance of a subset is one of the whole service's, too.
                if count and not (is_part and whole in counts):
                    service = whole.partition(":")[0]
                    found[service] = found.get(service, 0) + count
        return found

    def leave(self, path: Path) -> None:
        """Its worker is gone: what it counted last goes into the next report."""
        if (file := self._file(path)) is not None:
            for _ in file.take(self._left, all_of_it=True):
                pass
            file.close()
            del self._files[path]

    def _file(self, path: Path) -> "_File | None":
        """None: the worker has not made it yet."""
        file = self._files.get(path)
        if file is None:
            with suppress(FileNotFoundError, ValueError):
                file = self._files[path] = _File(path)
        return file


class _Series:
    """seen: cells before the histogram as last taken. octaves: of the histogram, those that hold something. is_fresh:
    it changed at the last look, and may have been in the midst of being written."""

    __slots__ = ("base", "is_fresh", "key", "kind", "octaves", "seen", "status", "track")

    def __init__(self, base: int, kind: str, labels: Labels) -> None:
        named = dict(labels)
        self.base = base
        self.kind = kind
        self.track = named.get("track", "")
        self.key, self.status = _key_of(kind, named), named.get("status_class", "")
        self.seen: tuple[float, ...] = (0.0,) * HISTOGRAM
        self.octaves: dict[int, bytes] = {}
        self.is_fresh = False


class _Single:
    """A counter of one cell that a report tells: calls of a Consumer by one outcome."""

    __slots__ = ("base", "key", "seen")

    def __init__(self, base: int, labels: dict[str, str]) -> None:
        self.base = base
        self.key = (labels["consumer"], labels["credential"], labels["status_class"], labels["response_flag"])
        self.seen = 0.0


class _File:
    """Raises FileNotFoundError, ValueError: it is not there yet, or not whole."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            size = os.fstat(descriptor).st_size
            if size < HEADER + NAMES_SIZE:
                raise ValueError(f"{path} is not whole")
            self._map = mmap.mmap(descriptor, size, prot=mmap.PROT_READ)
        finally:
            os.close(descriptor)
        if self._map[:8] != MAGIC:
            self._map.close()
            raise ValueError(f"{path} holds no counters yet")
        self._bytes = memoryview(self._map)[HEADER + NAMES_SIZE :]
        self._cells = self._bytes.cast("d")
        self._at = HEADER
        self._series: list[_Series] = []
        self._singles: list[_Single] = []
        self._in_flight: dict[str, int] = {}

    def close(self) -> None:
        self._cells.release()
        self._bytes.release()
        self._map.close()

    def in_flight(self) -> dict[str, int]:
        """By cluster, as the worker wrote it last."""
        return {cluster: int(self._cells[base]) for cluster, base in self._in_flight.items()}

    def take(self, into: Sections, *, all_of_it: bool) -> Iterator[None]:
        """Stops for a moment every now and then; each series is told whole."""
        for base, kind, labels, after in names_in(self._map, self._at):
            self._at = after
            if kind in (CALL, ENDPOINT):
                self._series.append(_Series(base, kind, labels))
            elif kind == PLAIN and ("__name__", CONSUMER_CALLS) in labels:
                self._singles.append(_Single(base, dict(labels)))
            elif kind == GAUGE and ("__name__", IN_FLIGHT) in labels:
                self._in_flight[dict(labels)["service"]] = base
        cells = self._cells
        for number, series in enumerate(self._series):
            if number % _STRIDE == _STRIDE - 1:
                yield
            if all_of_it or series.is_fresh or cells[series.base] != series.seen[0]:
                self._take(series, into)
        for number, single in enumerate(self._singles):
            if number % _STRIDE == _STRIDE - 1:
                yield
            if (now := cells[single.base]) != single.seen:
                calls, single.seen = int(now - single.seen), now
                failed, rejected = _fates(single.key[2], single.key[3], calls)
                add_row(into.consumers, Row(single.key, calls, failed, rejected))

    def _take(self, series: _Series, into: Sections) -> None:
        cells, base = self._cells, series.base
        now = tuple(cells[base : base + HISTOGRAM])
        buckets = self._buckets(series)
        series.is_fresh = bool(buckets) or now != series.seen
        if not series.is_fresh:
            return
        counts = [after - before for after, before in zip(now, series.seen, strict=True)]
        series.seen = now
        if series.kind == ENDPOINT:
            calls, retries, failed, seconds, *_ = counts
            row = Row(series.key, int(calls), int(failed), 0, int(retries), 0, 0, max(seconds, 0.0), buckets)
            add_row(into.instances, row)
            return
        row = _call_row(series, counts, buckets)
        add_row(into.routes, row)
        add_row(into.edges, row.copied(series.key[5:]))
        if series.track:
            add_row(into.tracks, row.copied((*series.key[:2], series.track)))

    def _buckets(self, series: _Series) -> dict[int, int]:
        """What came to the histogram, by bucket."""
        found: dict[int, int] = {}
        first = series.base + HISTOGRAM
        octaves, whole = series.octaves, self._bytes
        for octave in range(_OCTAVES):
            at = (first + octave * STEPS) * 8
            now, before = bytes(whole[at : at + _OCTAVE_BYTES]), octaves.get(octave, _NOTHING)
            if now == before:
                continue
            octaves[octave] = now
            with memoryview(now).cast("d") as after, memoryview(before).cast("d") as known:
                for step in range(STEPS):
                    if count := int(after[step] - known[step]):
                        found[octave * STEPS + step] = count
        return found


def _call_row(series: _Series, counts: Sequence[float], buckets: dict[int, int]) -> Row:
    """counts: what came to the cells before the histogram."""
    calls, bytes_in, bytes_out = (int(count) for count in counts[:3])
    flags = series.key[4].split(",")
    failed, rejected = _fates(series.status, series.key[4], calls)
    return Row(
        series.key[:5],
        calls,
        failed=failed,
        rejected=rejected,
        retries=int(counts[4]),
        bytes_in=bytes_in,
        bytes_out=bytes_out,
        seconds=max(counts[3], 0.0),
        buckets=buckets,
        limited=calls if "RL" in flags else 0,
        shed=calls if "UO" in flags else 0,
        mutual=int(counts[5]),
    )


def _fates(status_class: str, flag: str, calls: int) -> tuple[int, int]:
    """How many of the calls failed, and were rejected. status_class: `2xx`; `none` without an answer."""
    if has_failed(0 if status_class == "none" else 100 * int(status_class[0]), flag):
        return calls, 0
    return 0, (calls if status_class == "4xx" else 0)


def _key_of(kind: str, labels: dict[str, str]) -> Key:
    """Of a call: that of its Route and behind it that of its edge."""
    service = _bare(labels["service"])
    if kind == ENDPOINT:
        return (service, labels["instance"])
    route = (labels["route"], labels["rule"], service, labels["status_class"], labels["response_flag"])
    return (*route, labels["source"], service)


def _bare(cluster: str) -> str:
    """`shop/cart#v2`, `shop/cart:grpc`: a service's subset and port are the service's own."""
    return cluster.partition("#")[0].partition(":")[0]
