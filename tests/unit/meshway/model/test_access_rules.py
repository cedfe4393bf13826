# ruff: noqa: E501 - a table is read by its columns
"""What an AccessPolicy, an IpList and the mesh's settings may say: a table of specs and what is wrong with each."""

from typing import Any

import pytest

from meshway.model.decode import decode_document, decode_spec
from meshway.problem import Problem


def policy(**fields: Any) -> dict[str, Any]:
    return {"rules": [{"action": "allow"} | fields]}


@pytest.mark.parametrize(
    ("kind", "spec", "path", "code"),
    [
        ("AccessPolicy", {}, "spec", "missing_field"),
        ("AccessPolicy", {"rules": [{}]}, "spec.rules[0].action", "missing_field"),
        ("AccessPolicy", policy(action="permit"), "spec.rules[0].action", "out_of_bounds"),
        ("AccessPolicy", {"default": "maybe"}, "spec.default", "out_of_bounds"),
        ("AccessPolicy", {"default": "deny", "external": {}}, "spec.external", "forbidden_combination"),
        ("AccessPolicy", policy(when={"claims": {}}), "spec.rules[0].when", "missing_field"),
        ("AccessPolicy", policy(when={"claims": {"a": "b"}, "time": {}}), "spec.rules[0].when.time", "unsupported"),
        ("AccessPolicy", policy(**{"from": [{"anonymous": True, "principal": "a"}]}), "spec.rules[0].from[0].anonymous", "forbidden_combination"),
        ("AccessPolicy", policy(**{"from": [{}]}), "spec.rules[0].from[0]", "missing_field"),
        ("AccessPolicy", policy(**{"from": [{"cidr": ["10.0.0.1/8"]}]}), "spec.rules[0].from[0].cidr[0]", "out_of_bounds"),
        ("AccessPolicy", policy(**{"from": [{"not_cidr": ["10.0.0.0/8", "office"]}]}), "spec.rules[0].from[0].not_cidr[1]", "out_of_bounds"),
        ("AccessPolicy", policy(**{"from": [{"service": "a", "anonymous": True}]}), "spec.rules[0].from[0].anonymous", "forbidden_combination"),
        ("AccessPolicy", policy(**{"from": [{"service": "a", "namespace": "b", "via": "route"}]}), "spec.rules[0].from[0].via", "forbidden_combination"),
        ("AccessPolicy", policy(action="deny", **{"from": [{"service": "a"}]}), "spec.rules[0].from[0].service", "forbidden_combination"),
        ("AccessPolicy", policy(**{"from": [{"cidr": ["::1"], "via": "route"}]}), "spec.rules[0].from[0].via", "forbidden_combination"),
        ("AccessPolicy", policy(action="deny", **{"from": [{"namespace": "a", "via": "call"}]}), "spec.rules[0].from[0].namespace", "forbidden_combination"),
        ("AccessPolicy", policy(action="deny", **{"from": [{"namespace": "a"}]}), "spec.rules[0].from[0].namespace", "forbidden_combination"),
        ("AccessPolicy", policy(to=[{}]), "spec.rules[0].to[0]", "missing_field"),
        ("AccessPolicy", policy(to=[{"methods": ["get"]}]), "spec.rules[0].to[0].methods[0]", "out_of_bounds"),
        ("AccessPolicy", policy(to=[{"headers": {"a b": "x"}}]), 'spec.rules[0].to[0].headers["a b"]', "bad_name"),
        ("AccessPolicy", policy(to=[{"path": {"regex": "(a"}}]), "spec.rules[0].to[0].path.regex", "bad_regex"),
        ("AccessPolicy", {"rules": [{"name": "a", "action": "deny"}] * 2}, "spec.rules[1].name", "duplicate"),
        ("AccessPolicy", {"default": "deny", "targets": [{"service": "a"}] * 2}, "spec.targets[0]", "duplicate"),
        ("IpList", {"entries": [{"cidr": "office"}]}, "spec.entries[0].cidr", "out_of_bounds"),
        ("IpList", {"entries": [{"cidr": "::ffff:0:0/96"}]}, "spec.entries[0].cidr", "out_of_bounds"),
        ("IpList", {"entries": [{"cidr": "::1", "until": "soon"}]}, "spec.entries[0].until", "out_of_bounds"),
        ("MeshSettings", {"cross_namespace": "maybe"}, "spec.cross_namespace", "out_of_bounds"),
        ("MeshSettings", {"mtls": "none"}, "spec.mtls", "out_of_bounds"),
        ("Namespace", {"mtls": "off"}, "spec.mtls", "out_of_bounds"),
        ("Namespace", {"quotas": {}}, "spec.quotas", "unsupported"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_with_its_place(kind: str, spec: dict[str, Any], path: str, code: str) -> None:
    read, errors = decode_spec(kind, spec)
    assert read is None
    assert [(error.path, error.code) for error in errors] == [(path, code)]


@pytest.mark.parametrize(
    "spec",
    [
        {"default": "deny"},
        policy(**{"from": [{"namespace": "shop", "via": "route"}, {"cidr": ["10.0.0.0/8"], "ip_list": "office"}]}),
        policy(action="deny", **{"from": [{"not_cidr": ["10.0.0.0/8"]}, {"cidr": ["::/0"], "not_ip_list": "office"}]}),
        policy(action="deny", to=[{"path": {"prefix": "/a"}, "methods": ["PUT"], "query": {"q": "1"}}]),
    ],
)
def test_what_can_be_meant_is_read(spec: dict[str, Any]) -> None:
    assert decode_spec("AccessPolicy", spec)[1] == []


@pytest.mark.parametrize(
    ("kind", "namespace", "name", "code"),
    [
        ("MeshSettings", "default", "mesh", "forbidden_namespace"),
        ("MeshSettings", "mesh", "other", "forbidden_combination"),
        ("Namespace", "shop", "shop", "forbidden_namespace"),
    ],
)
def test_settings_of_the_mesh_live_in_one_place(kind: str, namespace: str, name: str, code: str) -> None:
    metadata = {"name": name, "namespace": namespace}
    with pytest.raises(Problem) as refused:
        decode_document({"apiVersion": "meshway/v1", "kind": kind, "metadata": metadata, "spec": {}})
    assert [error.code for error in refused.value.errors] == [code]


def test_a_list_may_be_larger_than_other_documents() -> None:
    def document(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
        return {"apiVersion": "meshway/v1", "kind": kind, "metadata": {"name": "a"}, "spec": spec}

    entries = [{"cidr": f"10.{at >> 8}.{at & 255}.0/24", "note": "n" * 20} for at in range(10_000)]
    decode_document(document("IpList", {"entries": entries}))
    with pytest.raises(Problem) as refused:
        decode_document(
            document("AccessPolicy", {"default": "deny", "rules": [{"action": "deny", "name": "a" * (300 << 10)}]})
        )
    assert refused.value.code == "too_large"
