"""Who may stay by newer tables: what counts sends nobody away, also where it cannot be used."""

from typing import Any

import pytest

from gateway.compiler.tables import Compiler
from gateway.exchange import EDGE, Exchange
from gateway.plan import Parts
from gateway.relay.passage import TCP, no_request
from gateway.routing import standing
from meshway.snapshot import Change
from tests.parts.changes import document, running
from tests.parts.clock import ManualClock
from tests.parts.tcp import tcp_route

NOT_READ = {"new_field": 1}


def unusable(kind: str, service: str, **spec: Any) -> Change:
    return document(kind, "p", {"targets": [{"service": service}]} | NOT_READ | spec)


def fates(*changes: Change, then: tuple[Change, ...]) -> tuple[str, str]:
    """Of a connection that stands at db when `then` comes, and of one that comes after it."""
    compiler = Compiler(Parts(now=ManualClock(), random=lambda: 0.0))
    compiler.snapshot(1, [running("db", "1"), running("other", "1"), tcp_route("db", "other"), *changes])
    exchange = Exchange(no_request(TCP), EDGE, "127.0.0.1", 0.0)
    plan = compiler.tables.connections["bytes"].match(exchange)
    assert plan is not None
    assert plan.route.choose is not None
    cluster = exchange.cluster = plan.route.choose(exchange)
    exchange.endpoint = cluster.endpoints[0]
    compiler.delta(2, then)
    plan = compiler.tables.connections["bytes"].match(exchange)
    assert plan is not None
    left = standing.refusal(plan.route, exchange, plan.title)
    asked = [each(exchange) for each in plan.route.request_filters]
    if plan.route.guard is not None:
        asked.append(plan.route.guard.refusal(exchange, cluster.name, exchange.endpoint.key))
    refused = next((reply for reply in asked if reply is not None), None)
    return "" if left is None else left.reason, "" if refused is None else getattr(refused, "reason", "")


@pytest.mark.parametrize("kind", ["RateLimit", "TrafficPolicy"])
def test_what_counts_and_cannot_be_used_refuses_who_comes_and_nobody_who_stands(kind: str) -> None:
    first = unusable(kind, "films")
    assert fates(first, then=(unusable(kind, "db"),)) == ("", "policy_unavailable")


@pytest.mark.parametrize("kind", ["AccessPolicy", "Authentication"])
def test_what_says_who_may_and_cannot_be_used_lets_nobody_stay(kind: str) -> None:
    first = unusable(kind, "films")
    assert fates(first, then=(unusable(kind, "db"),)) == ("policy_unavailable", "policy_unavailable")


@pytest.mark.parametrize("says", [{"default": "deny"}, NOT_READ], ids=["a denial", "nothing that can be used"])
def test_what_counts_hides_nothing_that_says_who_may(says: dict[str, Any]) -> None:
    films = [{"service": "films"}]
    first = (unusable("RateLimit", "films"), document("AccessPolicy", "a", {"targets": films} | NOT_READ))
    then = (unusable("RateLimit", "db"), document("AccessPolicy", "a", {"targets": [{"service": "db"}]} | says))
    assert fates(*first, then=then)[0] in ("denied", "policy_unavailable")
