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
        ({"protocol": "grpc"}, "protocol", "unsupported"),
        ({"protocol": "smtp"}, "protocol", "out_of_bounds"),
        ({"url": "https://id.example"}, "url", "unsupported"),
        ({"request_body": {"max": "1KiB"}}, "request_body", "unsupported"),
        ({"when": []}, "when", "unsupported"),
        ({"service": {"service": "judge", "weight": 3}}, "service.weight", "out_of_bounds"),
        ({"upstream_headers": ["Host"]}, "upstream_headers[0]", "out_of_bounds"),
        ({"upstream_headers": ["x-a", "meshway-deadline"]}, "upstream_headers[1]", "out_of_bounds"),
        ({"client_headers": ["content-length"]}, "client_headers[0]", "out_of_bounds"),
        ({"request_headers": ["a b"]}, "request_headers[0]", "out_of_bounds"),
        ({"cache": {"ttl": "2m"}}, "cache.ttl", "out_of_bounds"),
        ({"cache": {"ttl": "1s", "deny_ttl": "61s"}}, "cache.deny_ttl", "out_of_bounds"),
        ({"cache": {"ttl": "1s", "key": []}}, "cache.key", "unsupported"),
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
