"""What a worker answers before it knows anything: 503, for an empty table would be served as the truth."""

import math

from gateway.exchange import Exchange, Reply
from gateway.plan import BUILT_IN, Parts, RoutePlan
from gateway.routing.table import Candidate, HostRoutes, Hosts, PathNode, Tables


def unready_tables(parts: Parts) -> Tables:
    """Tables of revision 0 whose every call is refused."""

    def refuse(_: Exchange) -> Reply:
        return Reply(
            503,
            "not_ready",
            "NR",
            "this gateway has not heard of the mesh yet: no registry answers and no last snapshot is on disk",
            fields=b"Retry-After: 1\r\n",
            policy=BUILT_IN,
        )

    slot = parts.counters.rule_slot("", "not-ready") if parts.counters is not None else 0
    never = math.inf
    plan = RoutePlan("", "not-ready", slot, (refuse,), (), None, None, never, never, never, never, never)
    everything = HostRoutes({}, PathNode((Candidate((), plan),)))
    hosts = Hosts({}, {}, everything)
    return Tables(0, hosts, hosts, {}, {}, set(), parts)
