"""`tls` and `tcp` of a VirtualService, and the Listeners that the servers of its Gateway become."""

from typing import Any

import pytest

from meshway.model.decode import decode_document
from tests.unit.meshway.formats.test_conversion import converted, specs, told

GATEWAY = """\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gate}
spec:
  servers:
  - {port: {number: 80, protocol: HTTP, name: web}, hosts: ["shop.example"]}
  - {port: {number: 27017, protocol: MONGO, name: mongo}, hosts: ["*"]}
  - {port: {number: 8443, protocol: TLS, name: passed}, hosts: ["*.example"], tls: {mode: PASSTHROUGH}}
  - {port: {number: 443, protocol: HTTPS, name: https}, hosts: ["./a.test"], tls: {mode: PASSTHROUGH}}
  - port: {number: 8444, protocol: TLS, name: opened}
    hosts: [db.example]
    tls: {mode: MUTUAL, credentialName: cert, caCertCredentialName: callers}
"""
TO = "route: [{destination: {host: db, port: {number: 5432}}}]"


def service(spec: str, gateways: str = "[gate]") -> str:
    return (
        f"apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {{name: r}}\nspec:\n"
        f"  hosts: ['*']\n  gateways: {gateways}\n  {spec}\n"
    )


def natives(spec: str) -> dict[str, Any]:
    """The routes that it becomes, beside what the Gateway does."""
    beside = specs(GATEWAY)
    return {name: made for name, made in specs(f"{service(spec)}---\n{GATEWAY}").items() if name not in beside}


def test_a_server_of_bytes_is_a_listener_at_its_port_and_shows_its_certificate() -> None:
    assert specs(GATEWAY) == {
        "Listener mesh/gate-mongo": {"port": 27017, "protocol": "tcp"},
        "Listener mesh/gate-passed": {"port": 8443, "protocol": "tls", "tls": {"mode": "passthrough"}},
        "Listener mesh/gate-https": {"port": 443, "protocol": "tls", "tls": {"mode": "passthrough"}},
        "Listener mesh/gate-opened": {
            "port": 8444,
            "protocol": "tls",
            "tls": {"mode": "terminate", "client_auth": "require", "trust": "callers"},
        },
        "Certificate default/gate-4": {"secret": "cert", "hosts": ["db.example"], "listeners": ["gate-opened"]},
    }


def test_connections_go_by_port_and_source() -> None:
    to = [{"service": "db"}]
    assert natives(f"tcp: [{{match: [{{port: 27017}}], {TO}}}]") == {
        "TcpRoute default/r": {"listeners": ["gate-mongo"], "destinations": to}
    }
    split = "[{destination: {host: db, subset: v1}, weight: 9}, {destination: {host: db.far}, weight: 1}]"
    matches = "[{port: 27017, sourceSubnet: 10.0.0.0/8}, {port: 8444}]"
    shares = [{"service": "db", "subset": "v1", "weight": 9}, {"service": "db", "namespace": "far", "weight": 1}]
    assert natives(f"tcp: [{{match: {matches}, route: {split}}}]") == {
        "TcpRoute default/r": {"listeners": ["gate-mongo"], "source": ["10.0.0.0/8"], "destinations": shares},
        "TcpRoute default/r-1": {"listeners": ["gate-opened"], "destinations": shares},
    }
    assert natives(f"tcp: [{{{TO}}}]")["TcpRoute default/r"]["listeners"] == ["gate-mongo", "gate-opened"]


def test_handshakes_go_by_name_as_far_as_a_server_is_for_them() -> None:
    made = natives(f"tls: [{{match: [{{sniHosts: [a.example, a.test, '*.b.example']}}], {TO}}}]")
    assert made == {
        "TlsRoute default/r": {
            "listeners": ["gate-passed"],
            "hosts": ["a.example", "*.b.example"],
            "destinations": [{"service": "db"}],
        },
        "TlsRoute default/r-1": {
            "listeners": ["gate-https"],
            "hosts": ["a.test"],
            "destinations": [{"service": "db"}],
        },
    }


