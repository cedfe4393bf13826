"""Whether an answer may be kept by a cache that many share, how long it is fresh, and what may be done with it after
(RFC 9111 §3, §4.2; RFC 5861).

No lifetime is guessed: what gives none has the policy's `default_ttl`, mostly 0. All times in seconds.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway.cache.directives import INVALID, directives_of, read_seconds, seconds_of
from gateway.cache.http_date import read_date
from meshway.http1.fields import find, find_all

# Statuses whose meaning is known here, for who says `must-understand` (RFC 9111 §5.2.2.3).
UNDERSTOOD: Final = frozenset({200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 451, 501})
# By these a service says that many may have the answer to a call with credentials (RFC 9111 §3.5).
_SHARED: Final = (b"public", b"s-maxage", b"must-revalidate")
AUTHORIZATION: Final = "authorization"  # a refusal to keep: of answers to calls with credentials
_NO_STALE: Final = (b"must-revalidate", b"proxy-revalidate", b"s-maxage", b"no-cache")


class Lifetimes(NamedTuple):
    """A rule's. default_s: of answers that tell none. stale_s, error_s: how long after its end one may still be given
    while it is asked for anew, and instead of a failure, where the answer does not say."""

    default_s: float = 0.0
    most_s: float = 86_400.0
    stale_s: float = 0.0
    error_s: float = 0.0


class Freshness(NamedTuple):
    """Of one answer. lifetime_s: from when the service made it. age_s: how old it was when it came.

    revalidates: it must be asked for each time it is used (`no-cache`). is_strict: it is never to be given stale.
    stale_s, error_s: as in Lifetimes.
    """

    lifetime_s: float
    age_s: float
    revalidates: bool
    stale_s: float
    error_s: float
    is_strict: bool = False


def refusal_to_keep(block: bytes, status: int, statuses: frozenset[int], *, has_credentials: bool) -> str:
    """Why an answer to a GET may not be kept; "": it may. has_credentials: the call had an Authorization field."""
    if status not in statuses or status < 200 or status in (206, 304):
        return "status"
    directives = directives_of(block)
    if b"must-understand" in directives:  # then no-store is for those who do not know the status
        if status not in UNDERSTOOD:
            return "must-understand"
    elif b"no-store" in directives:
        return "no-store"
    if b"private" in directives:
        return "private"
    if has_credentials and not any(name in directives for name in _SHARED):
        return AUTHORIZATION
    if find(block, b"set-cookie") is not None:
        return "set-cookie"
    return ""


def freshness_of(block: bytes, lifetimes: Lifetimes, *, asked: float, came: float) -> Freshness:
    """asked, came: when the call went out and its answer's head came, seconds since 1970."""
    directives = directives_of(block)
    date = _date_of(block, came)
    lifetime_s = _lifetime(block, directives, date, lifetimes)
    # RFC 9111 §4.2.3, the greater of what the caches before us say and of what the clocks do.
    told = _first(block, b"age")
    told_s = max(0, read_seconds(told)) if told is not None else 0
    age_s = max(0.0, came - date, told_s + (came - asked))
    is_strict = any(name in directives for name in _NO_STALE)
    if is_strict:
        stale_s = error_s = 0.0
    else:
        stale_s = _own(directives, b"stale-while-revalidate", lifetimes.stale_s)
        error_s = _own(directives, b"stale-if-error", lifetimes.error_s)
    return Freshness(lifetime_s, age_s, b"no-cache" in directives, stale_s, error_s, is_strict)


def _lifetime(block: bytes, directives: Mapping[bytes, bytes], date: float, lifetimes: Lifetimes) -> float:
    for name in (b"s-maxage", b"max-age"):
        seconds = seconds_of(directives, name)
        if seconds is not None:
            return 0.0 if seconds == INVALID else min(float(seconds), lifetimes.most_s)
    expires = find_all(block, b"expires")
    if expires:
        until = read_date(expires[0])  # what is no date has passed (§5.3)
        return 0.0 if until is None else min(max(0.0, until - date), lifetimes.most_s)
    return min(lifetimes.default_s, lifetimes.most_s)


def _date_of(block: bytes, came: float) -> float:
    told = _first(block, b"date")
    date = read_date(told) if told is not None else None
    return came if date is None else date


def _first(block: bytes, name: bytes) -> bytes | None:
    """Of a field that is to stand once; some list what they add up."""
    value = find(block, name)
    return value.partition(b",")[0].strip(b" \t") if value is not None and name == b"age" else value


def _own(directives: Mapping[bytes, bytes], name: bytes, otherwise: float) -> float:
    seconds = seconds_of(directives, name)
    if seconds is None:
        return otherwise
    return 0.0 if seconds == INVALID else min(float(seconds), 86_400.0)
