from meshway.cli.numbers import effect_line


def test_the_effect_of_a_change_is_one_line() -> None:
    effect = {"route_count": 1, "service_count": 0, "caller_count": 4, "rps": 86.04}
    assert effect_line(effect) == "touches 1 Route, 0 services, 4 callers: 86/s by the last 10 minutes"
