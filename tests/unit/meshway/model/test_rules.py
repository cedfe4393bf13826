# ruff: noqa: E501 - a table is read by its columns
"""What must hold inside one document: a table of specs and what is wrong with each."""

from typing import Any

import pytest

from meshway.model.decode import decode_document, decode_spec
from meshway.problem import Problem

TO = {"destinations": [{"service": "cart"}]}


def rule(**fields: Any) -> dict[str, Any]:
    return {"rules": [TO | fields]}


def service(**fields: Any) -> dict[str, Any]:
    return fields


def policy(**fields: Any) -> dict[str, Any]:
    return fields


def limit(**fields: Any) -> dict[str, Any]:
    return {"token_bucket": {"rate": "5/s"}} | fields


HEADERS = "spec.rules[0].request_headers"
WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    ("Route", {"rules": []}, "spec.rules", "out_of_bounds"),
    ("MeshSettings", {"public_url": "mesh.example"}, "spec.public_url", "out_of_bounds"),
    ("MeshSettings", {"public_url": "https://mesh.example/console"}, "spec.public_url", "out_of_bounds"),
    ("MeshSettings", {"public_url": "https://mesh.example?x"}, "spec.public_url", "out_of_bounds"),
    ("MeshSettings", {"public_url": "https://me:word@mesh.example"}, "spec.public_url", "inline_secret"),
    ("MeshSettings", {"retention": {"points_10s": "5m"}}, "spec.retention.points_10s", "out_of_bounds"),
    ("MeshSettings", {"retention": {"points_10s": "2h", "points_1m": "1h"}}, "spec.retention", "forbidden_combination"),
    ("MeshSettings", {"retention": {"spans": 10}}, "spec.retention.spans", "out_of_bounds"),
    ("MeshSettings", {"retention": {"logs": "10s"}}, "spec.retention.logs", "out_of_bounds"),
    ("MeshSettings", {"retention": {"logs_max": "1MiB"}}, "spec.retention.logs_max", "out_of_bounds"),
    ("MeshSettings", {"retention": {"history": "24h"}}, "spec.retention.history", "unsupported"),
    ("MeshSettings", {"telemetry": {"report_every": "31s"}}, "spec.telemetry.report_every", "out_of_bounds"),
    ("Route", {"rules": [{}]}, "spec.rules[0]", "forbidden_combination"),
    ("Route", rule(redirect={"host": "a.example"}), "spec.rules[0]", "forbidden_combination"),
    ("Route", {"rules": [{"destinations": [{"service": "a", "weight": 0}]}]}, "spec.rules[0].destinations", "out_of_bounds"),
    ("Route", rule(match=[{"path": {}}]), "spec.rules[0].match[0].path", "forbidden_combination"),
    ("Route", rule(match=[{"path": {"exact": "/a", "prefix": "/b"}}]), "spec.rules[0].match[0].path", "forbidden_combination"),
    ("Route", rule(match=[{"path": {"regex": "/(a"}}]), "spec.rules[0].match[0].path.regex", "bad_regex"),
    ("Route", rule(match=[{"path": {"regex": "(a)\\1"}}]), "spec.rules[0].match[0].path.regex", "bad_regex"),
    ("Route", rule(match=[{"path": {"regex": "a" * 513}}]), "spec.rules[0].match[0].path.regex", "out_of_bounds"),
    ("Route", rule(match=[{"path": {"template": "/a/{b"}}]), "spec.rules[0].match[0].path.template", "bad_template"),
    ("Route", rule(match=[{"path": {"template": "/a"}}]), "spec.rules[0].match[0].path.template", "bad_template"),
    ("Route", rule(match=[{"path": {"string_prefix": "a"}}]), "spec.rules[0].match[0].path.string_prefix", "out_of_bounds"),
    ("Route", rule(match=[{"path": {"exact": "/a", "ignore_case": 1}}]), "spec.rules[0].match[0].path.ignore_case", "wrong_type"),
    ("Route", rule(match=[{"source": {"cidr": ["10.0.0.1/8"]}}]), "spec.rules[0].match[0].source.cidr[0]", "out_of_bounds"),
    ("Route", rule(match=[{"source": {"service": "a", "cidr": ["::/0"]}}]), "spec.rules[0].match[0].source.service", "unsupported"),
    ("Route", rule(match=[{"claims": {"sub": "a"}}]), "spec.rules[0].match[0].claims", "unsupported"),
    ("Route", rule(match=[{"scheme": "ftp"}]), "spec.rules[0].match[0].scheme", "out_of_bounds"),
    ("Route", rule(match=[{"cookies": {"a b": "x"}}]), 'spec.rules[0].match[0].cookies["a b"]', "bad_name"),
    ("Route", rule(match=[{"query": {"q": {"exact": "a", "in": ["b"]}}}]), "spec.rules[0].match[0].query.q", "forbidden_combination"),
    ("Route", rule(match=[{"query": {"q": {"present": True, "invert": True}}}]), "spec.rules[0].match[0].query.q", "forbidden_combination"),
    ("Route", rule(match=[{"query": {"q": {"regex": "["}}}]), "spec.rules[0].match[0].query.q.regex", "bad_regex"),
    ("Route", rule(match=[{"path": {"exact": "/a?b"}}]), "spec.rules[0].match[0].path.exact", "out_of_bounds"),
    ("Route", rule(match=[{"methods": ["get"]}]), "spec.rules[0].match[0].methods[0]", "out_of_bounds"),
    ("Route", rule(match=[{"methods": ["G T"]}]), "spec.rules[0].match[0].methods[0]", "out_of_bounds"),
    ("Route", rule(match=[{"headers": {"x": {"a": "b"}}}]), "spec.rules[0].match[0].headers.x.a", "unknown_field"),
    ("Route", rule(match=[{"headers": {"x": 1}}]), "spec.rules[0].match[0].headers.x", "wrong_type"),
    ("Route", rule(match=[{"headers": {"a b": "x"}}]), 'spec.rules[0].match[0].headers["a b"]', "bad_name"),
    ("Route", rule(match=[{"headers": {"A": "x", "a": "y"}}]), "spec.rules[0].match[0].headers.a", "duplicate"),
    ("Route", rule(rewrite={"path": {"prefix": "/x"}}), "spec.rules[0].rewrite.path.prefix", "forbidden_combination"),
    (
        "Route",
        rule(match=[{"path": {"exact": "/a"}}], rewrite={"path": {"prefix": "/x"}}),
        "spec.rules[0].rewrite.path.prefix",
        "forbidden_combination",
    ),
    ("Route", rule(rewrite={"path": {"full": "/x", "prefix": "/y"}}), "spec.rules[0].rewrite.path", "forbidden_combination"),
    ("Route", rule(rewrite={"path": {"full": "/x#y"}}), "spec.rules[0].rewrite.path.full", "out_of_bounds"),
    ("Route", {"rules": [{"redirect": {"status": 302}}]}, "spec.rules[0].redirect", "missing_field"),
    ("Route", {"rules": [{"redirect": {"host": "A.example"}}]}, "spec.rules[0].redirect.host", "bad_name"),
    (
        "Route",
        {"rules": [{"redirect": {"scheme": "https"}, "retry": {}}]},
        "spec.rules[0].retry",
        "forbidden_combination",
    ),
    ("Route", rule(request_headers={"set": {"Connection": "x"}}), f"{HEADERS}.set.Connection", "forbidden_combination"),
    ("Route", rule(request_headers={"add": {"host": "x"}}), f"{HEADERS}.add.host", "forbidden_combination"),
    ("Route", rule(request_headers={"remove": ["Content-Length"]}), f"{HEADERS}.remove[0]", "forbidden_combination"),
    ("Route", rule(request_headers={"set": {"x": "a\r\nb: c"}}), f"{HEADERS}.set.x", "out_of_bounds"),
    ("Route", rule(request_headers={"set": {"x": "${principal}"}}), f"{HEADERS}.set.x", "unsupported"),
    ("Route", rule(request_headers={"set": {"x": "${requestid}"}}), f"{HEADERS}.set.x", "bad_template"),
    ("Route", rule(request_headers={"set": {"x": "a ${request_id"}}), f"{HEADERS}.set.x", "bad_template"),
    ("Route", rule(request_headers={"set": {"x": "${path.id}"}}), HEADERS, "forbidden_combination"),
    ("Route", {"rules": [TO | {"name": "a"}, TO | {"name": "a"}]}, "spec.rules[1].name", "duplicate"),
    ("Route", rule() | {"listeners": ["mesh"]}, "spec.hosts", "missing_field"),
    ("Route", rule() | {"listeners": ["mesh"], "hosts": ["*"]}, "spec.hosts[0]", "bad_name"),
    ("Route", rule() | {"hosts": ["a.*.example"]}, "spec.hosts[0]", "bad_name"),
    ("Route", rule() | {"hosts": ["Shop.example"]}, "spec.hosts[0]", "bad_name"),
    ("Route", rule() | {"hosts": ["shop.example:8080"]}, "spec.hosts[0]", "bad_name"),
    ("Route", rule() | {"hosts": ["a.example", "a.example"]}, "spec.hosts[1]", "duplicate"),
    ("Route", rule() | {"listeners": ["edge", "edge"]}, "spec.listeners[1]", "duplicate"),
    ("Route", rule() | {"listeners": ["mesh-tls"]}, "spec.listeners[0]", "forbidden_combination"),
    ("Route", rule() | {"listeners": ["Out side"]}, "spec.listeners[0]", "bad_name"),
    ("Route", rule(timeouts={"deadline": "25h"}), "spec.rules[0].timeouts.deadline", "out_of_bounds"),
    ("Route", rule(transcode={"descriptors": "d"}), "spec.rules[0].transcode.services", "missing_field"),
    ("Route", rule(transcode={"services": ["a.B"]}), "spec.rules[0].transcode.descriptors", "missing_field"),
    ("Route", rule(hedge={"after": 50}), "spec.rules[0].hedge.after", "wrong_type"),
    ("Route", rule(hedge={"after": "p99"}), "spec.rules[0].hedge.after", "bad_duration"),
    ("Route", rule(hedge={"after": "2m"}), "spec.rules[0].hedge.after", "out_of_bounds"),
    (
        "TrafficPolicy",
        {"load_balancer": {"algorithm": "peak_ewma", "weights": "auto"}},
        "spec.load_balancer.weights",
        "forbidden_combination",
    ),
    ("TrafficPolicy", {"hedge": {"max": 3}}, "spec.hedge.max", "out_of_bounds"),
    ("Route", rule(criticality="high"), "spec.rules[0].criticality", "out_of_bounds"),
    ("TrafficPolicy", {"adaptive_concurrency": {"min_limit": 5, "max_limit": 4}}, "spec.adaptive_concurrency.min_limit", "forbidden_combination"),
    ("TrafficPolicy", {"adaptive_concurrency": {"window": "1ms"}}, "spec.adaptive_concurrency.window", "out_of_bounds"),
    ("Service", service(ports=[{"name": "a"}, {"name": "a", "port": 81}]), "spec.ports[1].name", "duplicate"),
    ("Service", service(ports=[{"name": "a"}, {"name": "b"}]), "spec.ports[1].port", "duplicate"),
    ("Service", service(ports=[{"port": 0}]), "spec.ports[0].port", "out_of_bounds"),
    ("Service", service(ports=[{"port": True}]), "spec.ports[0].port", "wrong_type"),
    ("Service", service(ports=[{"port": 80.5}]), "spec.ports[0].port", "wrong_type"),
    ("Service", service(ports=[{"protocol": "sctp"}]), "spec.ports[0].protocol", "out_of_bounds"),
    ("Service", service(type="external"), "spec.external", "missing_field"),
    ("Service", service(type="kubernetes"), "spec.type", "unsupported"),
    ("Service", service(type="external", external={"host": "api.example"}), "spec.external.tls", "unsupported"),
    ("Service", service(type="external", external={"host": "10.0.0.7", "tls": False}), "spec.external.host", "bad_name"),
    ("Service", service(type="external", external={"host": "localhost", "tls": False}), "spec.external.host", "bad_name"),
    ("Service", service(type="external", external={"host": "a.b.mesh", "tls": False}), "spec.external.host", "bad_name"),
    ("Service", service(type="external", external={"host": "a.b", "tls": False, "refresh": "1s"}), "spec.external.refresh", "out_of_bounds"),
    ("Service", service(type="external", external={"host": "a.b", "tls": False, "resolve": "srv"}), "spec.external.resolve", "unsupported"),
    ("Service", service(type="static"), "spec.endpoints", "missing_field"),
    ("Service", service(endpoints=[{"address": "10.0.0.1", "port": 80}]), "spec.endpoints", "forbidden_combination"),
    (
        "Service",
        service(type="static", endpoints=[{"address": "10.0.0.1:80", "port": 80}]),
        "spec.endpoints[0].address",
        "bad_address",
    ),
    (
        "Service",
        service(type="static", endpoints=[{"address": "a", "port": 80}] * 2),
        "spec.endpoints[1]",
        "duplicate",
    ),
    (
        "Service",
        service(type="static", ports=[{"target_port": 81}], endpoints=[{"address": "a", "port": 81}, {"address": "a"}]),
        "spec.endpoints[1]",
        "duplicate",
    ),
    ("Service", service(subsets=[{"name": "v1", "match": {}}]), "spec.subsets[0].match", "missing_field"),
    (
        "Service",
        service(subsets=[{"name": "v1", "match": {"version": "1"}}, {"name": "v1", "match": {"version": "2"}}]),
        "spec.subsets[1].name",
        "duplicate",
    ),
    ("Service", service(aliases=["*.shop"]), "spec.aliases[0]", "bad_name"),
    ("TrafficPolicy", policy(targets=[{}]), "spec.targets[0]", "forbidden_combination"),
    ("TrafficPolicy", policy(targets=[{"service": "a", "route": "b"}]), "spec.targets[0]", "forbidden_combination"),
    ("TrafficPolicy", policy(targets=[{"route": "a", "subset": "v1"}]), "spec.targets[0].subset", "forbidden_combination"),
    ("TrafficPolicy", policy(targets=[{"service": "a"}] * 2), "spec.targets[0]", "duplicate"),
    ("TrafficPolicy", policy(targets=[{"route": "a", "port": "web"}]), "spec.targets[0].port", "forbidden_combination"),
    ("TrafficPolicy", policy(targets=[{"service": "a", "port": "web"}], health_check={"type": "tcp"}), "spec.health_check", "forbidden_combination"),
    ("RateLimit", limit(targets=[{"service": "a", "port": "web"}]), "spec.targets[0].port", "unsupported"),
    ("TrafficPolicy", policy(targets=[{"consumer": "a"}]), "spec.targets[0].consumer", "unsupported"),
    ("TrafficPolicy", policy(load_balancer={"algorithm": "maglev"}), "spec.load_balancer.hash_key", "missing_field"),
    (
        "TrafficPolicy",
        policy(load_balancer={"algorithm": "random", "decay": "5s"}),
        "spec.load_balancer.decay",
        "forbidden_combination",
    ),
    (
        "TrafficPolicy",
        policy(load_balancer={"hash_key": {"header": "x", "path": True}}),
        "spec.load_balancer.hash_key",
        "forbidden_combination",
    ),
    (
        "TrafficPolicy",
        policy(load_balancer={"hash_key": {"header": "a b"}}),
        "spec.load_balancer.hash_key.header",
        "bad_name",
    ),
    (
        "TrafficPolicy",
        policy(load_balancer={"hash_key": {"principal": True}}),
        "spec.load_balancer.hash_key.principal",
        "unsupported",
    ),
    (
        "TrafficPolicy",
        policy(load_balancer={"max_load_factor": 1.01}),
        "spec.load_balancer.max_load_factor",
        "out_of_bounds",
    ),
    (
        "TrafficPolicy",
        policy(load_balancer={"maglev": {"table_size": 1000}}),
        "spec.load_balancer.maglev.table_size",
        "out_of_bounds",
    ),
    ("TrafficPolicy", policy(slow_start={"window": "16m"}), "spec.slow_start.window", "out_of_bounds"),
    ("TrafficPolicy", policy(locality={"mode": "prefer_zon"}), "spec.locality.mode", "out_of_bounds"),
    ("TrafficPolicy", policy(failover=[{"subset": "v2"}]), "spec.failover[0].service", "missing_field"),
    (
        "TrafficPolicy",
        policy(panic={"when_healthy_below_percent": 101}),
        "spec.panic.when_healthy_below_percent",
        "out_of_bounds",
    ),
    (
        "TrafficPolicy",
        policy(load_balancer={"algorithm": "random", "choices": 3}),
        "spec.load_balancer.choices",
        "forbidden_combination",
    ),
    ("TrafficPolicy", policy(connection={"connect_timeout": "1ms"}), "spec.connection.connect_timeout", "out_of_bounds"),
    ("TrafficPolicy", policy(connection={"max_age": "10ms"}), "spec.connection.max_age", "out_of_bounds"),
    (
        "TrafficPolicy",
        policy(connection={"tcp_keepalive": {"interval": "0s"}}),
        "spec.connection.tcp_keepalive.interval",
        "out_of_bounds",
    ),
    ("TrafficPolicy", policy(connection={"max_streams": 0}), "spec.connection.max_streams", "out_of_bounds"),
    (
        "TrafficPolicy",
        policy(targets=[{"service": "a", "subset": "b"}], health_check={"type": "tcp"}),
        "spec.health_check",
        "forbidden_combination",
    ),
    ("Service", service(external={"host": "api.example", "tls": False}), "spec.external", "forbidden_combination"),
    (
        "TrafficPolicy",
        policy(load_balancer={"algorithm": "maglev", "hash_key": {"path": True}}, slow_start={"window": "10s"}),
        "spec.slow_start.window",
        "forbidden_combination",
    ),
    (
        "Route",
        {"rules": [{"redirect": {"scheme": "https"}, "hedge": {}}]},
        "spec.rules[0].hedge",
        "forbidden_combination",
    ),
    (
        "Route",
        {"rules": [{"respond": {"status": 204}, "criticality": "critical"}]},
        "spec.rules[0].criticality",
        "forbidden_combination",
    ),
    (
        "TrafficPolicy",
        policy(targets=[{"service": "a", "subset": "b"}], connection={"proxy_protocol": "v1"}),
        "spec.connection.proxy_protocol",
        "forbidden_combination",
    ),
    (
        "TrafficPolicy",
        policy(targets=[{"service": "a", "subset": "b"}], connection={"http": "http2"}),
        "spec.connection.http",
        "forbidden_combination",
    ),
    (
        "TrafficPolicy",
        policy(targets=[{"service": "a"}], connection={"http": "http2", "proxy_protocol": "v1"}),
        "spec.connection.proxy_protocol",
        "forbidden_combination",
    ),
    ("TrafficPolicy", policy(retry={"buffer": "2MiB"}), "spec.retry.buffer", "out_of_bounds"),
    ("TrafficPolicy", policy(retry={"buffer": "1MB"}), "spec.retry.buffer", "bad_size"),
    ("TrafficPolicy", policy(retry={"backoff": {"base": "1s"}}), "spec.retry.backoff.base", "forbidden_combination"),
    ("TrafficPolicy", policy(breaker={"window": "0s"}), "spec.breaker.window", "out_of_bounds"),
    ("TrafficPolicy", policy(breaker={"open_for": "2m"}), "spec.breaker.open_for", "forbidden_combination"),
    ("TrafficPolicy", policy(breaker={"failure_percent": 101}), "spec.breaker.failure_percent", "out_of_bounds"),
    (
        "TrafficPolicy",
        policy(outlier_detection={"base_ejection": "10m"}),
        "spec.outlier_detection.base_ejection",
        "forbidden_combination",
    ),
    ("TrafficPolicy", policy(health_check={"interval": "1s"}), "spec.health_check.timeout", "forbidden_combination"),
    ("TrafficPolicy", policy(health_check={"interval": "100ms", "timeout": "50ms"}), "spec.health_check.interval", "out_of_bounds"),
    ("TrafficPolicy", policy(health_check={"expect": ["2xx"]}), "spec.health_check.expect[0]", "out_of_bounds"),
    ("TrafficPolicy", policy(health_check={"expect": ["299-200"]}), "spec.health_check.expect[0]", "out_of_bounds"),
    ("TrafficPolicy", policy(health_check={"path": "health"}), "spec.health_check.path", "out_of_bounds"),
    ("TrafficPolicy", policy(health_check={"type": "tcp", "path": "/"}), "spec.health_check.path", "forbidden_combination"),
    ("TrafficPolicy", policy(health_check={"type": "grpc", "path": "/"}), "spec.health_check.path", "forbidden_combination"),
    ("TrafficPolicy", policy(health_check={"type": "http", "service": "a"}), "spec.health_check.service", "forbidden_combination"),
    ("TrafficPolicy", policy(health_check={"type": "grpc", "service": "\n"}), "spec.health_check.service", "out_of_bounds"),
    ("RateLimit", {}, "spec", "forbidden_combination"),
    ("RateLimit", {"token_bucket": {"rate": 5}}, "spec.token_bucket.rate", "bad_rate"),
    ("RateLimit", {"token_bucket": {"rate": "0/s"}}, "spec.token_bucket.rate", "out_of_bounds"),
    ("RateLimit", limit(key=["source"]), "spec.key[0]", "out_of_bounds"),
    ("RateLimit", limit(key=["header"]), "spec.key[0]", "bad_name"),
    ("RateLimit", limit(key=["consumer.a"]), "spec.key[0]", "out_of_bounds"),
    ("RateLimit", limit(key=["claim"]), "spec.key[0]", "bad_name"),
    ("RateLimit", limit(key=["path"]), "spec.key[0]", "bad_name"),
    ("RateLimit", limit(key=["route", "route"]), "spec.key[1]", "duplicate"),
    ("RateLimit", limit(response={"status": 200}), "spec.response.status", "out_of_bounds"),
    ("RateLimit", limit(max_keys=float("inf")), "spec.max_keys", "wrong_type"),
    ("RateLimit", limit(sliding_window={"limit": 5, "window": "1s"}), "spec", "forbidden_combination"),
    ("RateLimit", {"sliding_window": {"limit": 5}}, "spec.sliding_window.window", "missing_field"),
    ("RateLimit", {"sliding_window": {"limit": 5, "window": "500ms"}}, "spec.sliding_window.window", "out_of_bounds"),
    ("RateLimit", {"sliding_window": {"limit": 5, "window": "1s", "segments": 61}}, "spec.sliding_window.segments", "out_of_bounds"),
    ("RateLimit", {"sliding_window": {"limit": 10_001, "window": "1s", "exact": True}}, "spec.sliding_window.exact", "out_of_bounds"),
    ("RateLimit", limit(max_wait="31s"), "spec.max_wait", "out_of_bounds"),
    ("RateLimit", limit(cost=6), "spec.cost", "out_of_bounds"),
    ("RateLimit", {"sliding_window": {"limit": 5, "window": "1s"}, "cost": 6}, "spec.cost", "out_of_bounds"),
    ("RateLimit", {"quota": {"limit": 5, "per": "day"}, "cost": 6}, "spec.cost", "out_of_bounds"),
    ("RateLimit", {"in_flight": {"max": 5}, "cost": 2}, "spec.cost", "forbidden_combination"),
    ("RateLimit", limit(cost={}), "spec.cost", "forbidden_combination"),
    ("RateLimit", limit(cost={"request_header": "x y"}), "spec.cost.request_header", "bad_name"),
    ("RateLimit", limit(cost={"request_bytes": "2GiB"}), "spec.cost.request_bytes", "out_of_bounds"),
    ("RateLimit", {"quota": {"limit": 5, "per": "week"}}, "spec.quota.per", "out_of_bounds"),
    ("RateLimit", {"quota": {"limit": 5, "per": "day", "timezone": "Mars/Olympus"}}, "spec.quota.timezone", "out_of_bounds"),
    ("RateLimit", {"quota": {"limit": 5, "per": "day", "timezone": "../etc"}}, "spec.quota.timezone", "out_of_bounds"),
    ("RateLimit", {"quota": {"limit": 5, "per": "day"}, "max_wait": "1s"}, "spec.max_wait", "forbidden_combination"),
    ("RateLimit", limit(match=[{"path": {"prefix": "a"}}]), "spec.match[0].path.prefix", "out_of_bounds"),
    ("RateLimit", limit(max_queue=1001), "spec.max_queue", "out_of_bounds"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "spec", "path", "code"), WRONG, ids=[f"{kind}-{path}-{code}" for kind, _, path, code in WRONG]
)
def test_it_is_refused_at_its_path(kind: str, spec: dict[str, Any], path: str, code: str) -> None:
    read, errors = decode_spec(kind, spec)
    assert read is None
    assert [(error.path, error.code) for error in errors] == [(path, code)]
    assert errors[0].message.startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Route", rule(match=[{"path": {"prefix": "/a"}}], rewrite={"path": {"prefix": "/x"}})),
        ("Route", rule() | {"listeners": ["mesh"], "hosts": ["cart", "cart.shop"]}),
        ("Route", rule() | {"listeners": ["edge", "outside"]}),
        ("Route", rule() | {"hosts": ["*", "*.shop.example", "10.0.0.1"]}),
        ("Route", rule(timeouts={"deadline": "0s", "attempt": "1s"})),
        ("TrafficPolicy", policy(health_check={"interval": "1s", "timeout": "900ms", "expect": ["200-299", "404"]})),
        ("TrafficPolicy", policy(targets=[{"route": "a", "rule": "b"}, {"service": "a", "subset": "v1"}])),
        ("TrafficPolicy", policy(retry={"on": ["reset"], "backoff": {"base": "25ms", "max": "1s"}})),
        (
            "RateLimit",
            limit(
                key=[
                    "source_ip",
                    "header.x-key",
                    "query.tenant",
                    "path.id",
                    "constant",
                    "principal",
                    "consumer",
                    "claim.a.b",
                ]
            ),
        ),
        ("RateLimit", limit(max_wait="2s", max_queue=5)),
        ("RateLimit", {"sliding_window": {"limit": 10_000, "window": "24h", "segments": 60, "exact": True}}),
    ],
)
def test_what_is_right_is_read(kind: str, spec: dict[str, Any]) -> None:
    read, errors = decode_spec(kind, spec)
    assert errors == []
    assert read is not None


def test_only_namespace_mesh_speaks_for_the_mesh() -> None:
    raw: dict[str, Any] = {
        "apiVersion": "meshway/v1",
        "kind": "TrafficPolicy",
        "metadata": {"name": "all", "namespace": "shop"},
        "spec": {"targets": [{"mesh": True}]},
    }
    with pytest.raises(Problem) as refused:
        decode_document(raw)
    assert [(error.path, error.code) for error in refused.value.errors] == [
        ("spec.targets[0].mesh", "forbidden_namespace")
    ]
    raw["metadata"]["namespace"] = "mesh"
    assert decode_document(raw)[0].name == "TrafficPolicy mesh/all"
