"""Many status codes in few words."""

from collections.abc import Iterable
from itertools import groupby
from typing import Final

_LEAST_RUN: Final = 3  # below that a run is shorter as it is


def folded(statuses: Iterable[int]) -> str:
    """`404, 429, 5xx`, `502-504`, `none`: whole classes and runs, in order."""
    ordered = sorted(set(statuses))
    parts: list[str] = []
    for hundred, group in groupby(ordered, key=lambda status: status // 100):
        codes = list(group)
        if len(codes) == 100:
            parts.append(f"{hundred}xx")
            continue
        for _, numbered in groupby(enumerate(codes), key=lambda pair: pair[1] - pair[0]):
            run = [code for _, code in numbered]
            parts += [f"{run[0]}-{run[-1]}"] if len(run) >= _LEAST_RUN else map(str, run)
    return ", ".join(parts) or "none"
