"""What a call is told that no filter refused: nobody answers here, or its body is too large."""

from gateway.exchange import MESH, Exchange, Reply
from gateway.plan import RoutePlan


def nowhere(exchange: Exchange) -> Reply:
    """With what somebody who mistyped a name, or forgot the Route, wants to read."""
    host, path = exchange.host.decode("latin-1"), exchange.path.decode("latin-1")
    if exchange.listener == MESH and exchange.head.is_absolute and "." in host and not host.endswith(".mesh"):
        detail = (
            f"{host} is no service, and hosts outside are called by a Service with type: external and external.host: "
            f"{host} alone; meshway get services -A lists who there is"
        )
        return Reply(403, "egress_denied", "UAEX", detail)
    if exchange.listener == MESH:
        detail = f"no service or route answers to host {host} and path {path}; meshway get services -A lists who does"
    else:
        detail = (
            f"no Route exposes host {host} and path {path} at the edge; meshway get routes -A lists what is exposed"
        )
    return Reply(404, "no_route", "NR", detail)


def too_large(plan: RoutePlan) -> Reply:
    """The request's body is above the plan's max_body."""
    detail = f"rule {plan.rule} of Route {plan.route} takes request bodies of at most {plan.max_body:.0f} bytes"
    return Reply(413, "too_large", "DPE", detail)
