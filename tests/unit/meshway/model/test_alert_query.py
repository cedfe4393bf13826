import random

import pytest

from meshway.model.alert_query import (
    CALL_VALUES,
    FILTERS,
    STATE_VALUES,
    VALUES,
    Condition,
    Filter,
    Query,
    QueryFault,
    parse_query,
)


def test_conditions_spans_and_what_it_ends_with_are_read() -> None:
    query = parse_query("service=checkout error_ratio > 2 % over 2m and service=checkout rate >= 5/s for 90s")
    of = (Filter("service", "checkout"),)
    assert query == Query(
        (
            Condition(filters=of, value="error_ratio", op=">", bound=0.02, over_s=120.0),
            Condition(filters=of, value="rate", op=">=", bound=5.0),
        ),
        90.0,
    )


@pytest.mark.parametrize(
    ("text", "value", "divisor", "back_s", "bound"),
    [
        ("p99 / p50 > 10", "p99", "p50", 0.0, 10.0),
        ("error_ratio vs 24h > 300 %", "error_ratio", "", 86_400.0, 3.0),
        ("rate vs 7d < 0.5", "rate", "", 604_800.0, 0.5),
        ("p95 > 300ms", "p95", "", 0.0, 0.3),
        ("rate < 6/m", "rate", "", 0.0, 0.1),
        ("gateway=* snapshot_age > 1m", "snapshot_age", "", 0.0, 60.0),
        ("cert_days_left < 14d", "cert_days_left", "", 0.0, 14.0),
        ("in_flight/instances_passing>100", "in_flight", "instances_passing", 0.0, 100.0),
    ],
)
def test_a_value_may_be_divided_and_compared_with_before(
    text: str, value: str, divisor: str, back_s: float, bound: float
) -> None:
    (found,) = parse_query(text).conditions
    assert (found.value, found.divisor, found.back_s, found.bound) == (value, divisor, back_s, bound)


@pytest.mark.parametrize(
    ("text", "column", "told"),
    [
        ("", 1, "a value is missing"),
        ("sevice=a rate > 1/s", 1, "did you mean service?"),
        ("service=a eror_ratio > 1 %", 11, "did you mean error_ratio?"),
        ("error_ratio = 0.1", 13, "one of < <= > >="),
        ("error_ratio > 2", 1, "write 2 %"),
        ("service=a rate > 5", 18, "5/s, 100/m or 10/h"),
        ("p95 > 300", 7, "300ms"),
        ("in_flight > 3 %", 13, "without a unit"),
        ("in_flight > 3 over 5m", 15, "what is so now"),
        ("in_flight vs 24h > 3", 1, "nothing is kept"),
        ("rate / in_flight > 3", 1, "in_flight is what is so now"),
        ("service=a gateway=b rate > 1/s", 21, "not counted by gateway"),
        ("source=a refused_ratio > 1 %", 10, "not counted by source"),
        ("service=a snapshot_age > 1s", 11, "not counted by service"),
        ("service=a rate > 1/s over 5s", 27, "outside 10 s"),
        ("service=a rate > 1/s over 25h", 27, "outside 10 s"),
        ("service=a rate > 1/s and", 25, "a value is missing"),
        ("service=a rate > 1/s xx", 22, "over, and, or for"),
        ("service!=* rate > 1/s", 10, "is nothing"),
        ("service=a service=b rate > 1/s", 11, "said twice"),
        ("service=* rate > 1/s and source=* rate > 1/s", 1, "* at different filters"),
        ("rate > 1/s and rate > 1/s and rate > 1/s and rate > 1/s and rate > 1/s", 61, "at most 4"),
    ],
)
def test_what_is_wrong_is_told_with_its_column(text: str, column: int, told: str) -> None:
    with pytest.raises(QueryFault) as caught:
        parse_query(text)
    assert caught.value.column == column
    assert told in str(caught.value)


def test_whatever_is_written_is_read_or_refused_in_one_line() -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    bounds = {"ratio": "1 %", "per_s": "1/s", "seconds": "1s", "days": "1", "count": "1"}
    measures = {**CALL_VALUES, **{name: of[0] for name, of in STATE_VALUES.items()}}
    sound = [f"{value} > {bounds[measure]}" for value, measure in measures.items()]
    words = [
        *FILTERS,
        *VALUES,
        "=",
        "!=",
        "*",
        "a",
        ">",
        "<=",
        "1",
        "2.5",
        "%",
        "/s",
        "/",
        "vs",
        "over",
        "1m",
        "and",
        "é",
    ]
    assert [parse_query(text).conditions[0].value for text in sound] == list(VALUES)
    refused: list[tuple[QueryFault, int]] = []
    for _ in range(2_000):
        parts = chance.choice(sound).split(" ")
        parts[chance.randrange(len(parts))] = chance.choice(words)
        text = chance.choice((" ", "  ")).join(parts + chance.choices(words, k=chance.randrange(3)))
        try:
            parse_query(text)
        except QueryFault as fault:
            refused.append((fault, len(text)))
    assert 0 < len(refused) < 2_000
    assert all(1 <= fault.column <= length + 1 and "\n" not in str(fault) for fault, length in refused)
