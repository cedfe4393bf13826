"""TCPRoute, TLSRoute and UDPRoute, and the Listeners that a Gateway's listeners become."""

from typing import Any

import pytest

from meshway.model.decode import decode_document
from tests.unit.meshway.formats.test_conversion import converted, specs, told

GATEWAY = """\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gate, namespace: infra}
spec:
  gatewayClassName: c
  listeners:
  - {name: pg, port: 5432, protocol: TCP}
  - {name: passed, port: 8443, protocol: TLS, hostname: "*.example", tls: {mode: Passthrough}}
  - {name: opened, port: 8444, protocol: TLS, hostname: db.example, tls: {certificateRefs: [{name: cert}]}}
  - {name: game, port: 7777, protocol: UDP}
  - {name: web, port: 80, protocol: HTTP}
"""


def route(kind: str, more: str = "", parent: str = "", rules: str = "[{backendRefs: [{name: db, weight: 3}]}]") -> str:
    return (
        f"apiVersion: gateway.networking.k8s.io/v1alpha2\nkind: {kind}\nmetadata: {{name: r}}\nspec:\n"
        f"  parentRefs: [{{name: gate, namespace: infra{parent}}}]\n{more}  rules: {rules}\n"
    )


def native(text: str, kind: str) -> Any:
    return specs(f"{text}---\n{GATEWAY}")[f"{kind} default/r"]


def test_a_listener_of_bytes_is_a_listener_at_its_port() -> None:
    assert specs(GATEWAY) == {
        "Listener mesh/gate-pg": {"port": 5432, "protocol": "tcp"},
        "Listener mesh/gate-passed": {"port": 8443, "protocol": "tls", "tls": {"mode": "passthrough"}},
        "Listener mesh/gate-opened": {"port": 8444, "protocol": "tls", "tls": {"mode": "terminate"}},
        "Certificate infra/gate-opened": {"secret": "cert", "hosts": ["db.example"], "listeners": ["gate-opened"]},
        "Listener mesh/gate-game": {"port": 7777, "protocol": "udp"},
    }


def test_a_port_is_one_listener_s_for_each_transport() -> None:
    beside = "  - {name: more, port: %d, protocol: %s}\n"
    assert [each[1:] for each in told(GATEWAY + beside % (8443, "TCP"))] == [("spec.listeners[5].port", "unsupported")]
    assert told(GATEWAY + beside % (8443, "UDP") + beside.replace("more", "next") % (7777, "TCP")) == []


def test_a_route_is_for_the_listeners_of_its_protocol_or_the_one_it_names() -> None:
    to = [{"service": "db", "weight": 3}]
    assert native(route("TCPRoute"), "TcpRoute") == {"listeners": ["gate-pg", "gate-opened"], "destinations": to}
    one = native(route("TCPRoute", parent=", sectionName: pg"), "TcpRoute")
    assert one == {"listeners": ["gate-pg"], "destinations": to}
    assert native(route("UDPRoute", parent=", port: 7777"), "UdpRoute") == {
        "listeners": ["gate-game"],
        "destinations": to,
    }
    assert native(route("TLSRoute"), "TlsRoute") == {
        "listeners": ["gate-passed"],
        "hosts": ["*.example"],
        "destinations": to,
    }
    named = native(route("TLSRoute", '  hostnames: [a.example, other.test, "*"]\n'), "TlsRoute")
    assert named["hosts"] == ["a.example", "*.example"]


@pytest.mark.parametrize(
    ("text", "path", "code"),
    [
        (route("TCPRoute", parent=", sectionName: game"), "parentRefs[0].sectionName", "never_matches"),
        (route("TLSRoute", parent=", sectionName: opened"), "parentRefs[0].sectionName", "never_matches"),
        (route("UDPRoute", parent=", sectionName: none"), "parentRefs[0].sectionName", "unknown_reference"),
        (route("TCPRoute", parent=", kind: Service, group: ''"), "parentRefs[0].kind", "unsupported"),
        (route("TCPRoute").replace("gate,", "far,"), "parentRefs[0].name", "unsupported"),
        (route("TCPRoute", rules="[{backendRefs: [{name: a}]}, {backendRefs: [{name: b}]}]"),
         "rules[1]", "unsupported"),
        (route("TCPRoute", rules="[{backendRefs: [{name: a, namespace: far}]}]"),
         "rules[0].backendRefs[0].namespace", "unsupported"),
        (route("TLSRoute", "  hostnames: [a.test]\n"), "hostnames[0]", "never_matches"),
        (route("TCPRoute", "  useDefaultGateways: All\n"), "useDefaultGateways", "unsupported"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_is_told_where_it_stands(text: str, path: str, code: str) -> None:
    assert [each[1:] for each in told(f"{text}---\n{GATEWAY}")] == [(f"spec.{path}", code)]


def test_an_http_route_is_no_matter_of_listeners_of_bytes() -> None:
    text = route("HTTPRoute").replace("v1alpha2", "v1")
    assert native(text, "Route")["hosts"] == ["*"]
    picked = route("HTTPRoute", parent=", sectionName: pg").replace("v1alpha2", "v1")
    assert [each[1:] for each in told(f"{picked}---\n{GATEWAY}")] == [
        ("spec.parentRefs[0].sectionName", "unknown_reference")
    ]


def test_a_service_entry_of_tcp_is_a_service_of_bytes() -> None:
    text = (
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: a}\nspec:\n"
        "  hosts: [db.out.example]\n  resolution: STATIC\n  ports: [{number: 5432, name: pg, protocol: TCP}]\n"
        "  endpoints: [{address: 10.0.0.1}]\n"
    )
    (spec,) = specs(text).values()
    assert spec["ports"] == [{"name": "pg", "port": 5432, "protocol": "tcp"}]
    named = text.replace("STATIC", "DNS").replace("  endpoints: [{address: 10.0.0.1}]\n", "")
    (spec,) = specs(named).values()
    assert (spec["external"]["tls"], spec["ports"][0]["protocol"]) == (False, "tcp")


def test_what_comes_out_is_sound() -> None:
    texts = [route("TCPRoute"), route("TLSRoute"), route("UDPRoute"), GATEWAY]
    made = converted("---\n".join(texts))
    assert [*made.errors, *made.refused] == []
    assert len(made.documents) == 8
    for one in made.documents:
        decode_document(one.raw)  # raises what is wrong with it
