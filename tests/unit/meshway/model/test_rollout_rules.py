from typing import Any

import pytest

from meshway.model.decode import decode_spec
from meshway.model.document import Metadata
from meshway.model.rules import check_place

SOUND: dict[str, Any] = {
    "route": "reviews",
    "rule": "all",
    "stable": {"service": "reviews", "subset": "v1"},
    "canary": {"service": "reviews", "subset": "v2"},
    "steps": [{"weight_percent": 1, "hold": "5m"}, {"weight_percent": 12.5, "hold": "10s"}],
}


@pytest.mark.parametrize(
    ("changed", "at", "code"),
    [
        ({"canary": SOUND["stable"]}, "spec.canary", "forbidden_combination"),
        ({"steps": []}, "spec.steps", "out_of_bounds"),
        ({"steps": [{"weight_percent": 5, "hold": "9s"}]}, "spec.steps[0].hold", "out_of_bounds"),
        ({"steps": [{"weight_percent": 100, "hold": "1m"}]}, "spec.steps[0].weight_percent", "out_of_bounds"),
        ({"steps": [{"weight_percent": 0.001, "hold": "1m"}]}, "spec.steps[0].weight_percent", "out_of_bounds"),
        (
            {"steps": [{"weight_percent": 5, "hold": "1m"}, {"weight_percent": 5, "hold": "1m"}]},
            "spec.steps[1].weight_percent",
            "forbidden_combination",
        ),
        ({"judge": {"minimum_requests": 0}}, "spec.judge.minimum_requests", "out_of_bounds"),
        ({"judge": {"confidence_percent": 100}}, "spec.judge.confidence_percent", "out_of_bounds"),
        ({"judge": {"p95_increase_percent": 20}}, "spec.judge.p95_increase_percent", "unknown_field"),
        ({"control": "some"}, "spec.control", "out_of_bounds"),
        ({"on_failure": "shout"}, "spec.on_failure", "out_of_bounds"),
        ({"route": None}, "spec.route", "wrong_type"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_where_it_is(changed: dict[str, Any], at: str, code: str) -> None:
    _, errors = decode_spec("Rollout", SOUND | changed)
    assert [(error.path, error.code) for error in errors] == [(at, code)]


def test_a_sound_one_is_read_and_has_the_usual_judge() -> None:
    spec, errors = decode_spec("Rollout", SOUND)
    assert not errors
    assert spec is not None
    judge = spec.judge  # type: ignore[attr-defined]
    found = judge.failure_percent_increase, judge.p99_increase_percent, judge.minimum_requests, judge.confidence_percent
    assert found == (1.0, 20.0, 200, 99.0)


def test_it_stands_beside_its_route() -> None:
    (finding,) = check_place("Rollout", Metadata(name="r", namespace="mesh"), SOUND)
    assert (finding.at, finding.code) == ("metadata.namespace", "forbidden_namespace")
    assert not list(check_place("Rollout", Metadata(name="r", namespace="shop"), SOUND))
