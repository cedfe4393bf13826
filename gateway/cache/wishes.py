"""What a caller's request says of answers from a cache (RFC 9111 §5.2.1), which counts where a rule lets it."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway.cache.directives import INVALID, directives_of, seconds_of
from meshway.http1.fields import find

NEVER: Final = float("inf")


class Wishes(NamedTuple):
    """most_age_s, least_left_s, most_stale_s: of what may be given. asks_anew: `no-cache`. only_stored: nobody is to be
    asked."""

    most_age_s: float = NEVER
    least_left_s: float = 0.0
    most_stale_s: float = 0.0
    asks_anew: bool = False
    only_stored: bool = False


NONE: Final = Wishes()


def wishes_of(block: bytes) -> Wishes:
    directives = directives_of(block)
    if not directives:
        # RFC 9111 §5.4: as old callers say it, who say nothing in the new way.
        pragma = find(block, b"pragma")
        return Wishes(asks_anew=True) if pragma is not None and pragma.lower() == b"no-cache" else NONE
    return Wishes(
        most_age_s=_seconds(directives, b"max-age", NEVER),
        least_left_s=_seconds(directives, b"min-fresh", 0.0),
        most_stale_s=_stale(directives),
        asks_anew=b"no-cache" in directives,
        only_stored=b"only-if-cached" in directives,
    )


def forbids_keeping(block: bytes) -> bool:
    """`no-store` of a request is obeyed by whoever says it (RFC 9111 §5.2.1.5): it costs nobody but him."""
    return b"no-store" in directives_of(block)


def _seconds(directives: Mapping[bytes, bytes], name: bytes, otherwise: float) -> float:
    seconds = seconds_of(directives, name)
    if seconds is None:
        return otherwise
    return 0.0 if seconds == INVALID and name == b"max-age" else otherwise if seconds == INVALID else float(seconds)


def _stale(directives: Mapping[bytes, bytes]) -> float:
    value = directives.get(b"max-stale")
    if value is None:
        return 0.0
    return NEVER if not value else _seconds(directives, b"max-stale", 0.0)
