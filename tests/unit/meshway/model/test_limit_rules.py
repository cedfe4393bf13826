"""What just fits; what does not is in the table of `test_rules.py`."""

from typing import Any

import pytest

from meshway.model.decode import decode_spec


@pytest.mark.parametrize(
    "spec",
    [
        {"token_bucket": {"rate": "1/s", "burst": 5}, "cost": 5},
        {"token_bucket": {"rate": "5/s"}, "cost": 5},
        {"sliding_window": {"limit": 5, "window": "1s"}, "cost": 5},
        {"quota": {"limit": 5, "per": "day", "timezone": "Europe/Paris"}, "cost": 5},
        {"in_flight": {"max": 5}, "max_wait": "1s"},
        {"token_bucket": {"rate": "1/s", "burst": 5}, "cost": {"response_header": "x-cost"}},
    ],
)
def test_a_limit_that_its_calls_can_afford_is_read(spec: dict[str, Any]) -> None:
    _, errors = decode_spec("RateLimit", spec)
    assert errors == []


@pytest.mark.parametrize(
    ("bucket", "words"),
    [
        ({"rate": "1/s", "burst": 5}, "9 is above the burst of 5: no call would ever pass"),
        ({"rate": "4/s"}, "9 is above the burst of 4: no call would ever pass"),
        ({"rate": "1/m"}, "9 is above the burst of 1: no call would ever pass"),
    ],
)
def test_a_cost_that_nobody_can_pay_is_told_with_what_there_is(bucket: dict[str, Any], words: str) -> None:
    _, errors = decode_spec("RateLimit", {"token_bucket": bucket, "cost": 9})
    assert [(error.path, words in error.message) for error in errors] == [("spec.cost", True)]


def test_an_unknown_time_zone_is_told_with_some_that_are_known() -> None:
    _, errors = decode_spec("RateLimit", {"quota": {"limit": 5, "per": "day", "timezone": "Mars"}})
    assert [error.path for error in errors] == ["spec.quota.timezone"]
    assert "UTC or Europe/Paris" in errors[0].message
