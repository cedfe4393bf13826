"""A worker's counters: cells of one memory-mapped file, handed out by name, added to by index.

The file names its own cells, so the supervisor reads it while the worker runs and after it was killed. Layout: header
(magic, used bytes of the names), names (u16 length + msgpack `[base, kind, labels]` each, the length of all written
last), cells (doubles). Cells of a call series: CALLS, REQUEST_BYTES, RESPONSE_BYTES, SECONDS, RETRIES, calls whose
caller showed a certificate, then a histogram; of an endpoint series: calls, retries, failures, SECONDS, two that stay
0, then a histogram; of a plain counter or a gauge: one.
"""

import mmap
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec

from meshway.histogram import BUCKETS

MAGIC: Final = b"MWCOUNT1"
HEADER: Final = 64
NAMES_SIZE: Final = 8 << 20
HISTOGRAM: Final = 6  # first histogram cell of a series block
BLOCK: Final = HISTOGRAM + BUCKETS
OTHER: Final = "other"
MOST_SERIES: Final = 20_000  # of a worker, and of a gateway
CONSUMER_CALLS: Final = "meshway_consumer_calls_total"  # which reports tell, too
IN_FLIGHT: Final = "meshway_upstream_requests_in_flight"  # likewise
BEYOND: Final = "meshway_series_beyond_limit_total"

CALL: Final = "call"
ENDPOINT: Final = "endpoint"
PLAIN: Final = "plain"
GAUGE: Final = "gauge"  # a state: it ends with its worker

Labels = tuple[tuple[str, str], ...]
SeriesKey = tuple[str, Labels]

_U64: Final = 8


class Counters:
    """max_series: blocks this worker may open; what comes later is counted under `other`, and how much that is in a
    counter of its own."""

    def __init__(self, path: Path, max_series: int = MOST_SERIES) -> None:
        self.path = path
        size = HEADER + NAMES_SIZE + (max_series + 4) * BLOCK * 8
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.ftruncate(descriptor, size)  # sparse: a page costs memory when it is first counted on
            self._map = mmap.mmap(descriptor, size)
        finally:
            os.close(descriptor)
        self._map[:8] = MAGIC
        self.cells = memoryview(self._map)[HEADER + NAMES_SIZE :].cast("d")
        self._names_used = 0
        self._next_cell = 0
        self._most_cells = max_series * BLOCK
        self._cells_left = max_series * BLOCK
        self._bases: dict[SeriesKey, int] = {}
        self._rules: dict[tuple[str, str, str], int] = {}
        self.rules: list[tuple[str, str, str]] = []  # route, rule and track of each slot

    def hold(self, max_series: int) -> None:
        """From now on so many blocks, but never more than there was room for at the beginning; those that are open go
        on."""
        self._cells_left = min(max_series * BLOCK, self._most_cells) - self._next_cell

    def rule_slot(self, route: str, rule: str, track: str = "") -> int:
        """The number of a rule, the same over table swaps; `RoutePlan.slot`. route: `namespace/name`. track: of one of
        its destinations that is counted apart."""
        named = (route, rule, track)
        slot = self._rules.get(named)
        if slot is None:
            slot = self._rules[named] = len(self.rules)
            self.rules.append(named)
        return slot

    def counter(self, name: str, **labels: str) -> int:
        """The cell of a plain counter, for `add`. name: the metric's, ends in `_total`."""
        return self.series(PLAIN, (("__name__", name), *sorted(labels.items())), 1)

    def add(self, cell: int, amount: float = 1.0) -> None:
        self.cells[cell] += amount

    def gauge(self, name: str, **labels: str) -> int:
        """The cell of a state, for `set`; the host's is the sum over its workers."""
        return self.series(GAUGE, (("__name__", name), *sorted(labels.items())), 1)

    def set(self, cell: int, value: float) -> None:
        self.cells[cell] = value

    def series(self, kind: str, labels: Labels, cells: int = BLOCK) -> int:
        """The first cell of a series, opened on first use."""
        base = self._bases.get((kind, labels))
        if base is None:
            base = self._bases[(kind, labels)] = self._open(kind, labels, cells)
        return base

    def _open(self, kind: str, labels: Labels, cells: int) -> int:
        record = msgspec.msgpack.encode([self._next_cell, kind, labels])
        is_full = cells > self._cells_left or self._names_used + len(record) + 2 > NAMES_SIZE - 4096
        is_other = all(value == OTHER for name, value in labels if name != "__name__")
        if is_full and not is_other:
            self.add(self.counter(BEYOND))
            return self.series(kind, as_other(labels), cells)
        if is_full and self._next_cell + cells > len(self.cells):
            raise MemoryError(f"no cells left for {kind} {labels}")
        base = self._next_cell
        self._next_cell += cells
        self._cells_left -= cells
        at = HEADER + self._names_used
        self._map[at : at + 2 + len(record)] = len(record).to_bytes(2, "big") + record
        self._names_used += 2 + len(record)
        # The length comes last: a reader never sees half a name.
        self._map[8:16] = self._names_used.to_bytes(_U64, "big")
        return base

    def close(self) -> None:
        self.cells.release()
        self._map.close()


