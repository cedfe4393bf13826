from typing import Any

from meshway.cli.rollouts import COLUMNS, lines_of

ARM = {"calls": 1000, "failure_percent": 4.1, "p99_ms": 245.0}
MEASURES = {"verdict": "not_enough_data", "measured_percent": 9.96, "canary": ARM, "control": ARM | {"calls": 0}}
TOLD: dict[str, Any] = {
    "namespace": "shop",
    "name": "v2",
    "phase": "running",
    "route": "reviews",
    "rule": "all",
    "stable": "shop/reviews#v1",
    "canary": "shop/reviews#v2",
    "step": 1,
    "step_count": 2,
    "weight_percent": 10.0,
    "reason": "",
    "trouble": "",
    "steps": [
        {"step": 0, "weight_percent": 0.5, "state": "passed", "requests_needed": 200, "measures": MEASURES},
        {"step": 1, "weight_percent": 10.0, "state": "ahead", "requests_needed": 200, "measures": None},
    ],
}


def test_it_is_told_in_words_and_a_table() -> None:
    first, heading, one, other = lines_of(TOLD)
    assert (
        first == "shop/v2 running (step 2 of 2): 10 % of rule all of reviews to shop/reviews#v2, from shop/reviews#v1"
    )
    assert heading.split() == ["STEP", "ASKED", "MEASURED", "CALLS", "NEEDED", "CANARY", "CONTROL", "VERDICT"]
    assert " ".join(one.split()) == "✓ 1 0.5 % 9.96 % 1000 200 4.1 %, p99 245 ms - not enough data"
    assert " ".join(other.split()) == "2 10 % - - 200 - - ahead"


def test_why_it_stands_still_is_told() -> None:
    lines = list(lines_of(TOLD | {"phase": "aborted", "reason": "failures 4.1 %", "trouble": "no store"}))
    assert lines[0].startswith("shop/v2 aborted: ")
    assert lines[1:3] == ["  failures 4.1 %", "  does not go on: no store"]
    assert COLUMNS["WHY"](TOLD) == "-"
    assert COLUMNS["PHASE"](TOLD) == "running (step 2 of 2)"
