"""What foreign documents become, before the model judges it, and where what is refused was written."""

from typing import Any

import pytest

from meshway.formats.conversion import Conversion, convert
from meshway.formats.surroundings import Options
from meshway.formats.yaml_documents import read_documents

HELLO = """\
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata: {name: a, namespace: shop}
spec:
  hosts: [reviews]
  http:
"""


def converted(text: str, **options: bool) -> Conversion:
    return convert(read_documents(text, "mesh.yaml"), "default", Options(**options))


def specs(text: str, **options: bool) -> dict[str, Any]:
    """By kind, namespace and name; nothing may be wrong."""
    conversion = converted(text, **options)
    assert [*conversion.errors, *conversion.refused] == []
    return {
        f"{one.raw['kind']} {one.raw['metadata'].get('namespace', 'default')}/{one.raw['metadata']['name']}": one.raw[
            "spec"
        ]
        for one in conversion.documents
    }


def rules(http: str, **options: bool) -> list[dict[str, Any]]:
    """The rules of a VirtualService whose `http` is this, indented by two."""
    (spec,) = specs(HELLO + http, **options).values()
    read: list[dict[str, Any]] = spec["rules"]
    return read


def told(text: str) -> list[tuple[int | None, str, str]]:
    """Line, path and code of what is refused or wrong."""
    conversion = converted(text)
    found = [*conversion.errors, *conversion.refused]
    return [(one.error.line, one.error.path, one.code) for one in found]


def test_a_virtual_service_without_gateways_is_a_route_of_the_mesh_in_its_own_order() -> None:
    text = HELLO + (
        "  - {match: [{headers: {end-user: {exact: jason}}}], route: [{destination: {host: reviews, subset: v2}}]}\n"
        "  - route: [{destination: {host: reviews.far.svc.cluster.local}, weight: 9},"
        " {destination: {host: b}, weight: 1}]\n"
    )
    assert specs(text) == {
        "Route shop/a": {
            "listeners": ["mesh"],
            "hosts": ["reviews"],
            "order": "listed",
            "rules": [
                {
                    "match": [{"headers": {"end-user": "jason"}}],
                    "destinations": [{"service": "reviews", "subset": "v2"}],
                },
                {
                    "destinations": [
                        {"service": "reviews", "namespace": "far", "weight": 9},
                        {"service": "b", "weight": 1},
                    ]
                },
            ],
        }
    }


@pytest.mark.parametrize(
    ("match", "native"),
    [
        ("uri: {exact: /a}", {"path": {"exact": "/a"}}),
        ("uri: {prefix: /}", {"path": {"prefix": "/"}}),
        ("uri: {prefix: /a}", {"path": {"string_prefix": "/a"}}),
        ("uri: {regex: '/a.*'}, ignoreUriCase: true", {"path": {"regex": "/a.*", "ignore_case": True}}),
        ("method: {regex: 'GET|HEAD'}", {"methods": ["GET", "HEAD"]}),
        ("scheme: {exact: https}", {"scheme": "https"}),
        ("authority: {prefix: shop.}", {"headers": {"host": {"prefix": "shop."}}}),
        ("headers: {X-A: {}}", {"headers": {"x-a": {"present": True}}}),
        ("withoutHeaders: {a: {exact: b}}", {"headers": {"a": {"exact": "b", "invert": True}}}),
        ("queryParams: {q: {regex: '[0-9]+'}}", {"query": {"q": {"regex": "[0-9]+"}}}),
        ("sourceLabels: {app: x}, sourceNamespace: n", {"source": {"labels": {"app": "x"}, "namespace": "n"}}),
    ],
)
def test_a_match_asks_the_same(match: str, native: dict[str, Any]) -> None:
    (rule,) = rules(f"  - {{match: [{{{match}}}], route: [{{destination: {{host: a}}}}]}}\n")
    assert rule["match"] == [native]


