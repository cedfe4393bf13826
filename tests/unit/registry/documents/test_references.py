"""What documents refer to: Secrets, which gateways are told of and no others; Listeners, which must speak for it."""

from typing import Any

import pytest
from google.protobuf import descriptor_pb2

from meshway.model.decode import decode_spec
from meshway.problem import Problem
from registry.documents.references import references
from tests.parts.grpc_shop import SERVICE, descriptor_set, in_base64
from tests.parts.registry_bench import Bench, written


@pytest.mark.parametrize(
    ("kind", "spec", "secrets"),
    [
        ("Certificate", {"secret": "shop-tls"}, [("spec.secret", "shop-tls", "tls")]),
        ("Certificate", {"files": {"certificate": "a", "key": "b"}}, []),
        (
            "Listener",
            {"tls": {"client_auth": "require", "trust": "partners"}},
            [("spec.tls.trust", "partners", "ca_bundle")],
        ),
        ("Listener", {"tls": {"client_auth": "require", "trust": "mesh"}}, []),
        ("Listener", {"hosts": ["a"]}, []),
        (
            "TrafficPolicy",
            {"tls": {"mode": "mutual", "ca": "ca", "certificate": {"secret": "own"}}},
            [("spec.tls.ca", "ca", "ca_bundle"), ("spec.tls.certificate", "own", "tls")],
        ),
        ("TrafficPolicy", {"tls": {}}, []),
        (
            "Authentication",
            {"methods": [{"mtls": {"trust": "partners"}}]},
            [("spec.methods[0].mtls.trust", "partners", "ca_bundle")],
        ),
        ("Authentication", {"methods": [{"mtls": {}}]}, []),
    ],
)
def test_documents_of_tls_refer_to_secrets_of_a_type(
    kind: str, spec: dict[str, Any], secrets: list[tuple[str, str, str]]
) -> None:
    read, errors = decode_spec(kind, spec)
    assert errors == []
    assert read is not None
    found = [each for each in references(read, "shop") if each.to == "secret"]
    assert [(each.path, each.name, each.part) for each in found] == secrets
    assert {each.namespace for each in found} <= {"shop"}


def test_a_policy_with_tls_still_refers_to_its_services() -> None:
    read, _ = decode_spec("TrafficPolicy", {"targets": [{"service": "books"}], "tls": {"ca": "ca"}})
    assert read is not None
    assert {(each.to, each.name) for each in references(read, "shop")} == {("service", "books"), ("secret", "ca")}


@pytest.mark.parametrize(
    ("kind", "listener", "code"),
    [
        ("TcpRoute", "plain", None),
        ("TcpRoute", "ended", None),
        ("TcpRoute", "passed", "wrong_type"),
        ("TcpRoute", "web", "wrong_type"),
        ("TcpRoute", "nobody", "unknown_reference"),
        ("TlsRoute", "passed", None),
        ("TlsRoute", "ended", "wrong_type"),
        ("Route", "plain", "wrong_type"),
        ("Route", "web", None),
    ],
)
def test_a_listener_must_speak_what_the_route_is_for(kind: str, listener: str, code: str | None) -> None:
    spoken: dict[str, dict[str, Any]] = {
        "plain": {"protocol": "tcp"},
        "ended": {"protocol": "tls", "tls": {"mode": "terminate"}},
        "passed": {"protocol": "tls"},
        "web": {"protocol": "http"},
    }
    ports = enumerate(spoken.items())
    listeners = [written("Listener", name, spec | {"port": 5000 + at}, "mesh") for at, (name, spec) in ports]
    service = written("Service", "db", {"type": "static", "endpoints": [{"address": "10.0.0.7"}]})
    to: dict[str, Any] = {"destinations": [{"service": "db"}]}
    spec = {"rules": [to]} if kind == "Route" else to | ({"hosts": ["*"]} if kind == "TlsRoute" else {})
    route = written(kind, "r", spec | {"listeners": [listener]})
    bench = Bench()
    if code is None:
        bench.apply(service, *listeners, route)
        return
    with pytest.raises(Problem) as caught:
        bench.apply(service, *listeners, route)
    assert [(error.path, error.code) for error in caught.value.errors] == [("spec.listeners[0]", code)]


def test_a_udp_route_refers_to_listeners_of_datagrams_and_to_its_services() -> None:
    read, _ = decode_spec("UdpRoute", {"listeners": ["game"], "destinations": [{"service": "world", "subset": "eu"}]})
    assert read is not None
    found = [(each.path, each.to, each.namespace, each.name, each.part) for each in references(read, "play")]
    assert found == [
        ("spec.listeners[0]", "listener", "mesh", "game", "datagrams"),
        ("spec.destinations[0].service", "service", "play", "world", ""),
        ("spec.destinations[0].subset", "subset", "play", "world", "eu"),
    ]


@pytest.mark.parametrize(
    ("block", "path"),
    [
        ({"descriptors": "shop", "services": [SERVICE]}, None),
        ({"descriptors": "shops", "services": [SERVICE]}, "descriptors"),
        ({"descriptors": "shop", "services": [SERVICE, "shop.v1.Shops"]}, "services[1]"),
    ],
)
def test_a_rule_that_transcodes_needs_its_descriptors_and_their_services(
    block: dict[str, Any], path: str | None
) -> None:
    service = written("Service", "db", {"type": "static", "endpoints": [{"address": "10.0.0.7"}]})
    route = written("Route", "r", {"rules": [{"destinations": [{"service": "db"}], "transcode": block}]})
    descriptors = written("DescriptorSet", "shop", {"data": in_base64(descriptor_set())})
    bench = Bench()
    if path is None:
        bench.apply(service, descriptors, route)
        return
    with pytest.raises(Problem) as caught:
        bench.apply(service, descriptors, route)
    assert (f"spec.rules[0].transcode.{path}", "unknown_reference") in [
        (error.path, error.code) for error in caught.value.errors
    ]


def test_a_path_of_http_stands_for_one_method_of_all_services_that_a_rule_transcodes() -> None:
    files = descriptor_pb2.FileDescriptorSet.FromString(descriptor_set())
    second = files.file[-1].service.add()
    second.CopyFrom(files.file[-1].service[0])
    second.name = "Second"
    descriptors = written("DescriptorSet", "shop", {"data": in_base64(files.SerializeToString())})
    service = written("Service", "db", {"type": "static", "endpoints": [{"address": "10.0.0.7"}]})

    def route(*blocks: dict[str, Any]) -> Any:
        rules = [
            {"match": [{"path": {"prefix": f"/{at}"}}], "destinations": [{"service": "db"}], "transcode": block}
            for at, block in enumerate(blocks)
        ]
        return written("Route", "r", {"rules": rules})

    with pytest.raises(Problem) as caught:
        Bench().apply(service, descriptors, route({"descriptors": "shop", "services": [SERVICE, "shop.v1.Second"]}))
    (error,) = caught.value.errors
    assert (error.path, error.code) == ("spec.rules[0].transcode.services", "conflict")
    assert f"stands for {SERVICE}." in error.message
    assert "and for shop.v1.Second." in error.message
    bench = Bench()
    apart = [{"descriptors": "shop", "services": [name]} for name in (SERVICE, "shop.v1.Second")]
    bench.apply(service, descriptors, route(*apart))
