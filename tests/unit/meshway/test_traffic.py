"""Calls of a Route, counted."""

from meshway.traffic import RuleTraffic, Traffic, summed


def test_failures_are_the_services_and_refusals_the_gateways() -> None:
    rule = RuleTraffic()
    for calls, status, reason, service in (
        (10, 200, "", "a/b"),
        (2, 503, "", "a/b"),
        (3, 503, "no_endpoint", ""),
        (4, 429, "rate_limited", ""),
        (5, 404, "", "a/c"),  # the service's own
    ):
        rule = rule.with_call(calls, status, reason, service)
    assert rule == RuleTraffic(calls=24, failed=5, refused=4, to={"a/b": 12, "a/c": 5})


def test_gateways_are_summed_and_those_that_record_nothing_left_out() -> None:
    one = Traffic(gateways=["b"], rules={"all": RuleTraffic(calls=1, failed=1, to={"a/b": 1})})
    two = Traffic(
        gateways=["a"], rules={"all": RuleTraffic(calls=2, to={"a/b": 1, "a/c": 1}), "x": RuleTraffic(calls=5)}
    )
    told = summed([one, Traffic(error="records nothing"), two])
    assert told == Traffic(
        gateways=["a", "b"],
        rules={"all": RuleTraffic(calls=3, failed=1, to={"a/b": 2, "a/c": 1}), "x": RuleTraffic(calls=5)},
    )
    assert summed([Traffic(error="records nothing")]).error == "records nothing"
    assert summed([]) == Traffic()