class Totals:
    """What all workers of a host have counted, those that are gone included: never goes down.

    max_series: as it is set now; what comes beyond them is added to `other`. before_fold: told of the file of a worker
    that is gone while it is still there.
    """

    def __init__(self, max_series: Callable[[], int] = lambda: MOST_SERIES) -> None:
        self._max_series = max_series
        self._gone: dict[SeriesKey, list[float]] = {}
        self.before_fold: Callable[[Path], None] = lambda _: None

    def fold(self, path: Path) -> None:
        """Keeps what a worker that is gone has counted, and removes its file."""
        self.before_fold(path)
        _merge(self._gone, path, self._max_series())
        self._gone = {key: values for key, values in self._gone.items() if key[0] != GAUGE}
        path.unlink(missing_ok=True)

    def read(self, paths: list[Path]) -> dict[SeriesKey, list[float]]:
        """The sums with the files of the running workers."""
        sums = {key: values.copy() for key, values in self._gone.items()}
        for path in paths:
            _merge(sums, path, self._max_series())
        return sums


def as_other(labels: Labels) -> Labels:
    """Of the series that takes what has no room for one of its own."""
    return tuple((name, value if name == "__name__" else OTHER) for name, value in labels)


def _merge(sums: dict[SeriesKey, list[float]], path: Path, max_series: int) -> None:
    for told, values in read_counters(path).items():
        key = told
        known = sums.get(key)
        if known is None and len(sums) >= max_series:
            key = (told[0], as_other(told[1]))
            known = sums.get(key)
        if known is None:
            sums[key] = values
        else:
            for index, value in enumerate(values):
                known[index] += value


def read_counters(path: Path) -> dict[SeriesKey, list[float]]:
    """The cells of one worker's file by kind and labels. A file that is missing or no counter file holds nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return {}
    try:
        size = os.fstat(descriptor).st_size
        if size < HEADER + NAMES_SIZE:
            return {}
        with mmap.mmap(descriptor, size, prot=mmap.PROT_READ) as mapped:
            return _read_mapped(mapped) if mapped[:8] == MAGIC else {}
    finally:
        os.close(descriptor)


def _read_mapped(mapped: mmap.mmap) -> dict[SeriesKey, list[float]]:
    found: dict[SeriesKey, list[float]] = {}
    with memoryview(mapped) as view, view[HEADER + NAMES_SIZE :] as tail, tail.cast("d") as cells:
        for base, kind, labels, _ in names_in(mapped, HEADER):
            width = 1 if kind in (PLAIN, GAUGE) else BLOCK
            found[(kind, labels)] = [float(cell) for cell in cells[base : base + width]]
    return found


def names_in(mapped: mmap.mmap, at: int) -> Iterator[tuple[int, str, Labels, int]]:
    """The series of a file: first cell, kind, labels, and where the next name begins. at: where to go on, HEADER: at
    the first one."""
    end = HEADER + int.from_bytes(mapped[8:16], "big")
    while at < end:
        length = int.from_bytes(mapped[at : at + 2], "big")
        base, kind, labels = _decode_name(mapped[at + 2 : at + 2 + length])
        at += 2 + length
        yield base, kind, labels, at


_names: Final = msgspec.msgpack.Decoder(tuple[int, str, Labels])


def _decode_name(record: bytes) -> tuple[int, str, Labels]:
    return _names.decode(record)


def label(labels: Labels, name: str) -> Any:
    for key, value in labels:
        if key == name:
            return value
    return ""