@pytest.mark.parametrize(
    ("action", "native"),
    [
        ("timeout: 1.5s", {"timeouts": {"deadline": "1500ms"}}),
        ("timeout: 0s", {"timeouts": {"deadline": "0s"}}),
        (
            "retries: {attempts: 3, perTryTimeout: 2s, retryOn: 'gateway-error,connect-failure,unavailable,429'}",
            {
                "timeouts": {"attempt": "2s"},
                "retry": {
                    "max_retries": 3,
                    "on": ["reset", "attempt_timeout", "connect_failure"],
                    "statuses": [502, 503, 504, 429],
                    "grpc_codes": [14],
                },
            },
        ),
        ("retries: {backoff: 1s}", {"retry": {"backoff": {"base": "1s", "max": "10s"}}}),
        (
            "fault: {delay: {fixedDelay: 7s, percentage: {value: 0.1}}, abort: {grpcStatus: UNAVAILABLE}}",
            {"fault": {"delay": {"fixed": "7s", "percent": 0.1}, "abort": {"grpc_status": 14, "percent": 0.0}}},
        ),
        ("rewrite: {authority: b.example}", {"rewrite": {"host": "b.example"}}),
        (
            "mirror: {host: b, subset: v2}, mirrorPercentage: {value: 5}",
            {"mirror": [{"destination": {"service": "b", "subset": "v2"}, "percent": 5}]},
        ),
        (
            "headers: {request: {set: {x: '1'}, remove: [y]}, response: {add: {z: '2'}}}",
            {"request_headers": {"set": {"x": "1"}, "remove": ["y"]}, "response_headers": {"add": {"z": "2"}}},
        ),
        (
            "corsPolicy: {allowOrigins: [{exact: 'https://a.example'}, {regex: 'b.*'}], maxAge: 24h}",
            {"cors": {"allow_origins": ["https://a.example", {"regex": "b.*"}], "max_age": "24h"}},
        ),
        (
            "corsPolicy: {allowOrigin: ['*'], allowMethods: [PUT], allowHeaders: [x-a], exposeHeaders: [x-b]}",
            {
                "cors": {
                    "allow_origins": ["*"],
                    "allow_methods": ["PUT"],
                    "allow_headers": ["x-a"],
                    "expose_headers": ["x-b"],
                    "max_age": "5s",
                }
            },
        ),
    ],
)
def test_an_action_does_the_same(action: str, native: dict[str, Any]) -> None:
    (rule,) = rules(f"  - {{route: [{{destination: {{host: a}}}}], {action}}}\n")
    assert rule == {"destinations": [{"service": "a"}], **native}


def test_redirects_and_direct_answers_need_no_service() -> None:
    http = (
        "  - {match: [{uri: {exact: /a}}], redirect: {uri: /b, authority: 'b.example:8443', scheme: https}}\n"
        "  - {directResponse: {status: 503, body: {string: closed}}}\n"
    )
    first, second = rules(http)
    assert first["redirect"] == {
        "path": {"full": "/b"}, "host": "b.example", "port": 8443, "scheme": "https", "status": 301,
    }  # fmt: skip
    assert second == {"respond": {"status": 503, "body": "closed"}}


def test_a_rewritten_prefix_and_a_rewritten_path_are_two_rules() -> None:
    http = (
        "  - {match: [{uri: {prefix: /api/}}, {uri: {exact: /old}}], rewrite: {uri: /},"
        " route: [{destination: {host: a}}]}\n"
    )
    by_prefix, whole = rules(http)
    assert (by_prefix["match"], by_prefix["rewrite"]) == ([{"path": {"prefix": "/api"}}], {"path": {"prefix": "/"}})
    assert (whole["match"], whole["rewrite"]) == ([{"path": {"exact": "/old"}}], {"path": {"full": "/"}})


def test_imported_retries_protect_methods_unless_that_is_asked_for() -> None:
    http = "  - {route: [{destination: {host: a}}], retries: {attempts: 2}}\n"
    assert rules(http)[0]["retry"] == {"max_retries": 2}
    assert rules(http, istio_retries=True)[0]["retry"] == {"max_retries": 2, "non_idempotent": True}


def test_a_gateway_bounds_the_hosts_and_both_faces_get_a_route() -> None:
    text = """\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: gate, namespace: shop}
spec: {servers: [{port: {number: 80, protocol: HTTP, name: http}, hosts: ["*.example"]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: a, namespace: shop}
spec:
  hosts: [reviews, a.example]
  gateways: [mesh, gate]
  http:
  - {match: [{gateways: [mesh], port: 80}, {gateways: [gate], port: 80}], route: [{destination: {host: reviews}}]}
"""
    conversion = converted(text)
    by_name = {one.raw["metadata"]["name"]: one.raw["spec"] for one in conversion.documents}
    assert by_name["a-edge"]["listeners"] == ["edge"]
    assert by_name["a-edge"]["hosts"] == ["a.example"]
    assert by_name["a"]["listeners"] == ["mesh"]
    # The mesh has no port of the Gateway's.
    assert [one.origin.path for one in conversion.refused] == ["spec.http[0].match[0].port"]


def test_a_delegate_of_the_same_import_is_put_in_place() -> None:
    text = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: root, namespace: shop}
spec:
  hosts: [shop]
  http:
  - {name: cart, match: [{uri: {prefix: /cart}}], delegate: {name: inner}, timeout: 5s}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: inner, namespace: shop}
