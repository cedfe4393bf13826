"""What a DescriptorSet, and a rule that uses one, may say."""

import gzip
from typing import Any

import pytest

from meshway.model.decode import decode_spec
from meshway.model.descriptor_set import DescriptorSet
from meshway.snapshot import MAX_FRAME
from tests.parts.grpc_shop import SERVICE, descriptor_set, http_rule, in_base64


def faults(kind: str, spec: dict[str, Any]) -> list[tuple[str, str]]:
    return [(error.path, error.code) for error in decode_spec(kind, spec)[1]]


def test_a_whole_set_is_taken() -> None:
    assert faults("DescriptorSet", {"data": in_base64(descriptor_set())}) == []
    many = descriptor_set([(f"Get{at}", http_rule("GET", f"/v1/{at}")) for at in range(2_000)])
    assert len(in_base64(gzip.compress(many))) < len(many) / 4
    assert faults("DescriptorSet", {"data": in_base64(gzip.compress(many))}) == []


def test_it_fits_into_a_frame_of_the_feed() -> None:
    assert DescriptorSet.max_size < MAX_FRAME - (32 << 10)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("not base64!", "bad_value"),
        (in_base64(b"\xff\xff"), "bad_value"),
        (in_base64(descriptor_set(with_imports=False)), "unknown_reference"),
        (in_base64(descriptor_set([("Again", http_rule("GET", "/v1/titles"))])), "conflict"),
        (in_base64(descriptor_set([("Odd", http_rule("GET", "v1"))])), "bad_template"),
        (in_base64(gzip.compress(bytes(5 << 20))), "bad_value"),
        (in_base64(gzip.compress(descriptor_set())[:-9]), "bad_value"),
    ],
)
def test_others_are_told_why_not(data: str, code: str) -> None:
    assert faults("DescriptorSet", {"data": data}) == [("spec.data", code)]


def rule(transcode: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    block = {"descriptors": "shop", "services": [SERVICE], **(transcode or {})}
    return {"rules": [{"destinations": [{"service": "a"}], "transcode": block, **fields}]}


@pytest.mark.parametrize(
    ("spec", "path", "code"),
    [
        (rule({"services": []}), ".transcode.services", "out_of_bounds"),
        (rule({"services": ["a", "a"]}), ".transcode.services[1]", "duplicate"),
        (rule({"services": ["a b"]}), ".transcode.services[0]", "out_of_bounds"),
        (rule({"max_message": "1B"}), ".transcode.max_message", "out_of_bounds"),
        (rule({"streaming": "xml"}), ".transcode.streaming", "out_of_bounds"),
        (rule(rewrite={"path": {"full": "/a"}}), ".rewrite.path", "forbidden_combination"),
        (rule(compression={}), ".compression", "forbidden_combination"),
        (rule(cache={}), ".cache", "forbidden_combination"),
        (rule(destinations=[], respond={"status": 200}), ".transcode", "forbidden_combination"),
    ],
)
def test_what_a_rule_may_not_say(spec: dict[str, Any], path: str, code: str) -> None:
    assert (f"spec.rules[0]{path}", code) in faults("Route", spec)


def test_what_a_rule_may_say() -> None:
    assert faults("Route", rule({"streaming": "sse", "unknown_query": "ignore", "emit_defaults": True})) == []
