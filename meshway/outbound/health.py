"""Active health checks: one question to one instance, and what a row of answers says. After Envoy's health checking."""

from dataclasses import dataclass
from typing import Final

from meshway.outbound.connection import Dial, PlainConnection, PlainError, dial
from meshway.outbound.grpc_health import ask_serving

JITTER: Final = 0.1
MAX_BODY: Final = 64 << 10


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


@dataclass(slots=True, frozen=True)
class Check:
    """One instance and how it is asked. generation: of the instance; what an older process answered is forgotten."""

    address: str
    port: int
    settings: HealthCheckSettings
    generation: int = 1


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
    check: Check, connection: PlainConnection | None, dial: Dial = dial
) -> tuple[PlainConnection | None, str]:
    """One check. Returns the connection to use next time, and why it failed (`PlainError.reason`, `status`) or ""."""
    was_reused = connection is not None
    timeout_s = check.settings.timeout_s
    try:
        if check.settings.type == "grpc":
            stream = await dial(check.address, check.port, timeout_s)
            return None, await ask_serving(stream, _host(check), check.settings.service, timeout_s)
        if connection is None:
            connection = PlainConnection(*await dial(check.address, check.port, timeout_s))
        if check.settings.type == "tcp":
            connection.abort()
            return None, ""
        failure = await _ask_http(check, connection)
    except PlainError as error:
        if connection is not None:
            connection.abort()
        if was_reused and error.reason != "timeout":
            # An idle connection may be closed at any time: that says nothing about health.
            return await ask(check, None, dial)
        return None, error.reason
    if not connection.is_reusable:
        connection.abort()
        return None, failure
    return connection, failure


async def _ask_http(check: Check, connection: PlainConnection) -> str:
    settings = check.settings
    fields = f"Host: {_host(check)}\r\nUser-Agent: meshway-health\r\nAccept: */*\r\n".encode("latin-1")
    head = await connection.ask(b"GET", settings.path.encode("latin-1"), fields, timeout_s=settings.timeout_s)
    await connection.text(MAX_BODY, settings.timeout_s)
    return "" if any(low <= head.status <= high for low, high in settings.expect) else "status"


def _host(check: Check) -> str:
    address = f"[{check.address}]" if ":" in check.address else check.address
    return check.settings.host or f"{address}:{check.port}"