spec:
  http:
  - {name: add, match: [{uri: {exact: /cart/add}, method: {exact: POST}}], route: [{destination: {host: cart}}]}
  - {name: rest, route: [{destination: {host: cart}}], timeout: 1s}
"""
    (spec,) = specs(text).values()
    assert spec["rules"] == [
        {
            "name": "cart-add",
            "timeouts": {"deadline": "5s"},
            "destinations": [{"service": "cart"}],
            "match": [{"path": {"exact": "/cart/add"}, "methods": ["POST"]}],
        },
        {
            "name": "cart-rest",
            "timeouts": {"deadline": "1s"},
            "destinations": [{"service": "cart"}],
            "match": [{"path": {"string_prefix": "/cart"}}],
        },
    ]
    assert told(text.partition("---")[0]) == [(7, "spec.http[0].delegate.name", "unsupported")]


def test_a_destination_rule_is_policies_and_the_services_subsets() -> None:
    text = """\
apiVersion: networking.istio.io/v1beta1
kind: DestinationRule
metadata: {name: dr, namespace: shop}
spec:
  host: reviews
  trafficPolicy:
    loadBalancer: {consistentHash: {httpHeaderName: x-user}, warmup: {duration: 30s}}
    connectionPool: {tcp: {maxConnections: 9, connectTimeout: 30ms}, http: {http1MaxPendingRequests: 4}}
    outlierDetection: {consecutive5xxErrors: 7, baseEjectionTime: 15m, minHealthPercent: 40}
  subsets:
  - {name: v2, labels: {version: v2, tier: gold}, trafficPolicy: {loadBalancer: {simple: RANDOM}}}
"""
    assert specs(text) == {
        "TrafficPolicy shop/dr": {
            "targets": [{"service": "reviews"}],
            "load_balancer": {"algorithm": "ring_hash", "hash_key": {"header": "x-user"}},
            "slow_start": {"window": "30s"},
            "bulkhead": {"max_connections": 9, "max_pending": 4, "scope": "gateway"},
            "connection": {"connect_timeout": "30ms"},
            "panic": {"when_healthy_below_percent": 40, "action": "use_suspects"},
            "outlier_detection": {"consecutive_5xx": 7, "base_ejection": "15m", "max_ejection": "15m"},
        },
        "TrafficPolicy shop/dr-v2": {
            "targets": [{"service": "reviews", "subset": "v2"}],
            "load_balancer": {"algorithm": "random"},
        },
        "Service shop/reviews": {"subsets": [{"name": "v2", "match": {"version": "v2", "metadata": {"tier": "gold"}}}]},
    }


def test_a_port_of_udp_says_so_and_one_of_sctp_is_refused() -> None:
    text = """\
apiVersion: v1
kind: Service
metadata: {name: game}
spec: {ports: [{name: play, port: 7777, protocol: UDP}]}
"""
    assert specs(text) == {"Service default/game": {"ports": [{"name": "play", "port": 7777, "protocol": "udp"}]}}
    (refused,) = converted(text.replace("UDP", "SCTP")).refused
    assert (refused.error.path, "SCTP is not carried" in str(refused.error)) == ("spec.ports[0].protocol", True)


def test_kubernetes_services_and_deployments_name_ports_and_versions() -> None:
    text = """\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Service
  metadata: {name: reviews}
  spec: {selector: {app: reviews}, ports: [{name: http-web, port: 9080, targetPort: web}]}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: reviews-v1}
  spec:
    template:
      metadata: {labels: {app: reviews, version: v1}}
      spec: {containers: [{name: reviews, ports: [{containerPort: 9081, name: web}]}]}
"""
    assert specs(text) == {
        "Service default/reviews": {
            "ports": [{"name": "http-web", "port": 9080, "target_port": 9081}],
            "subsets": [{"name": "v1", "match": {"version": "v1"}}],
        }
    }


def test_a_native_service_beside_keeps_its_own_and_gets_the_subsets() -> None:
    text = """\
