"""Whether what is carried already would be let in by newer tables: connections and sessions, which ask nothing again.

They are judged by what is known of them: their listener, source, host, and who they have proved to be. What counts is
left alone (limits, breakers, weights), so nobody is ended for having come before others.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.exchange import Exchange, Reply
from gateway.plan import FilterStep, RoutePlan

if TYPE_CHECKING:
    from gateway.routing.table import Tables

Judge = Callable[["Tables"], str]
"""Of one connection or session: ends it where it would not be let in now, and says why; "": it goes on."""

# Filters that say who may: by the names that their compilers give them.
AUTHENTICATION: Final = "authentication"
ACCESS: Final = frozenset({AUTHENTICATION, "access", "external check", "policy that cannot be used"})


@dataclass(slots=True, frozen=True)
class Standing:
    """route: of the plan. steps: of its filters, those that ask who calls. reaches: names of the clusters it leads to,
    those in whose place others are called among them."""

    route: RoutePlan
    steps: tuple[FilterStep, ...]
    reaches: frozenset[str]

    @classmethod
    def of(cls, route: RoutePlan, reaches: Iterable[str]) -> "Standing":
        return cls(route, tuple(step for step in route.steps if step.name in ACCESS), frozenset(reaches))

    def refusal(self, exchange: Exchange, title: str) -> Reply | None:
        """None: it may go on. title: of the plan's document. Nothing is counted or spent."""
        cluster, endpoint = exchange.cluster, exchange.endpoint
        if cluster is not None and cluster.name not in self.reaches:
            return Reply(403, "route_changed", "NR", f"it leads to {cluster.name} no more", policy=title)
        for step in self.steps:
            # Credentials were taken out of the head, and may have run out since: who has shown them stays who he is.
            if step.name == AUTHENTICATION and exchange.principal is not None:
                continue
            reply = _asked(step, exchange)
            if reply is not None:
                return reply
        guard = self.route.guard
        if guard is None or cluster is None or endpoint is None:
            return None
        told = guard.forecast(exchange, cluster.name, endpoint.key[:2])
        return next((each.reply for each in told if each.reply is not None), None)


def _asked(step: FilterStep, exchange: Exchange) -> Reply | None:
    if step.forecast is None:
        reply = step.run(exchange)
        return reply if isinstance(reply, Reply) else None
    return next((each.reply for each in step.forecast(exchange) if each.reply is not None), None)
