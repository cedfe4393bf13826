"""What would become of connections, sessions of datagrams and CONNECT, as their listeners would say it."""

from typing import Any

import pytest

from gateway.compiler.tables import Compiler
from gateway.explain.explaining import explain_question
from gateway.plan import Parts
from meshway.explanation import CallQuestion, Explanation
from tests.parts.changes import document, running
from tests.parts.clock import ManualClock
from tests.parts.tcp import listener, tcp_route

DENIED = {"targets": [{"service": "db"}], "rules": [{"action": "deny", "from": [{"cidr": ["10.0.0.0/8"]}]}]}
PORTS = [{"name": "web", "port": 80}, {"name": "pg", "port": 5432, "protocol": "tcp"}]


def told(*changes: Any, **question: Any) -> Explanation:
    compiler = Compiler(Parts(now=ManualClock(), random=lambda: 0.1))
    instance = running("db", "1", port=5000, ports={"pg": 5432})
    assert compiler.snapshot(1, [instance, *changes]) == []
    return explain_question(compiler.state, CallQuestion(**question), 0.0, "gw-1")


def test_a_connection_is_told_its_route_its_settings_and_where_it_goes() -> None:
    route = tcp_route(destinations=[{"service": "db", "weight": 3}, {"service": "other", "weight": 1}])
    explanation = told(listener(), route, running("other", "2"), method="TCP", listener="bytes", address="192.0.2.1")
    assert (explanation.method, explanation.listener, explanation.route) == ("TCP", "bytes", "default/t")
    assert explanation.matched is not None
    assert (explanation.matched.document, explanation.caller) == ("TcpRoute default/t", "192.0.2.1")
    assert [(one.service, one.share_percent, one.path) for one in explanation.destinations] == [
        ("default/db", 75.0, "spec.destinations[0]"),
        ("default/other", 25.0, "spec.destinations[1]"),
    ]
    assert ("idle", "3600s", "built in", "") in [
        (one.field, one.value, one.document, one.path) for one in explanation.settings
    ]
    assert explanation.picked is not None
    assert explanation.picked.address == "127.0.0.1:5000"


def test_of_its_settings_the_route_says_those_alone_that_are_written_there() -> None:
    written: dict[str, Any] = {"idle": "9s", "limits": {"per_source": 5}}
    tcp = told(listener(), tcp_route("db", **written), method="TCP", listener="bytes")
    game = document("Listener", "bytes", {"port": 1, "protocol": "udp"}, "mesh")
    route = {"listeners": ["bytes"], "destinations": [{"service": "db"}], "max_sessions": 7}
    udp = told(game, document("UdpRoute", "g", route), method="UDP", listener="bytes")
    assert [(one.document, one.path, one.value) for one in (*tcp.settings, *udp.settings) if one.path] == [
        ("TcpRoute default/t", "spec.idle", "9s"),
        ("TcpRoute default/t", "spec.limits.per_source", "5"),
        ("UdpRoute default/g", "spec.max_sessions", "7"),
    ]
    assert {one.document for one in (*tcp.settings, *udp.settings) if not one.path} == {"built in"}


def test_whoever_is_denied_or_has_no_route_is_told_by_whose_word() -> None:
    question: dict[str, Any] = {"method": "TCP", "listener": "bytes", "address": "10.0.0.1"}
    policy = document("AccessPolicy", "a", DENIED)
    answered = told(listener(), tcp_route("db"), policy, **question).answered
    assert answered is not None
    assert (answered.reason, answered.document) == ("denied", "AccessPolicy default/a")
    answered = told(listener(), tcp_route("db", source=["192.0.2.0/24"]), **question).answered
    assert answered is not None
    assert (answered.reason, answered.detail) == (
        "no_route",
        "no TcpRoute of listener bytes takes connections of 10.0.0.1",
    )


def test_a_handshake_has_the_route_of_the_host_it_names() -> None:
    routes = [
        document("TlsRoute", name, {"listeners": ["bytes"], "hosts": hosts, "destinations": [{"service": "db"}]})
        for name, hosts in (("one", ["db.example"]), ("all", ["*.example"]))
    ]
    asked = listener(protocol="tls"), *routes
    found = {
        host: told(*asked, method="TLS", listener="bytes", url=host).route
        for host in ("db.example", "DB.Example.", "x.example", "x.other", "")
    }
    assert list(found.values()) == ["default/one", "default/one", "default/all", "", ""]
    answered = told(*asked, method="TLS", listener="bytes").answered
    assert answered is not None
    assert answered.detail.endswith("that name no host (SNI)")


def test_a_session_of_datagrams_is_told_its_route() -> None:
    game = document("Listener", "game", {"port": 1, "protocol": "udp"}, "mesh")
    route = document("UdpRoute", "g", {"listeners": ["game"], "destinations": [{"service": "db"}]})
    explanation = told(game, route, method="UDP", listener="game")
    assert (explanation.method, explanation.route) == ("UDP", "default/g")
    assert explanation.picked is not None
    answered = told(game, method="UDP", listener="game").answered
    assert answered is not None
    assert answered.detail == "no UdpRoute has this Listener"


def test_a_connect_of_the_mesh_is_told_where_it_leads() -> None:
    service = document("Service", "db", {"ports": PORTS})
    explanation = told(service, method="CONNECT", url="db.default.mesh:5432")
    assert explanation.picked is not None
    assert explanation.picked.address == "127.0.0.1:5432"
    assert [(one.service, one.document) for one in explanation.destinations] == [
        ("default/db:pg", "Service default/db")
    ]
    assert [(one.field, one.value, one.document) for one in explanation.settings] == [
        ("timeouts.upgraded_idle", "3600s", "built in"),
        ("half_close", "60s", "built in"),
    ]
    policy = document("TrafficPolicy", "slow", {"targets": [{"service": "db"}], "timeouts": {"upgraded_idle": "9s"}})
    (idle, _) = told(service, policy, method="CONNECT", url="db.default.mesh:5432").settings
    assert (idle.value, idle.document, idle.path) == ("9s", "TrafficPolicy default/slow", "spec.timeouts.upgraded_idle")
    answered = told(service, method="CONNECT", url="http://db:80").answered
    assert answered is not None
    assert answered.reason == "egress_denied"


def test_a_question_without_a_listener_is_none() -> None:
    with pytest.raises(ValueError, match=r"listener: .* name it"):
        told(method="TCP")
    with pytest.raises(ValueError, match="listener: edge has calls alone: it speaks http"):
        told(method="UDP", listener="edge")
    with pytest.raises(ValueError, match="url: names no host"):
        told()
