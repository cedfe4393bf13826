from typing import Any

import pytest

from meshway.histogram import bucket_of
from meshway.telemetry import Row
from registry.insight.health import Instances, Signs, judged, worst


def signs(calls: int = 100, failed: int = 0, **more: Any) -> Signs:
    row = Row(("shop/cart",), calls, failed, buckets={bucket_of(0.1): calls} if calls else {})
    return Signs(row=row, instances=more.pop("instances", Instances(2, 2)), **more)


@pytest.mark.parametrize(
    ("seen", "health", "reason"),
    [
        (signs(), "ok", ""),
        (signs(failed=1), "warn", "1.0% of calls fail"),
        (signs(failed=5), "bad", "5.0% of calls fail"),
        (signs(calls=10, failed=5), "ok", ""),
        (signs(calls=0), "idle", ""),
        (signs(calls=0, instances=Instances(0, 0)), "unknown", ""),
        (signs(instances=Instances(0, 3)), "bad", "none of 3 instances is passing"),
        (signs(instances=Instances(1, 3)), "warn", "1 of 3 instances are passing"),
        (signs(instances=Instances(2, 4)), "ok", ""),
        (signs(usual_p95_s=0.05), "ok", ""),
        (signs(usual_p95_s=0.03), "warn", "p95 100 ms, at this hour it is 30 ms"),
        (signs(breakers=2), "bad", "the breaker is open at 2 gateways"),
        (signs(ejected=1), "warn", "1 instance is ejected"),
    ],
)
def test_health_is_told_with_its_reason(seen: Signs, health: str, reason: str) -> None:
    verdict = judged(seen)
    assert (verdict.health, verdict.reasons) == (health, (reason,) if reason else ())


def test_of_several_reasons_the_worst_decides_and_comes_first() -> None:
    verdict = judged(signs(failed=2, ejected=2, breakers=1))
    assert verdict.health == "bad"
    assert verdict.reasons[0] == "the breaker is open at 1 gateway"
    assert len(verdict.reasons) == 3
    assert [(cause.code, cause.values) for cause in verdict.causes] == [
        ("breaker_open", {"gateways": 1}),
        ("failures", {"share": 0.02}),
        ("ejected", {"instances": 2}),
    ]


def test_each_reason_has_its_cause() -> None:
    for seen, code in (
        (signs(instances=Instances(0, 3)), "none_passing"),
        (signs(instances=Instances(1, 3)), "few_passing"),
        (signs(usual_p95_s=0.03), "slow"),
    ):
        verdict = judged(seen)
        assert [cause.code for cause in verdict.causes] == [code]
        assert len(verdict.reasons) == 1


def test_a_namespace_is_as_well_as_the_worst_of_its_services() -> None:
    assert worst(["ok", "bad", "idle"]) == "bad"
    assert worst(["ok", "idle"]) == "ok"
    assert worst([]) == "unknown"
