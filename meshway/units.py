"""Durations, sizes and rates as people write them; seconds, bytes and events per second as the code holds them."""

import re
from decimal import Decimal
from typing import Final

# Sixteen digits are as many as a float can tell apart; more are a slip, and would overflow somewhere behind.
_WHOLE: Final = r"[0-9]{1,16}"
_DECIMAL: Final = _WHOLE + r"(?:\.[0-9]{1,40})?"
_DURATION: Final = re.compile(rf"(?:({_WHOLE})h)?(?:({_WHOLE})m(?!s))?(?:({_DECIMAL})s)?(?:({_DECIMAL})ms)?\Z")
_SIZE: Final = re.compile(rf"({_WHOLE})(B|KiB|MiB|GiB)?\Z")
_RATE: Final = re.compile(rf"({_DECIMAL})/(s|m|h)\Z")
_SIZE_FACTOR: Final = {None: 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_RATE_SPAN_S: Final = {"s": 1.0, "m": 60.0, "h": 3600.0}


class Duration(float):
    """Seconds. Written `250ms`, `5s`, `1m30s`, `2h`."""

    __slots__ = ()

    def __str__(self) -> str:
        return format_duration(self)


class Size(int):
    """Bytes. Written as a number or `64KiB`, `10MiB`."""

    __slots__ = ()

    def __str__(self) -> str:
        return format_size(self)


class Rate(float):
    """Events per second. Written `100/s`, `1000/m`, `10/h`."""

    __slots__ = ()

    def __str__(self) -> str:
        return format_rate(self)


def parse_duration(text: object) -> Duration:
    """Raises ValueError with the mend: a bare number has no unit, and guessing one would be wrong half the time."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        raise ValueError(f"{text} has no unit: write {text:g}s or {text:g}ms")
    if not isinstance(text, str) or not text or not (match := _DURATION.match(text)):
        raise ValueError(f"{text!r} is not a duration: write 250ms, 5s, 1m30s or 2h")
    hours, minutes, seconds, millis = match.groups()
    return Duration(int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds or 0) + float(millis or 0) / 1000.0)


def format_duration(seconds: float) -> str:
    """The shortest form that parses back to the very same value."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    parts = [f"{hours}h" if hours else "", f"{minutes}m" if minutes else "", f"{left}s" if left else ""]
    for text in ("".join(parts) or "0s", f"{_plain(round(seconds * 1000.0, 6))}ms"):
        if _DURATION.match(text) and parse_duration(text) == seconds:
            return text
    return f"{_plain(seconds)}s"


def parse_size(text: object) -> Size:
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return Size(text)
    if not isinstance(text, str) or not (match := _SIZE.match(text)):
        raise ValueError(f"{text!r} is not a size: write bytes, 64KiB or 10MiB")
    return Size(int(match[1]) * _SIZE_FACTOR[match[2]])


def format_size(size: int) -> str:
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % _SIZE_FACTOR[unit] == 0:
            return f"{size // _SIZE_FACTOR[unit]}{unit}"
    return str(int(size))


def parse_rate(text: object) -> Rate:
    if not isinstance(text, str) or not (match := _RATE.match(text)):
        raise ValueError(f"{text!r} is not a rate: write 100/s, 1000/m or 10/h")
    return Rate(float(match[1]) / _RATE_SPAN_S[match[2]])


def format_rate(per_second: float) -> str:
    """The shortest form that parses back to the very same value; whole events where a span has them."""
    for digits in (0, 9):
        for unit, span_s in _RATE_SPAN_S.items():
            text = f"{_plain(round(per_second * span_s, digits))}/{unit}"
            if parse_rate(text) == per_second:
                return text
    return f"{_plain(per_second)}/s"


def _plain(number: float) -> str:
    """Without an exponent, which nobody writes and no reader here takes."""
    text = repr(number)
    return f"{Decimal(text):f}" if "e" in text else text.removesuffix(".0")
