import pytest

from meshway.cli.numbers import effect_line, latency_text, rate_text


def test_the_effect_of_a_change_is_one_line() -> None:
    effect = {"route_count": 1, "service_count": 0, "caller_count": 4, "rps": 86.04}
    assert effect_line(effect) == "touches 1 Route, 0 services, 4 callers: 86/s by the last 10 minutes"


@pytest.mark.parametrize(("per_s", "text"), [(0.0, "0.0/s"), (0.0178, "1.1/min"), (0.1, "0.1/s"), (86.04, "86.0/s")])
def test_few_calls_are_not_shown_as_none(per_s: float, text: str) -> None:
    assert rate_text(per_s) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0.2331, "0.233 ms"),
        (999.4, "999 ms"),
        (999.6, "1 s"),
        (30_517.5, "30.5 s"),
        (999_600.0, "1000 s"),
        (3.6e6, "3600 s"),
    ],
)
def test_what_lasts_is_told_in_seconds(ms: float, text: str) -> None:
    assert latency_text(ms) == text
