"""What the `external` block of an AccessPolicy may say."""

from typing import Any

import pytest

from meshway.model.decode import decode_spec

JUDGE = {"service": {"service": "judge"}}


@pytest.mark.parametrize(
    ("external", "path", "code"),
    [
        ({"timeout": "6s"}, "timeout", "out_of_bounds"),
        ({"timeout": "0s"}, "timeout", "out_of_bounds"),
        ({"path": "verify"}, "path", "out_of_bounds"),
        ({"path": "/verify?a"}, "path", "out_of_bounds"),
        ({"protocol": "smtp"}, "protocol", "out_of_bounds"),
        ({"request_body": {"max": "2MiB"}}, "request_body.max", "out_of_bounds"),
        ({"request_body": {}, "cache": {"ttl": "1s"}}, "cache", "forbidden_combination"),
        ({"when": [{"path": {"regex": "("}}]}, "when[0].path.regex", "bad_regex"),
        ({"context": {"a": "b"}}, "context", "forbidden_combination"),
        ({"include_claims": True}, "include_claims", "forbidden_combination"),
        ({"include_certificate": True}, "include_certificate", "forbidden_combination"),
        ({"protocol": "grpc", "style": "forward_auth"}, "style", "forbidden_combination"),
        ({"protocol": "grpc", "path": "/a"}, "path", "forbidden_combination"),
        ({"service": None, "url": "http://id.example"}, "url", "forbidden_combination"),
        ({"service": None, "url": "https://id.example?a"}, "url", "out_of_bounds"),
        ({"service": None, "url": "https://id.example", "path": "/a"}, "path", "forbidden_combination"),
        ({"service": None, "url": "https://id.example", "protocol": "grpc"}, "url", "forbidden_combination"),
        ({"request_headers": [{"regex": "("}]}, "request_headers[0].regex", "bad_regex"),
        ({"service": {"service": "judge", "weight": 3}}, "service.weight", "out_of_bounds"),
        ({"upstream_headers": ["Host"]}, "upstream_headers[0]", "out_of_bounds"),
        ({"upstream_headers": ["x-a", "meshway-deadline"]}, "upstream_headers[1]", "out_of_bounds"),
        ({"client_headers": ["content-length"]}, "client_headers[0]", "out_of_bounds"),
        ({"request_headers": ["a b"]}, "request_headers[0]", "out_of_bounds"),
        ({"cache": {"ttl": "2m"}}, "cache.ttl", "out_of_bounds"),
        ({"cache": {"ttl": "1s", "deny_ttl": "61s"}}, "cache.deny_ttl", "out_of_bounds"),
        ({"cache": {"ttl": "1s", "key": ["path", "header"]}}, "cache.key[1]", "out_of_bounds"),
        ({"cache": {"ttl": "1s", "key": ["header.a b"]}}, "cache.key[0]", "out_of_bounds"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(external: dict[str, Any], path: str, code: str) -> None:
    read, errors = decode_spec("AccessPolicy", {"external": JUDGE | external})
    assert read is None
    assert [(error.path, error.code) for error in errors] == [(f"spec.external.{path}", code)]


def test_a_policy_may_be_this_block_alone() -> None:
    read, errors = decode_spec("AccessPolicy", {"external": JUDGE})
    assert errors == []
    assert read is not None


@pytest.mark.parametrize("external", [{}, JUDGE | {"url": "https://id.example"}])
def test_exactly_one_is_asked(external: dict[str, Any]) -> None:
    read, errors = decode_spec("AccessPolicy", {"external": external})
    assert read is None
    assert [(error.path, error.code) for error in errors] == [("spec.external", "forbidden_combination")]
