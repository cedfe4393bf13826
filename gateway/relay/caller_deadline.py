"""What a caller says of the time that is left for his call."""

from typing import Final

from gateway.exchange import NEVER
from meshway.grpc_message import timeout_ms

_MAX_DIGITS: Final = 9


def left_s(value: bytes) -> float:
    """Seconds of a caller's meshway-deadline (whole milliseconds); nonsense is no deadline."""
    if not value.isdigit() or len(value) > _MAX_DIGITS:
        return NEVER
    return int(value) / 1000.0


def grpc_left_s(value: bytes) -> float:
    """Seconds of a caller's grpc-timeout; nonsense is no deadline."""
    left_ms = timeout_ms(value)
    return NEVER if left_ms is None else left_ms / 1000.0
