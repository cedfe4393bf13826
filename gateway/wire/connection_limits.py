"""What a connection of a caller may take: seconds, bytes and counts, by listener. Dataclasses, so not compiled."""

from dataclasses import dataclass, field
from typing import Final

from gateway.settings import WorkerSettings
from meshway.http1.head import HeadLimits


@dataclass(slots=True, frozen=True)
class ConnectionLimits:
    """Seconds, bytes, counts. body_rate: least bytes per second of a request body after body_grace_s, 0 = any.

    idle_s: kept alive without a request. head_s: from the first byte of a head to its last. write_stall_s: without a
    byte taken by the caller. high_water: bytes received ahead of their turn, at which no more are read.
    discard: how much of a refused request's body is read and dropped to keep the connection. linger_s: how long a
    closed connection still reads, so that the answer is not lost by a reset. per_address: connections of one peer that
    is no trusted proxy, 0 = any number. connections: of the listener in a worker, 0 = as many as the worker takes.
    """

    head: HeadLimits = field(default_factory=HeadLimits)
    idle_s: float = 60.0
    head_s: float = 10.0
    body_rate: int = 0
    body_grace_s: float = 10.0
    write_stall_s: float = 30.0
    linger_s: float = 2.0
    high_water: int = 64 * 1024
    discard: int = 64 * 1024
    connections: int = 0
    per_address: int = 0


@dataclass(slots=True, frozen=True)
class StreamLimits:
    """Of connections that speak HTTP/2 or HTTP/3. streams: requests at once. stream_window, connection_window: bytes of
    bodies that may come before the service took those before. max_age_s, requests: after which a connection takes no
    more."""

    streams: int = 128
    stream_window: int = 256 * 1024
    connection_window: int = 1024 * 1024
    max_age_s: float = 3_600.0
    requests: int = 100_000


def limits_of(settings: WorkerSettings, *, body_rate: int = 0, per_address: int = 0) -> ConnectionLimits:
    return ConnectionLimits(
        head=HeadLimits(settings.max_head, settings.max_fields, settings.max_target),
        head_s=settings.head_timeout_s,
        idle_s=settings.idle_timeout_s,
        write_stall_s=settings.write_idle_s,
        body_rate=body_rate,
        per_address=per_address,
    )


EDGE_LIMITS: Final = ConnectionLimits(body_rate=100, per_address=1_000)
