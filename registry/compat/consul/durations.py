"""Durations as Go writes them: `10s`, `1m30s`, `1.5h`, `250ms`; Consul's JSON also takes nanoseconds as a number."""

from __future__ import annotations

import re
from typing import Final

_PART: Final = re.compile(r"([0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(ns|us|µs|ms|s|m|h)")
_NS: Final = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_NS_PER_S: Final = 10**9
_LONGEST: Final = 100


def parse_go_duration(value: object) -> float:
    """Seconds, not negative. Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value < 2**63:
            raise ValueError(f"{value} is no duration")
        return value / _NS_PER_S
    if not isinstance(value, str) or not value or len(value) > _LONGEST:
        raise ValueError("it is no duration")
    if value == "0":
        return 0.0
    at, total_ns = 0, 0.0
    while at < len(value):
        part = _PART.match(value, at)
        if part is None:
            raise ValueError(f'"{value}" is no duration: write 10s or 1m30s')
        total_ns += float(part[1]) * _NS[part[2]]
        at = part.end()
    return total_ns / _NS_PER_S