apiVersion: meshway/v1
kind: Service
metadata: {name: reviews}
spec: {type: static, endpoints: [{address: 10.0.0.1, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec: {host: reviews, subsets: [{name: v1, labels: {version: v1}}]}
"""
    assert specs(text) == {
        "Service default/reviews": {
            "type": "static",
            "endpoints": [{"address": "10.0.0.1", "port": 80}],
            "subsets": [{"name": "v1", "match": {"version": "v1"}}],
        }
    }


def test_an_http_route_is_on_the_edge_for_a_gateway_and_on_the_mesh_for_a_service() -> None:
    text = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec:
  parentRefs: [{name: gate}, {kind: Service, group: "", name: cart}]
  hostnames: [shop.example]
  rules:
  - matches: [{path: {type: PathPrefix, value: /v1/}, headers: [{name: X-A, value: b}]}]
    filters:
    - {type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /}}}
    backendRefs: [{name: cart, weight: 3}, {name: basket, weight: 1}]
    timeouts: {request: 3s, backendRequest: 1s}
  - backendRefs: [{name: cart, weight: 0}]
"""
    by_name = specs(text)
    assert by_name["Route default/shop-edge"]["hosts"] == ["shop.example"]
    assert by_name["Route default/shop"]["hosts"] == ["cart"]
    assert by_name["Route default/shop"]["rules"] == [
        {
            "match": [{"path": {"prefix": "/v1"}, "headers": {"x-a": "b"}}],
            "rewrite": {"path": {"prefix": "/"}},
            "timeouts": {"deadline": "3s", "attempt": "1s"},
            "destinations": [{"service": "cart", "weight": 3}, {"service": "basket", "weight": 1}],
        },
        {"respond": {"status": 500}},
    ]


def test_a_grpc_method_is_a_path() -> None:
    text = """\
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: shop}
spec:
  parentRefs: [{name: gate}]
  rules:
  - matches: [{method: {service: shop.Cart, method: Add}}, {method: {service: shop.Cart}}, {method: {method: Get}}]
    backendRefs: [{name: cart}]
"""
    (spec,) = specs(text).values()
    assert [match["path"] for match in spec["rules"][0]["match"]] == [
        {"exact": "/shop.Cart/Add"}, {"prefix": "/shop.Cart"}, {"regex": "/[^/]+/Get"},
    ]  # fmt: skip


def test_another_namespaces_service_needs_its_consent() -> None:
    route = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec: {parentRefs: [{name: gate}], rules: [{backendRefs: [{name: pay, namespace: payments}]}]}
"""
    grant = """\
---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: g, namespace: payments}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: default}]
  to: [{group: "", kind: Service}]
"""
    assert told(route) == [(4, "spec.rules[0].backendRefs[0].namespace", "unsupported")]
    (spec,) = specs(route + grant).values()
    assert spec["rules"][0]["destinations"] == [{"service": "pay", "namespace": "payments"}]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("  - {route: [{destination: {host: a}}], retries: {retryOn: retriable-headers}}\n",
         (7, "spec.http[0].retries.retryOn", "unsupported")),
        ("  - {route: [{destination: {host: a}}], fault: {abort: {http2Error: X}}}\n",
         (7, "spec.http[0].fault.abort.http2Error", "unsupported")),
        ("  - {route: [{destination: {host: a}}], timeuot: 3s}\n", (7, "spec.http[0].timeuot", "unknown_field")),
        ("  - {route: [{destination: {host: a}}], timeout: 3}\n", (7, "spec.http[0].timeout", "bad_duration")),
        ("  - {route: [{destination: {host: out.a.example}}]}\n",
         (7, "spec.http[0].route[0].destination.host", "unsupported")),
        ("  - {route: [{destination: {host: a}}]}\n  exportTo: [far]\n", (8, "spec.exportTo[0]", "unsupported")),
    ],
)  # fmt: skip
def test_what_cannot_be_honoured_is_refused_where_it_stands(text: str, place: tuple[int, str, str]) -> None:
    assert told(HELLO + text) == [place]


@pytest.mark.parametrize(
    ("head", "path"),
    [
        ("apiVersion: networking.istio.io/v1\nkind: EnvoyFilter\n", "kind"),
        ("apiVersion: networking.istio.io/v2\nkind: VirtualService\n", "apiVersion"),
        ("apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n", "kind"),
    ],
)
def test_kinds_and_versions_that_are_not_read_are_refused(head: str, path: str) -> None:
    assert [one.origin.path for one in converted(head + "metadata: {name: a}\nspec: {}\n").refused] == [path]


def test_cors_of_an_http_route_names_origins_as_the_gateway_reads_them() -> None:
    text = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec:
  parentRefs: [{name: gate}]
  rules:
  - backendRefs: [{name: cart}]
    filters:
    - type: CORS
      cors: {allowOrigins: ["https://a.example", "https://*.b.example"], allowMethods: [PUT], maxAge: 30}
  - backendRefs: [{name: cart}]
    matches: [{path: {type: PathPrefix, value: /open}}]
    filters: [{type: CORS, cors: {allowOrigins: ["*"], allowCredentials: false}}]
"""
    (spec,) = specs(text).values()
    assert [rule["cors"] for rule in spec["rules"]] == [
        {
            "allow_origins": ["https://a.example", {"regex": "https://[^/]+\\.b\\.example"}],
            "allow_methods": ["PUT"],
            "max_age": "30s",
        },
        {"allow_origins": ["*"], "max_age": "5s", "allow_credentials": False},
    ]
