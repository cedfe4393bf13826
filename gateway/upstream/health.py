"""Active health checks, one checker a gateway host: it runs in the supervisor and tells the workers what changed.

Each endpoint is asked every `interval` ± 10 %, over one kept connection. The first result decides; after that it takes
`unhealthy_after` failures in a row to fail and `healthy_after` successes to pass. After Envoy's health checking.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.upstream.cluster_settings import HealthCheckSettings
from gateway.upstream.plain_client import PlainConnection, PlainError
from meshway.tasks import spawn

EndpointKey = tuple[str, str, str]
Report = Callable[[EndpointKey, bool, str], None]

JITTER: Final = 0.1
MAX_BODY: Final = 64 << 10


@dataclass(slots=True, frozen=True)
class Check:
    """One endpoint and how it is asked. generation: of the instance; what an older process answered is forgotten."""

    address: str
    port: int
    settings: HealthCheckSettings
    generation: int = 1


class Verdict:
    """What a row of results says (pure). is_passing: None before the first result."""

    __slots__ = ("_failures", "_healthy_after", "_successes", "_unhealthy_after", "is_passing")

    def __init__(self, unhealthy_after: int, healthy_after: int) -> None:
        self._unhealthy_after = unhealthy_after
        self._healthy_after = healthy_after
        self._failures = self._successes = 0
        self.is_passing: bool | None = None

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


class HealthChecker:
    """report: called with key, passing and reason when a verdict changes, and for the first one if it is bad.

    reason: `connect_refused status timeout reset protocol`, "" when passing. failing: endpoints that fail now, and why.

    An endpoint that is no longer wanted, or wanted otherwise, starts anew.
    """

    def __init__(self, report: Report, random: Callable[[], float]) -> None:
        self._report = report
        self._random = random
        self._wanted: dict[EndpointKey, Check] = {}
        self._tasks: dict[EndpointKey, asyncio.Task[None]] = {}
        self.failing: dict[EndpointKey, str] = {}

    def want(self, checks: Mapping[EndpointKey, Check]) -> None:
        """The checks that shall run from now on."""
        for key in [key for key in self._wanted if checks.get(key) != self._wanted[key]]:
            self._tasks.pop(key).cancel()
            del self._wanted[key]
            if self.failing.pop(key, None) is not None:
                self._report(key, True, "")
        for key, check in checks.items():
            if key not in self._wanted:
                self._wanted[key] = check
                self._tasks[key] = spawn(self._watch(key, check), name=f"health check of {'/'.join(key)}")

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        self._wanted.clear()

    async def _watch(self, key: EndpointKey, check: Check) -> None:
        settings = check.settings
        verdict = Verdict(settings.unhealthy_after, settings.healthy_after)
        connection: PlainConnection | None = None
        try:
            while True:
                was_known = verdict.is_passing is not None
                connection, failure = await ask(check, connection)
                if verdict.take(not failure) and (was_known or failure):
                    if failure:
                        self.failing[key] = failure
                    else:
                        self.failing.pop(key, None)
                    self._report(key, not failure, failure)
                await asyncio.sleep(settings.interval_s * (1.0 + JITTER * (2.0 * self._random() - 1.0)))
        finally:
            if connection is not None:
                connection.abort()


async def ask(check: Check, connection: PlainConnection | None) -> tuple[PlainConnection | None, str]:
    """One check. Returns the connection to use next time, and why the endpoint failed (`Transition.reason`) or ""."""
    was_reused = connection is not None
    timeout_s = check.settings.timeout_s
    try:
        if connection is None:
            connection = await PlainConnection.open(check.address, check.port, timeout_s)
        if check.settings.type == "tcp":
            connection.abort()
            return None, ""
        failure = await _ask_http(check, connection)
    except PlainError as error:
        if connection is not None:
            connection.abort()
        if was_reused and error.reason != "timeout":
            # An idle connection may be closed at any time: that says nothing about health.
            return await ask(check, None)
        return None, error.reason
    if not connection.is_reusable:
        connection.abort()
        return None, failure
    return connection, failure


async def _ask_http(check: Check, connection: PlainConnection) -> str:
    settings = check.settings
    host = settings.host or f"{check.address}:{check.port}"
    fields = f"Host: {host}\r\nUser-Agent: meshway-health\r\nAccept: */*\r\n".encode("latin-1")
    head = await connection.ask(b"GET", settings.path.encode("latin-1"), fields, timeout_s=settings.timeout_s)
    await connection.text(MAX_BODY, settings.timeout_s)
    return "" if any(low <= head.status <= high for low, high in settings.expect) else "status"
