"""What a UdpRoute, and a Listener of datagrams, may say."""

from typing import Any

import pytest

from meshway.model.decode import decode_spec
from meshway.model.listener_rules import check_listener
from meshway.model.udp_route import UdpRoute

GAME = {"listeners": ["game"], "destinations": [{"service": "game"}]}


def test_what_is_not_written_has_the_usual_values() -> None:
    spec, errors = decode_spec("UdpRoute", GAME)
    assert errors == []
    assert isinstance(spec, UdpRoute)
    told = (spec.idle, spec.max_sessions, spec.per_source, spec.max_reply_ratio)
    assert told == (30.0, 10_000, 100, None)


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"listeners": []}, "spec.listeners", "out_of_bounds"),
        ({"listeners": ["game", "game"]}, "spec.listeners[1]", "duplicate"),
        ({"listeners": ["edge"]}, "spec.listeners[0]", "forbidden_combination"),
        ({"destinations": []}, "spec.destinations", "out_of_bounds"),
        ({"destinations": [{"service": "game", "weight": 0}]}, "spec.destinations", "out_of_bounds"),
        ({"idle": "500ms"}, "spec.idle", "out_of_bounds"),
        ({"idle": "2h"}, "spec.idle", "out_of_bounds"),
        ({"max_sessions": 0}, "spec.max_sessions", "out_of_bounds"),
        ({"per_source": -1}, "spec.per_source", "out_of_bounds"),
        ({"max_reply_ratio": -1}, "spec.max_reply_ratio", "out_of_bounds"),
        ({"max_session": 1}, "spec.max_session", "unknown_field"),
    ],
)
def test_what_is_out_of_its_bounds_is_told_with_its_place(fields: dict[str, Any], path: str, code: str) -> None:
    _, errors = decode_spec("UdpRoute", GAME | fields)
    assert [(error.path, error.code) for error in errors] == [(path, code)]


@pytest.mark.parametrize(
    "fields",
    [{"limits": {"connections": 5}}, {"hosts": ["x.example"]}, {"trusted_proxies": ["10.0.0.0/8"]}, {"tls": {}}],
)
def test_a_listener_of_datagrams_has_nothing_that_connections_have(fields: dict[str, Any]) -> None:
    own = {"port": 7777, "protocol": "udp"}
    assert list(check_listener("game", own | {"face": "mesh", "gateways": ["a"], "address": "::"})) == []
    [field] = fields
    assert [finding[0] for finding in check_listener("game", own | fields)] == [f"spec.{field}"]
