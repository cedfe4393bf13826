"""Damages good input until the time is over: no exception but the parser's own, no input that takes long, no growth.

Coverage does not guide it; the corpora do, which hold each shape the parser knows. MESHWAY_FUZZ_S: seconds a target
(1 in `make test`, 600 in `make fuzz`); MESHWAY_FUZZ_SEED draws the same again.
"""

import gc
import os
import random
import time
from collections.abc import Callable, Sequence
from typing import Final

from tests.parts.memory import resident_bytes

SECONDS: Final = float(os.environ.get("MESHWAY_FUZZ_S", "1"))
MOST: Final = 20_000  # bytes of an input
# Of one input's CPU: a parser that is worse than linear shows far above it.
SLOW_S: Final = 0.5
GROWTH: Final = 64 << 20
_BYTES: Final = (0, 1, 9, 10, 13, 32, 34, 37, 44, 45, 46, 47, 48, 58, 59, 61, 92, 95, 123, 125, 127, 128, 192, 240, 255)


class TooSlowError(AssertionError):
    """An input took longer than any may."""


def damaged(good: Sequence[bytes], chance: random.Random) -> bytes:
    """One of them after some edits: bytes changed, cut, put in, repeated, or another's part spliced in."""
    data = bytearray(chance.choice(good))
    for _ in range(chance.choice((0, 1, 1, 2, 3, 8))):
        at = chance.randint(0, len(data))
        end = min(len(data), at + chance.choice((0, 1, 1, 2, 4, 16, 64)))
        edit = chance.randint(0, 4)
        if edit == 0:
            data[at:end] = bytes((chance.choice(_BYTES),))
        elif edit == 1:
            del data[at:end]
        elif edit == 2:
            data[at:at] = bytes(chance.getrandbits(8) for _ in range(chance.randint(1, 4)))
        elif edit == 3:
            data[at:at] = data[at:end] * chance.choice((1, 2, 50, 500))
        else:
            other = chance.choice(good)
            start = chance.randint(0, len(other))
            data[at:end] = other[start : start + chance.choice((1, 4, 16, 64))]
    return bytes(data[:MOST])


def fuzz(name: str, good: Sequence[bytes], parse: Callable[[bytes], object], seconds: float = SECONDS) -> int:
    """How many inputs there were. parse: asserts what must hold; its own errors it takes itself."""
    seed = int(os.environ.get("MESHWAY_FUZZ_SEED", str(random.SystemRandom().randrange(1 << 32))))
    print(f"{name}: MESHWAY_FUZZ_SEED={seed}")
    collecting = _Collecting()
    gc.callbacks.append(collecting.heard)
    try:
        return _fuzzed(name, seed, good, parse, seconds, collecting)
    finally:
        gc.callbacks.remove(collecting.heard)


def _fuzzed(
    name: str,
    seed: int,
    good: Sequence[bytes],
    parse: Callable[[bytes], object],
    seconds: float,
    collecting: "_Collecting",
) -> int:
    chance, count, before = random.Random(seed), 0, 0
    end = time.monotonic() + seconds
    half = time.monotonic() + seconds / 2
    while time.monotonic() < end or not before:  # a machine that stands still must not end it before it was looked at
        data = damaged(good, chance)
        collecting.took_s, began = 0.0, time.process_time()
        try:
            parse(data)
        except Exception as error:
            raise AssertionError(f"{name}, seed {seed}, input {count}: {data[:2000]!r}: {error!r}") from error
        if (took_s := time.process_time() - began - collecting.took_s) > SLOW_S:
            raise TooSlowError(f"{name}, seed {seed}: {data[:2000]!r} took {took_s:.2f} s")
        count += 1
        if not before and time.monotonic() >= half:  # caches are full by then
            gc.collect()
            before = resident_bytes(os.getpid())
    gc.collect()
    assert resident_bytes(os.getpid()) - before < GROWTH, f"{name}, seed {seed}: memory grows"
    return count


class _Collecting:
    """CPU that the collector took: it works on a whole run's objects, which no input answers for. A second look at the
    input would not do in its place: what is remembered of it is fast by then."""

    def __init__(self) -> None:
        self.took_s = 0.0
        self._began = 0.0

    def heard(self, phase: str, _: object) -> None:
        if phase == "start":
            self._began = time.process_time()
        else:
            self.took_s += time.process_time() - self._began
