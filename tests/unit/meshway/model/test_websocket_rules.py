from typing import Any

import pytest

from meshway.model.decode import decode_spec
from tests.unit.meshway.model.test_action_rules import rule

FINE: list[dict[str, Any]] = [
    {},
    {"allow": False},
    {"max_frame": "64MiB", "max_message": "64MiB", "ping_every": "30s"},
    {"origins": "same_host", "subprotocols": ["mqtt", "graphql-ws"]},
    {"origins": ["https://a.example", "null", {"suffix": ".example"}]},
]
WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"max_frame": "124B"}, ".max_frame", "out_of_bounds"),
    ({"max_message": "65MiB"}, ".max_message", "out_of_bounds"),
    ({"ping_every": "500ms"}, ".ping_every", "out_of_bounds"),
    ({"origins": ["https://a.example/path"]}, ".origins[0]", "out_of_bounds"),
    ({"subprotocols": ["a b"]}, ".subprotocols[0]", "bad_name"),
    ({"subprotocols": ["a", "a"]}, ".subprotocols[1]", "duplicate"),
    ({"allow": False, "ping_every": "10s"}, ".ping_every", "forbidden_combination"),
    ({"allow": False, "origins": "same_host"}, ".origins", "forbidden_combination"),
    ({"alow": False}, ".alow", "unknown_field"),
]


@pytest.mark.parametrize("block", FINE)
def test_good_blocks_pass(block: dict[str, Any]) -> None:
    _, errors = decode_spec("Route", rule(websocket=block))
    assert errors == []


@pytest.mark.parametrize(("block", "at", "code"), WRONG)
def test_what_is_wrong_is_told_with_its_place(block: dict[str, Any], at: str, code: str) -> None:
    _, errors = decode_spec("Route", rule(websocket=block))
    assert [(error.path, error.code) for error in errors] == [(f"spec.rules[0].websocket{at}", code)]


def test_a_rule_that_calls_no_service_has_no_websocket() -> None:
    _, errors = decode_spec("Route", {"rules": [{"respond": {"status": 200}, "websocket": {}}]})
    assert [(error.path, error.code) for error in errors] == [("spec.rules[0].websocket", "forbidden_combination")]
