"""Durations as Go writes them: `10s`, `1m30s`, `1.5h`, `250ms`; Consul's JSON also takes nanoseconds as a number."""

from __future__ import annotations

import re
from typing import Final

_PART: Final = re.compile(r"([0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(ns|us|µs|ms|s|m|h)")
_UNIT_S: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_LONGEST: Final = 100


def parse_go_duration(value: object) -> float:
    """Seconds, not negative. Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value < 2**63:
            raise ValueError(f"{value} is no duration")
        return value * 1e-9
    if not isinstance(value, str) or not value or len(value) > _LONGEST:
        raise ValueError("it is no duration")
    if value == "0":
        return 0.0
    at, total_s = 0, 0.0
    while at < len(value):
        part = _PART.match(value, at)
        if part is None:
            raise ValueError(f'"{value}" is no duration: write 10s or 1m30s')
        total_s += float(part[1]) * _UNIT_S[part[2]]
        at = part.end()
    return total_s
