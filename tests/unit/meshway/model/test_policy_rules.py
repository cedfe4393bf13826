"""What a TrafficPolicy may say of staying at an endpoint."""

from typing import Any

import pytest

from meshway.model.decode import decode_spec


@pytest.mark.parametrize(
    ("affinity", "path", "code"),
    [
        ({}, "", "forbidden_combination"),
        ({"cookie": "a", "header": "b"}, "", "forbidden_combination"),
        ({"cookie": "a b"}, ".cookie", "bad_name"),
        ({"header": "Content-Length"}, ".header", "forbidden_combination"),
        ({"header": "X-Stay", "ttl": "1h"}, ".ttl", "forbidden_combination"),
        ({"cookie": "a", "ttl": "10ms"}, ".ttl", "out_of_bounds"),
    ],
)
def test_an_affinity_names_one_cookie_or_one_header(affinity: dict[str, Any], path: str, code: str) -> None:
    read, errors = decode_spec("TrafficPolicy", {"load_balancer": {"affinity": affinity}})
    assert read is None
    assert [(error.path, error.code) for error in errors] == [(f"spec.load_balancer.affinity{path}", code)]


@pytest.mark.parametrize("affinity", [{"cookie": "mw"}, {"cookie": "mw", "ttl": "0s"}, {"header": "X-Stay"}])
def test_a_sound_affinity_is_read(affinity: dict[str, Any]) -> None:
    read, errors = decode_spec("TrafficPolicy", {"load_balancer": {"affinity": affinity}})
    assert read is not None
    assert errors == []
