"""What a Listener and a Certificate may say: a table of specs and what is wrong with each."""

from typing import Any

import pytest

from meshway.model.decode import decode_document
from meshway.problem import Problem

FILES = {"certificate": "shop.pem", "key": "keys/shop.key"}
OWN: dict[str, Any] = {"port": 9000, "protocol": "http"}
BYTES: dict[str, Any] = {"port": 9000, "protocol": "tcp"}
PASSED_ON: dict[str, Any] = {"port": 9000, "protocol": "tls"}
HTTPS: dict[str, Any] = {"port": 9000, "protocol": "https"}
ISSUED: dict[str, Any] = {"mesh_ca": {}, "hosts": ["books.mesh.mesh"]}


def faults(kind: str, spec: dict[str, Any], name: str, namespace: str = "mesh") -> list[tuple[str, str]]:
    written = {"apiVersion": "meshway/v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}}
    try:
        decode_document(written | {"spec": spec})
    except Problem as problem:
        return [(error.path, error.code) for error in problem.errors]
    return []


@pytest.mark.parametrize(
    ("kind", "name", "spec", "path", "code"),
    [
        ("Listener", "partner", {"protocol": "http"}, "spec.port", "missing_field"),
        ("Listener", "partner", {"port": 9000}, "spec.protocol", "missing_field"),
        ("Listener", "bytes", BYTES | {"hosts": ["a.example"]}, "spec.hosts", "forbidden_combination"),
        ("Listener", "bytes", BYTES | {"http2": {}}, "spec.http2", "forbidden_combination"),
        ("Listener", "bytes", BYTES | {"limits": {"head": "8KiB"}}, "spec.limits.head", "forbidden_combination"),
        ("Listener", "bytes", BYTES | {"tls": {"default": "shop"}}, "spec.tls", "forbidden_combination"),
        ("Listener", "bytes", PASSED_ON | {"tls": {"default": "shop"}}, "spec.tls.default", "forbidden_combination"),
        (
            "Listener",
            "partner",
            OWN | {"protocol": "https", "tls": {"mode": "terminate"}},
            "spec.tls.mode",
            "forbidden_combination",
        ),
        ("Listener", "partner", OWN | {"address": "localhost"}, "spec.address", "out_of_bounds"),
        ("Listener", "partner", OWN | {"tls": {}}, "spec.tls", "forbidden_combination"),
        ("Listener", "partner", OWN | {"hsts": {}}, "spec.hsts", "forbidden_combination"),
        ("Listener", "partner", OWN | {"proxy_protocol": "accept"}, "spec.proxy_protocol", "forbidden_combination"),
        (
            "Listener",
            "edge-tls",
            {"proxy_protocol": "require"},
            "spec.proxy_protocol",
            "forbidden_combination",
        ),
        ("Listener", "edge", {"proxy_protocol": "maybe"}, "spec.proxy_protocol", "out_of_bounds"),
        ("Listener", "edge", {"http2": {"stream_window": "1KiB"}}, "spec.http2.stream_window", "out_of_bounds"),
        ("Listener", "edge", {"http2": {"connection_window": "1GiB"}}, "spec.http2.connection_window", "out_of_bounds"),
        ("Listener", "edge", {"http2": {"max_age": "0s"}}, "spec.http2.max_age", "out_of_bounds"),
        ("Listener", "edge", {"http2": {"max_streams": 1_001}}, "spec.http2.max_streams", "out_of_bounds"),
        ("Listener", "edge-tls", {"http3": {"alt_svc_max_age": "-1s"}}, "spec.http3.alt_svc_max_age", "bad_duration"),
        (
            "Listener",
            "edge-tls",
            {"http3": {"alt_svc_max_age": "100000h"}},
            "spec.http3.alt_svc_max_age",
            "out_of_bounds",
        ),
        ("Listener", "edge", {"http3": {}}, "spec.http3", "forbidden_combination"),
        ("Listener", "mesh-tls", {"http3": {"enabled": True}}, "spec.http3", "forbidden_combination"),
        ("Listener", "partner", OWN | {"protocol": "http3", "http3": {}}, "spec.http3", "forbidden_combination"),
        ("Listener", "partner", OWN | {"protocol": "http3", "face": "mesh"}, "spec.protocol", "forbidden_combination"),
        (
            "Listener",
            "partner",
            OWN | {"protocol": "http3", "tls": {"client_auth": "require", "trust": "partner-ca"}},
            "spec.tls.client_auth",
            "forbidden_combination",
        ),
        (
            "Listener",
            "edge-tls",
            {"http3": {"enabled": True}, "tls": {"client_auth": "optional", "trust": "partner-ca"}},
            "spec.tls.client_auth",
            "forbidden_combination",
        ),
        ("Listener", "partner", OWN | {"face": "mesh", "routes": "named"}, "spec.routes", "forbidden_combination"),
        (
            "Listener",
            "partner",
            OWN | {"protocol": "https", "tls": {"client_auth": "require"}},
            "spec.tls.trust",
            "missing_field",
        ),
        (
            "Listener",
            "partner",
            OWN | {"protocol": "https", "redirect_https": {}},
            "spec.redirect_https",
            "forbidden_combination",
        ),
        ("Listener", "edge", {"port": 80}, "spec.port", "unsupported"),
        ("Listener", "edge", {"enabled": False}, "spec.enabled", "unsupported"),
        ("Listener", "edge", {"face": "mesh"}, "spec.face", "forbidden_combination"),
        ("Listener", "edge-tls", {"protocol": "http"}, "spec.protocol", "forbidden_combination"),
        ("Listener", "edge", {"limits": {"handshakes": 513}}, "spec.limits.handshakes", "out_of_bounds"),
        ("Listener", "edge", {"limits": {"head_timeout": "0s"}}, "spec.limits.head_timeout", "out_of_bounds"),
        ("Listener", "edge", {"limits": {"idle_timeout": "2h"}}, "spec.limits.idle_timeout", "out_of_bounds"),
        ("Listener", "edge", {"limits": {"body_min_rate": "2MiB"}}, "spec.limits.body_min_rate", "out_of_bounds"),
        ("Listener", "edge", {"limits": {"head": "1MiB"}}, "spec.limits.head", "out_of_bounds"),
        ("Listener", "edge", {"limits": {"target": 10}}, "spec.limits.target", "out_of_bounds"),
        ("Listener", "edge", {"limits": {"fields": 0}}, "spec.limits.fields", "out_of_bounds"),
        ("Listener", "edge", {"underscores": "keep"}, "spec.underscores", "out_of_bounds"),
        ("Listener", "edge", {"tls": {}}, "spec.tls", "forbidden_combination"),
        ("Listener", "mesh", {"hsts": {}}, "spec.hsts", "forbidden_combination"),
        ("Listener", "edge-tls", {"redirect_https": {}}, "spec.redirect_https", "forbidden_combination"),
        ("Listener", "edge-tls", {"tls": {"min_version": "1.1"}}, "spec.tls.min_version", "out_of_bounds"),
        ("Listener", "edge-tls", {"tls": {"mode": "terminate"}}, "spec.tls.mode", "forbidden_combination"),
        ("Listener", "edge-tls", {"tls": {"certificates": ["a", "a"]}}, "spec.tls.certificates[1]", "duplicate"),
        ("Listener", "edge-tls", {"hsts": {"preload": True}}, "spec.hsts.preload", "forbidden_combination"),
        ("Listener", "edge", {"hosts": ["A.example"]}, "spec.hosts[0]", "bad_name"),
        ("Listener", "edge", {"hosts": ["a", "a"]}, "spec.hosts[1]", "duplicate"),
        ("Listener", "edge", {"trusted_proxies": ["10.0.0.1/8"]}, "spec.trusted_proxies[0]", "out_of_bounds"),
        ("Listener", "edge-tls", {"tls": {"client_auth": "require"}}, "spec.tls.trust", "missing_field"),
        (
            "Listener",
            "mesh-tls",
            {"tls": {"client_auth": "none", "trust": "a"}},
            "spec.tls.trust",
            "forbidden_combination",
        ),
        ("Certificate", "shop", {}, "spec", "forbidden_combination"),
        ("Certificate", "shop", {"files": FILES, "secret": "s"}, "spec", "forbidden_combination"),
        ("Certificate", "shop", {"files": FILES, "acme": {}}, "spec.acme", "unsupported"),
        ("Certificate", "shop", {"files": FILES, "mesh_ca": {}, "hosts": ["a"]}, "spec", "forbidden_combination"),
        ("Certificate", "shop", {"mesh_ca": {}}, "spec.hosts", "missing_field"),
        ("Certificate", "shop", ISSUED | {"mesh_ca": {"lifetime": "59m"}}, "spec.mesh_ca.lifetime", "out_of_bounds"),
        ("Certificate", "shop", ISSUED | {"mesh_ca": {"lifetime": "2161h"}}, "spec.mesh_ca.lifetime", "out_of_bounds"),
        ("Certificate", "shop", ISSUED | {"mesh_ca": {"key": "rsa1024"}}, "spec.mesh_ca.key", "out_of_bounds"),
        ("Certificate", "shop", ISSUED | {"renew_before": "22h"}, "spec.renew_before", "out_of_bounds"),
        ("Certificate", "shop", {"secret": "s", "renew_before": "1h"}, "spec.renew_before", "forbidden_combination"),
        ("Certificate", "shop", ISSUED | {"expiry": {"warn": "1s"}}, "spec.expiry.warn", "out_of_bounds"),
        (
            "Certificate",
            "shop",
            ISSUED | {"expiry": {"warn": "1h", "critical": "2h"}},
            "spec.expiry.critical",
            "forbidden_combination",
        ),
        ("Namespace", "shop", {"edge_hosts": ["*"]}, "spec.edge_hosts[0]", "bad_name"),
        ("Namespace", "shop", {"edge_hosts": ["a", "a"]}, "spec.edge_hosts[1]", "duplicate"),
        ("Certificate", "shop", {"files": FILES, "hosts": ["*"]}, "spec.hosts[0]", "bad_name"),
        ("Certificate", "shop", {"files": FILES, "listeners": ["edge"]}, "spec.listeners[0]", "forbidden_combination"),
        ("Certificate", "shop", {"files": FILES, "listeners": ["edge-tls"] * 2}, "spec.listeners[1]", "duplicate"),
        ("Certificate", "shop", {"files": FILES | {"key": "/etc/key"}}, "spec.files.key", "out_of_bounds"),
        ("Certificate", "shop", {"files": FILES | {"key": "a/../../k"}}, "spec.files.key", "out_of_bounds"),
    ],
)
def test_what_cannot_be_meant_is_refused(kind: str, name: str, spec: dict[str, Any], path: str, code: str) -> None:
    assert faults(kind, spec, name) == [(path, code)]


@pytest.mark.parametrize(
    ("kind", "name", "spec"),
    [
        ("Listener", "edge", {"redirect_https": {"port": 8543, "status": 301}, "hosts": ["*.shop.example"]}),
        ("Listener", "mesh-tls", {"tls": {"min_version": "1.3", "default": "gateway"}}),
        ("Listener", "edge-tls", {"http2": {"enabled": False}}),
        ("Listener", "edge", {"http2": {"max_streams": 1_000, "stream_window": "64KiB", "max_requests": 1}}),
        ("Listener", "edge-tls", {"hsts": {"preload": True, "include_subdomains": True}, "trusted_proxies": []}),
        ("Listener", "edge-tls", {"http3": {"enabled": True, "alt_svc_max_age": "0s"}, "tls": {"client_auth": "none"}}),
        ("Listener", "mesh-tls", {"http3": {"enabled": False}}),
        ("Listener", "partner", OWN | {"protocol": "http3", "tls": {"default": "shop"}, "http2": {"max_streams": 10}}),
        ("Listener", "edge-tls", {"tls": {"client_auth": "optional", "trust": {"secret": "partners"}}}),
        ("Listener", "mesh-tls", {"tls": {"client_auth": "require", "resumption": False}, "face": "mesh"}),
        ("Listener", "partner", OWN | {"routes": "named", "gateways": ["gw-1", {"prefix": "eu-"}], "enabled": False}),
        ("Listener", "partner", OWN | {"redirect_https": {}, "address": "::"}),
        ("Listener", "inside", OWN | {"protocol": "https", "face": "mesh", "tls": {"client_auth": "require"}}),
        ("Certificate", "shop", {"files": FILES, "hosts": ["shop.example", "*.shop.example"]}),
        ("Certificate", "shop", {"secret": "shop-tls"}),
        ("Certificate", "shop", {"mesh_ca": {"lifetime": "1h", "key": "rsa2048"}, "hosts": ["books.shop.mesh"]}),
        ("Certificate", "shop", ISSUED | {"renew_before": "21h", "expiry": {"critical": "1h"}}),
        ("Namespace", "shop", {"edge_hosts": ["shop.example", "*.shop.example"]}),
    ],
)
def test_what_can_be_meant_is_read(kind: str, name: str, spec: dict[str, Any]) -> None:
    assert faults(kind, spec, name) == []


def test_listeners_are_the_meshs_and_certificates_anybodys() -> None:
    assert faults("Listener", {}, "edge", "shop") == [("metadata.namespace", "forbidden_namespace")]
    assert faults("Certificate", {"files": FILES}, "shop", "shop") == []