def test_calls_are_beside_them_and_bounded_by_servers_of_http_alone() -> None:
    made = natives(f"http: [{{{TO}}}]\n  tcp: [{{match: [{{port: 27017}}], {TO}}}]")
    assert made["Route default/r"]["hosts"] == ["shop.example"]
    assert made["TcpRoute default/r"]["listeners"] == ["gate-mongo"]


@pytest.mark.parametrize(
    ("spec", "gateways", "path", "code"),
    [
        (f"tcp: [{{{TO}}}]", "[mesh]", "tcp[0]", "unsupported"),
        (f"tcp: [{{{TO}}}]", "[far]", "gateways[0]", "unsupported"),
        (f"tcp: [{{match: [{{port: 80}}], {TO}}}]", "[gate]", "tcp[0].match[0].port", "never_matches"),
        (f"tcp: [{{match: [{{sourceNamespace: a}}], {TO}}}]", "[gate]",
         "tcp[0].match[0].sourceNamespace", "unsupported"),
        (f"tcp: [{{match: [{{destinationSubnets: [10.0.0.0/8]}}], {TO}}}]", "[gate]",
         "tcp[0].match[0].destinationSubnets", "unsupported"),
        ("tcp: [{match: [{port: 27017}]}]", "[gate]", "tcp[0].route", "missing_field"),
        (f"tls: [{{{TO}}}]", "[gate]", "tls[0].match", "missing_field"),
        (f"tls: [{{match: [{{port: 8443}}], {TO}}}]", "[gate]", "tls[0].match[0].sniHosts", "missing_field"),
        (f"tls: [{{match: [{{sniHosts: [b.test]}}], {TO}}}]", "[gate]", "tls[0].match[0].sniHosts[0]", "never_matches"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_is_told_where_it_stands(spec: str, gateways: str, path: str, code: str) -> None:
    found = told(f"{service(spec, gateways)}---\n{GATEWAY}")
    assert [each[1:] for each in found] == [(f"spec.{path}", code)]


def test_a_server_takes_routes_of_the_namespaces_that_it_is_for() -> None:
    route = f"tcp: [{{match: [{{port: 27017}}], {TO}}}]"
    own = GATEWAY.replace('hosts: ["*"]', 'hosts: ["other/*"]')
    assert [each[1:] for each in told(f"{service(route)}---\n{own}")] == [
        ("spec.tcp[0].match[0].port", "never_matches")
    ]
    assert told(f"{service(route)}---\n{own.replace('other/', './')}") == []


@pytest.mark.parametrize("gateway", ["name: gate", "name: next", "name: gate, namespace: far"])
def test_a_port_is_one_listener_s_whichever_gateway_it_is_of(gateway: str) -> None:
    """As is a name: of two servers that have the same, none is silently left out."""
    beside = f"kind: Gateway\nmetadata: {{{gateway}}}\nspec:\n  servers:\n"
    port = "{number: 8443, protocol: TLS, name: more}, hosts: [b.example], tls: {mode: PASSTHROUGH}"
    if gateway == "name: gate":
        text = f"{GATEWAY}  - {{port: {port}}}\n"
    else:
        text = f"{GATEWAY}---\napiVersion: networking.istio.io/v1\n{beside}  - {{port: {port}}}\n"
    assert [(path.rpartition("]")[2], code) for _, path, code in told(text)] == [(".port.number", "unsupported")]
    for name in ("passed", "pas.sed"):
        made = [one.raw for one in converted(text.replace("more", name).replace("8443", "8445")).documents]
        assert sum(one["spec"].get("port") == 8445 for one in made) == 2


def test_hosts_of_another_type_are_told() -> None:
    wrong = GATEWAY.replace('hosts: ["*"]', "hosts: 5")
    assert [each[1:] for each in told(wrong)] == [("spec.servers[1].hosts", "wrong_type")]


def test_what_comes_out_is_sound() -> None:
    texts = [
        service(f"tcp: [{{{TO}}}]\n  tls: [{{match: [{{sniHosts: [a.example]}}], {TO}}}]"),
        GATEWAY,
    ]
    made = converted("---\n".join(texts))
    assert [*made.errors, *made.refused] == []
    assert len(made.documents) == 7
    for one in made.documents:
        decode_document(one.raw)  # raises what is wrong with it
