"""What a caller on the mesh says of the time that is left for his call."""

from typing import Final

from gateway.exchange import NEVER

_MAX_DIGITS: Final = 9


def left_s(value: bytes) -> float:
    """Seconds of a caller's meshway-deadline (whole milliseconds); nonsense is no deadline."""
    if not value.isdigit() or len(value) > _MAX_DIGITS:
        return NEVER
    return int(value) / 1000.0
