"""What a TrafficPolicy may say of staying at an endpoint, and of a way out."""

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


@pytest.mark.parametrize(
    ("fallback", "path", "code"),
    [
        ({}, "", "forbidden_combination"),
        ({"respond": {"status": 200}, "destination": {"service": "b"}}, "", "forbidden_combination"),
        ({"respond": {"status": 204, "body": "x"}}, ".respond.body", "forbidden_combination"),
        ({"destination": {"service": "b", "weight": 1}}, ".destination.weight", "unknown_field"),
        ({"destination": {}}, ".destination.service", "missing_field"),
    ],
)
def test_a_fallback_is_an_answer_or_a_service(fallback: dict[str, Any], path: str, code: str) -> None:
    read, errors = decode_spec("TrafficPolicy", {"breaker": {"fallback": fallback}})
    assert read is None
    assert [(error.path, error.code) for error in errors] == [(f"spec.breaker.fallback{path}", code)]


@pytest.mark.parametrize(
    ("tls", "path", "code"),
    [
        ({"mode": "mutual"}, ".certificate", "missing_field"),
        ({"certificate": "own"}, ".certificate", "forbidden_combination"),
        ({"mode": "off", "sni": "a.example"}, ".sni", "forbidden_combination"),
        ({"mode": "mesh", "ca": "a"}, ".ca", "forbidden_combination"),
        ({"sni": "*.example"}, ".sni", "bad_name"),
        ({"insecure": True}, ".insecure", "unknown_field"),
    ],
)
def test_tls_says_what_its_mode_can_use(tls: dict[str, Any], path: str, code: str) -> None:
    errors = decode_spec("TrafficPolicy", {"tls": tls})[1]
    assert [(error.path, error.code) for error in errors] == [(f"spec.tls{path}", code)]


def test_tls_is_of_whole_services() -> None:
    errors = decode_spec("TrafficPolicy", {"targets": [{"service": "a", "subset": "v1"}], "tls": {}})[1]
    assert [(error.path, error.code) for error in errors] == [("spec.targets[0].subset", "forbidden_combination")]
    assert decode_spec("TrafficPolicy", {"targets": [{"service": "a"}], "tls": {"ca": {"secret": "ca"}}})[1] == []
