"""Whether what is carried already would be let in by newer tables: connections, sessions and calls that last, which ask
nothing again.

They are judged by what is known of them: their listener, source, host, and who they have proved to be. What counts is
left alone (limits, breakers, weights), so nobody is ended for having come before others.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from gateway.exchange import Exchange, Reply
from gateway.plan import FilterStep, RoutePlan

if TYPE_CHECKING:
    from gateway.routing.table import Tables

Judge = Callable[["Tables"], str]
"""Of one connection or session: ends it where it would not be let in now, and says why; "": it goes on."""

# Filters that say who may: by the names that their compilers give them.
AUTHENTICATION: Final = "authentication"
WEBSOCKET: Final = "WebSocket"
ACCESS: Final = frozenset({AUTHENTICATION, WEBSOCKET, "access", "external check", "policy that cannot be used"})
# Policies that do not: they say how often, and how long.
COUNTING: Final = frozenset({"RateLimit", "TrafficPolicy"})


def refusal(plan: RoutePlan, exchange: Exchange, title: str, asked: Exchange | None = None) -> Reply | None:
    """By this plan; None: it may go on. title: of the plan's document. asked: the same before filters have changed it,
    None: none has. Nothing is counted or spent, and nobody is asked who is elsewhere."""
    cluster, endpoint = exchange.cluster, exchange.endpoint
    if cluster is not None and cluster.name not in plan.reaches:
        return Reply(403, "route_changed", "NR", f"it leads to {cluster.name} no more", policy=title)
    for step in plan.steps:
        if step.name not in ACCESS:
            continue
        # Credentials were taken out of the head, and may have run out since: who has shown them stays who he is.
        if step.name == AUTHENTICATION and exchange.principal is not None:
            continue
        reply = _asked(step, exchange if asked is None else asked)
        if reply is not None and _says_who(reply):
            return reply
    guard = plan.guard
    if guard is None or cluster is None or endpoint is None:
        return None
    told = guard.forecast(exchange, cluster.name, endpoint.key[:2])
    return next((each.reply for each in told if each.reply is not None and _says_who(each.reply)), None)


def _says_who(reply: Reply) -> bool:
    """Not where it is what counts that cannot be used."""
    return reply.policy.partition(" ")[0] not in COUNTING


def _asked(step: FilterStep, exchange: Exchange) -> Reply | None:
    if step.forecast is None:
        reply = step.run(exchange)
        return reply if isinstance(reply, Reply) else None
    return next((each.reply for each in step.forecast(exchange) if each.reply is not None), None)
