"""The health checks of a host, made for all its workers: asked anew soon after what is held has changed."""

import asyncio
from collections.abc import Callable, Iterable
from random import random
from typing import Final

from gateway.supervisor.checks import CheckTargets, securing
from gateway.upstream.health import EndpointKey, HealthChecker
from gateway.upstream.transition import Transition
from gateway.wire.upstream_tls import UpstreamContexts
from meshway.snapshot import Change

DELAY_S: Final = 0.05  # one turn for a burst of changes


class Checking:
    """held: what is in force now. found: an endpoint passes, or fails."""

    def __init__(
        self, held: Callable[[], Iterable[Change]], contexts: UpstreamContexts, found: Callable[[Transition], None]
    ) -> None:
        self._targets = CheckTargets(held)
        self._found, self._contexts = found, contexts
        self.checker = HealthChecker(self._on_check, random, securing(contexts))
        self._is_due = False

    def replace(self) -> None:
        """A snapshot is held."""
        self._targets.replace()
        self._soon()

    def take(self, changes: Iterable[Change]) -> None:
        """Changes are held."""
        if self._targets.take(changes):
            self._soon()

    def _on_check(self, endpoint: EndpointKey, is_passing: bool, reason: str) -> None:
        self._found(
            Transition(
                kind="check_passed" if is_passing else "check_failed",
                cluster="/".join(endpoint[:2]),
                endpoint=endpoint,
                reason=reason,
            )
        )

    def _soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_later(DELAY_S, self._check)

    def _check(self) -> None:
        self._is_due = False
        wanted = self._targets.wanted()
        self._contexts.keep({check.secured[2] for check in wanted.values() if isinstance(check.secured, tuple)})
        self.checker.want(wanted)
