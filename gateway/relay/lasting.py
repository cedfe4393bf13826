"""Calls that last: WebSockets and other upgrades. Newer tables judge them as they judge connections
(`routing/standing.py`), for they ask nothing again.

They are judged as they were asked; what filters have changed in them counts where a service's own policies see it.
"""

from typing import TYPE_CHECKING

from gateway.exchange import Exchange, Reply
from gateway.relay.refusals import nowhere
from gateway.routing import standing

if TYPE_CHECKING:
    from gateway.routing.table import HostRoutes, Tables


class Lasting:
    """What is known of one call from revision to revision."""

    __slots__ = ("_judged_by",)

    def __init__(self) -> None:
        self._judged_by: HostRoutes | None = None  # the newest that let it be

    def refusal(self, exchange: Exchange, tables: "Tables") -> Reply | None:
        """Why it would not be let in now; None: it would."""
        if (principal := exchange.principal) is not None and tables.parts.consumers.is_suspended(principal.consumer):
            detail = f"Consumer {principal.consumer} is suspended"
            return Reply(403, "consumer_suspended", "UAEX", detail, policy=f"Consumer {principal.consumer}")
        routes = tables.hosts(exchange).names.get(exchange.host)
        if routes is not None and routes is self._judged_by:
            return None
        asked = _as_it_came(exchange)
        read = asked.head.path or tables.as_written(asked)
        if read is None:
            return _nowhere(asked)
        asked.path, asked.query = read
        plan = tables.match(asked)
        if plan is None:
            return _nowhere(asked)
        self._judged_by = routes if routes is not None and routes.match(asked) is plan else None
        asked.block = exchange.block  # without what callers may not say of themselves
        refusal = standing.refusal(plan, exchange, f"Route {plan.route}", asked)
        if refusal is not None:
            self._judged_by = None
        return refusal


def _nowhere(asked: Exchange) -> Reply:
    """By no word of the Route that it was let in by."""
    reply = nowhere(asked)
    reply.policy = f"listener {asked.listener_name}"
    return reply


def _as_it_came(exchange: Exchange) -> Exchange:
    """Before any filter had it; who called is known."""
    asked = Exchange(
        exchange.head,
        exchange.listener,
        exchange.peer,
        exchange.started,
        exchange.scheme,
        exchange.forwarded,
        exchange.listener_name,
    )
    asked.server_name, asked.certificate = exchange.server_name, exchange.certificate
    asked.principal = exchange.principal
    return asked
