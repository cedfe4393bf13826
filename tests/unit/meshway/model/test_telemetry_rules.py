from typing import Any

import pytest

from meshway.model.decode import decode_spec
from meshway.model.document import Metadata
from meshway.model.rules import check_place


def matching(**match: Any) -> dict[str, Any]:
    return {"rules": [{"match": match, "percent": 1}]}


@pytest.mark.parametrize(
    ("kind", "spec", "at", "code"),
    [
        ("AccessLog", {"add": {"who": "header.Authorization"}}, "spec.add.who", "forbidden_combination"),
        ("AccessLog", {"add": {"who": "query.api_key"}}, "spec.add.who", "forbidden_combination"),
        ("AccessLog", {"add": {"who": "response_header.set-cookie"}}, "spec.add.who", "forbidden_combination"),
        ("AccessLog", {"add": {"status": "x"}}, "spec.add.status", "duplicate"),
        ("AccessLog", {"add": {"Big": "x"}}, "spec.add.Big", "bad_name"),
        ("AccessLog", {"add": {"a": "header."}}, "spec.add.a", "bad_name"),
        ("AccessLog", {"drop": ["pathh"]}, "spec.drop[0]", "bad_name"),
        ("AccessLog", {"format": "combined", "drop": ["path"]}, "spec.drop", "forbidden_combination"),
        ("AccessLog", {"mask": ["("]}, "spec.mask[0]", "bad_regex"),
        ("AccessLog", {"buffer": "1KiB"}, "spec.buffer", "out_of_bounds"),
        ("AccessLog", {"rules": [{"percent": 101}]}, "spec.rules[0].percent", "out_of_bounds"),
        ("AccessLog", matching(status=["5xx"]), "spec.rules[0].match.status[0]", "out_of_bounds"),
        ("AccessLog", matching(status=[99]), "spec.rules[0].match.status[0]", "out_of_bounds"),
        ("AccessLog", matching(flags=["ZZ"]), "spec.rules[0].match.flags[0]", "bad_name"),
        ("AccessLog", {"sinks": [{"file": "../a"}]}, "spec.sinks[0].file", "out_of_bounds"),
        ("AccessLog", {"sinks": [{"file": "recorded/a"}]}, "spec.sinks[0].file", "out_of_bounds"),
        ("AccessLog", {"sinks": [{}]}, "spec.sinks[0]", "forbidden_combination"),
        ("AccessLog", {"sinks": [{"socket": "/a", "file": "a"}]}, "spec.sinks[0]", "forbidden_combination"),
        ("AccessLog", {"sinks": [{"otlp": {"endpoint": "x"}}]}, "spec.sinks[0].otlp.endpoint", "out_of_bounds"),
        ("AccessLog", {"sinks": ["stdin"]}, "spec.sinks[0]", "out_of_bounds"),
        ("AccessLog", {"targets": [{"service": "a", "port": "http"}]}, "spec.targets[0].port", "unsupported"),
        ("Telemetry", {"otlp": {"endpoint": "collector"}}, "spec.otlp.endpoint", "out_of_bounds"),
        ("Telemetry", {"otlp": {"endpoint": "http://user:pw@a/"}}, "spec.otlp.endpoint", "out_of_bounds"),
        ("Telemetry", {"otlp": {"endpoint": "http://a/", "headers": "A b"}}, "spec.otlp.headers", "bad_name"),
        ("Telemetry", {"traces": {"attributes": {"a b": "1"}}}, 'spec.traces.attributes["a b"]', "bad_name"),
        ("Telemetry", {"traces": {"trust_incoming": "edge"}}, "spec.traces.trust_incoming", "out_of_bounds"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_where_it_is(kind: str, spec: dict[str, Any], at: str, code: str) -> None:
    _, errors = decode_spec(kind, spec)
    assert [(error.path, error.code) for error in errors] == [(at, code)]


@pytest.mark.parametrize(
    ("kind", "spec", "at"),
    [
        ("AccessLog", {"sinks": ["stdout", {"socket": "/run/s"}]}, "spec.sinks[1].socket"),
        ("Telemetry", {"otlp": {"endpoint": "http://a/v1/traces"}}, "spec.otlp"),
    ],
)
def test_what_concerns_the_gateways_machine_is_for_documents_of_the_mesh(
    kind: str, spec: dict[str, Any], at: str
) -> None:
    assert decode_spec(kind, spec)[1] == []
    found = list(check_place(kind, Metadata(name="a", namespace="shop"), spec))
    assert [(finding.at, finding.code) for finding in found] == [(at, "forbidden_namespace")]
    assert list(check_place(kind, Metadata(name="a", namespace="mesh"), spec)) == []
