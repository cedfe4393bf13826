"""Dates of HTTP in seconds since 1970 (RFC 9110 §5.6.7): all three forms are read, one is written."""

import calendar
import re
from email.utils import formatdate
from functools import lru_cache
from typing import Final

_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"), 1
    )
}
_TIME: Final = rb"(\d\d):(\d\d):(\d\d)"
_FIXED: Final = re.compile(rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d) ([A-Z][a-z]{2}) (\d{4}) " + _TIME + rb" GMT")
_RFC850: Final = re.compile(
    rb"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (\d\d)-([A-Z][a-z]{2})-(\d\d) " + _TIME + rb" GMT"
)
_ASCTIME: Final = re.compile(rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([A-Z][a-z]{2}) ([ \d]\d) " + _TIME + rb" (\d{4})")


@lru_cache(maxsize=256)
def read_date(value: bytes) -> float | None:
    """None: it is no date."""
    if (match := _FIXED.fullmatch(value)) is not None:
        day, month, year, hour, minute, second = match.groups()
        return _seconds(int(year), month, int(day), hour, minute, second)
    if (match := _RFC850.fullmatch(value)) is not None:
        day, month, short, hour, minute, second = match.groups()
        # Two digits of the year: of those that are meant by them the one that is nearest and not far ahead.
        year_of = int(short) + (2000 if int(short) < 70 else 1900)
        return _seconds(year_of, month, int(day), hour, minute, second)
    if (match := _ASCTIME.fullmatch(value)) is not None:
        month, day, hour, minute, second, year = match.groups()
        return _seconds(int(year), month, int(day), hour, minute, second)
    return None


def write_date(seconds: float) -> bytes:
    return formatdate(int(seconds), usegmt=True).encode()


def _seconds(year: int, month: bytes, day: int, hour: bytes, minute: bytes, second: bytes) -> float | None:
    number = _MONTHS.get(month)
    if number is None or not 1 <= day <= 31 or int(hour) > 23 or int(minute) > 59 or int(second) > 60 or year < 1583:
        return None
    return float(calendar.timegm((year, number, day, int(hour), int(minute), int(second))))
