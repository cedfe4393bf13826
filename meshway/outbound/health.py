"""Active health checks: one question to one instance, and what a row of answers says. After Envoy's health checking."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from meshway.model.traffic_policy import HealthCheck
from meshway.outbound.connection import Dial, PlainConnection, PlainError, dial
from meshway.units import Duration

T = TypeVar("T")

JITTER: Final = 0.1
MAX_BODY: Final = 64 << 10

# What is not written, everywhere.
HEALTH_CHECK: Final = HealthCheck(
    type="http",
    path="/",
    host="",
    service="",
    expect=("200-299",),
    interval=Duration(10.0),
    timeout=Duration(2.0),
    unhealthy_after=3,
    healthy_after=2,
)


@dataclass(slots=True, frozen=True)
class HealthCheckSettings:
    """expect: ranges of good statuses, inclusive. port None: the instance's own; host "": the instance's address.

    service: what a gRPC server is asked for, "": all of it.
    """

    type: str
    path: str
    port: int | None
    host: str
    service: str
    expect: tuple[tuple[int, int], ...]
    interval_s: float
    timeout_s: float
    unhealthy_after: int
    healthy_after: int


def settings_of(written: HealthCheck) -> HealthCheckSettings:
    ranges = []
    for text in _or(written.expect, HEALTH_CHECK.expect):
        low, _, high = text.partition("-")
        ranges.append((int(low), int(high or low)))
    return HealthCheckSettings(
        type=_or(written.type, HEALTH_CHECK.type),
        path=_or(written.path, HEALTH_CHECK.path),
        port=written.port,
        host=_or(written.host, HEALTH_CHECK.host),
        service=_or(written.service, HEALTH_CHECK.service),
        expect=tuple(ranges),
        interval_s=float(_or(written.interval, HEALTH_CHECK.interval)),
        timeout_s=float(_or(written.timeout, HEALTH_CHECK.timeout)),
        unhealthy_after=_or(written.unhealthy_after, HEALTH_CHECK.unhealthy_after),
        healthy_after=_or(written.healthy_after, HEALTH_CHECK.healthy_after),
    )


def _or(written: T | None, default: T | None) -> T:
    value = default if written is None else written
    assert value is not None, "HEALTH_CHECK misses a field"
    return value


@dataclass(slots=True, frozen=True)
class Check:
    """One instance and how it is asked. generation: of the instance; what an older process answered is forgotten.

    preamble: what is said first on every connection to it. secured: told to who makes it secure, None: it has no TLS.
    """

    address: str
    port: int
    settings: HealthCheckSettings
    generation: int = 1
    preamble: bytes = b""
    secured: object = None


Secure = Callable[[Check, asyncio.StreamWriter], Awaitable[None]]
"""Begins TLS on a connection that is open. Raises PlainError."""


class Verdict:
    """What a row of results says (pure). is_passing: None before the first result, which then decides."""

    __slots__ = ("_failures", "_healthy_after", "_successes", "_unhealthy_after", "is_passing")

    def __init__(self, unhealthy_after: int, healthy_after: int, *, is_passing: bool | None = None) -> None:
        self._unhealthy_after = unhealthy_after
        self._healthy_after = healthy_after
        self._failures = self._successes = 0
        self.is_passing = is_passing

    def take(self, succeeded: bool) -> bool:
        """Returns whether `is_passing` changed."""
        if succeeded:
            self._successes, self._failures = self._successes + 1, 0
        else:
            self._failures, self._successes = self._failures + 1, 0
        before = self.is_passing
        if before is None:
            self.is_passing = succeeded
        elif before and self._failures >= self._unhealthy_after:
            self.is_passing = False
        elif not before and self._successes >= self._healthy_after:
            self.is_passing = True
        return self.is_passing is not before


async def ask(
    check: Check, connection: PlainConnection | None, dial: Dial = dial, secure: Secure | None = None
) -> tuple[PlainConnection | None, str]:
    """One check, within its timeout. Returns the connection to use next time, and why it failed or "".

    secure: for checks that say how.

    Why: `status`, or a `PlainError.reason`.
    """
    was_reused = connection is not None
    settings = check.settings
    failure = ""
    try:
        async with asyncio.timeout(settings.timeout_s):
            if settings.type == "grpc":
                # HTTP/2 takes 70 ms to load, at the start of every registry and gateway, and few ask by gRPC.
                from meshway.outbound.grpc_health import ask_serving

                stream = await _open(check, dial, secure)
                return None, await ask_serving(stream, _host(check), settings.service, settings.timeout_s)
            if connection is None:
                connection = PlainConnection(*await _open(check, dial, secure))
            if settings.type == "http":
                failure = await _ask_http(check, connection)
            if connection.is_reusable:
                kept, connection = connection, None
                return kept, failure
    except TimeoutError:
        failure = "timeout"
    except PlainError as error:
        failure = error.reason
    finally:
        if connection is not None:
            connection.abort()
    if was_reused and failure not in ("", "status", "timeout"):
        # An idle connection may be closed at any time: that says nothing about health.
        return await ask(check, None, dial, secure)
    return None, failure


async def _open(check: Check, dial: Dial, secure: Secure | None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await dial(check.address, check.port, check.settings.timeout_s)
    if check.preamble:
        writer.write(check.preamble)
    if check.secured is not None:
        assert secure is not None
        try:
            await secure(check, writer)
        except BaseException:
            writer.transport.abort()
            raise
    return reader, writer


async def _ask_http(check: Check, connection: PlainConnection) -> str:
    settings = check.settings
    fields = f"Host: {_host(check)}\r\nUser-Agent: meshway-health\r\nAccept: */*\r\n".encode("latin-1")
    head = await connection.ask(b"GET", settings.path.encode("latin-1"), fields, timeout_s=settings.timeout_s)
    await connection.text(MAX_BODY, settings.timeout_s)
    return "" if any(low <= head.status <= high for low, high in settings.expect) else "status"


def _host(check: Check) -> str:
    address = f"[{check.address}]" if ":" in check.address else check.address
    return check.settings.host or f"{address}:{check.port}"
