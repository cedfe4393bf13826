"""Which of several routes has a connection: by name, the most exact; of one name by source, the narrowest."""

import math
from ipaddress import ip_network

import pytest

from gateway.exchange import EDGE, Exchange
from gateway.limits.connection_counts import ConnectionCounts
from gateway.plan import RoutePlan
from gateway.relay.passage import TCP, no_request
from gateway.routing.connection_table import ConnectionPlan, ConnectionTable, Placed


def plan(title: str) -> ConnectionPlan:
    never = math.inf
    route = RoutePlan(title, "", 0, (), (), None, None, never, never, never, never, never)
    return ConnectionPlan(route, title, ConnectionCounts(None, ""))


def placed(title: str, *networks: str, host: str = "*") -> Placed:
    return Placed(plan(title), tuple(ip_network(each) for each in networks), host)


def found(table: ConnectionTable, peer: str, name: str = "") -> str | None:
    exchange = Exchange(no_request(TCP), EDGE, peer, 0.0)
    exchange.server_name = name
    match = table.match(exchange)
    return None if match is None else match.title


TABLE = ConnectionTable(
    [
        placed("wide", "10.0.0.0/8"),
        placed("narrow", "10.1.0.0/16", "2001:db8::/32"),
        placed("exact", host="a.example"),
        placed("exact of one", "10.1.2.3/32", host="a.example"),
        placed("suffix", host="*.example"),
        placed("longer suffix", host="*.b.example"),
    ]
)


@pytest.mark.parametrize(
    ("peer", "name", "title"),
    [
        ("10.2.0.1", "", "wide"),
        ("10.1.0.1", "", "narrow"),
        ("::ffff:10.1.0.1", "", "narrow"),
        ("2001:db8::1", "", "narrow"),
        ("192.0.2.1", "", None),
        ("nobody", "", None),
        ("192.0.2.1", "a.example", "exact"),
        ("10.1.2.3", "a.example", "exact of one"),
        ("192.0.2.1", "x.y.example", "suffix"),
        ("192.0.2.1", "x.b.example", "longer suffix"),
        ("192.0.2.1", "b.example", "suffix"),
        ("192.0.2.1", "example", None),
        ("10.2.0.1", "other.test", "wide"),
    ],
)
def test_the_most_exact_name_and_then_the_narrowest_source_have_it(peer: str, name: str, title: str | None) -> None:
    assert found(TABLE, peer, name) == title
