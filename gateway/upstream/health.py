"""Active health checks, one checker a gateway host: it runs in the supervisor and tells the workers what changed.

Each endpoint is asked every `interval` ± 10 %, over one kept connection. The first result decides; after that it takes
`unhealthy_after` failures in a row to fail and `healthy_after` successes to pass. After Envoy's health checking.
"""

import asyncio
from collections.abc import Callable, Mapping

from gateway.upstream.outside import is_name, refuse_named
from meshway.outbound.connection import NOT_ASKED, PlainConnection, PlainError, dial
from meshway.outbound.health import JITTER, Check, Secure, Verdict, ask
from meshway.tasks import spawn

EndpointKey = tuple[str, str, str]
Report = Callable[[EndpointKey, bool, str], None]


async def dial_judged(host: str, port: int, timeout_s: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Where a name leads is judged as for calls. Raises PlainError."""
    reader, writer = await dial(host, port, timeout_s)
    if is_name(host):
        try:
            refuse_named(host, writer.get_extra_info("peername")[0])
        except OSError as error:
            writer.transport.abort()
            raise PlainError(str(error), "forbidden_address") from error
    return reader, writer


class HealthChecker:
    """report: called with key, passing and reason when a verdict changes, and for the first one if it is bad.

    reason: `connect_refused status timeout reset protocol forbidden_address`, "" when passing. failing: endpoints that
    fail now, and why.

    secure: for checks by TLS.

    An endpoint that is no longer wanted, or wanted otherwise, starts anew.
    """

    def __init__(self, report: Report, random: Callable[[], float], secure: Secure | None = None) -> None:
        self._secure = secure
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
                connection, failure = await ask(check, connection, dial_judged, self._secure)
                if failure != NOT_ASKED and verdict.take(not failure) and (was_known or failure):
                    if failure:
                        self.failing[key] = failure
                    else:
                        self.failing.pop(key, None)
                    self._report(key, not failure, failure)
                await asyncio.sleep(settings.interval_s * (1.0 + JITTER * (2.0 * self._random() - 1.0)))
        finally:
            if connection is not None:
                connection.abort()
