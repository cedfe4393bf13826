from dataclasses import replace

from loadtest.abuse import CEILING, Honest, kept, misses, table

ALONE = Honest(per_s=1_000.0, cpu_us=20.0, in_time=1.0, p99_ms=2.0, taken=0.0, memory=1)


def beside(**changed: float) -> tuple[Honest, Honest]:
    return ALONE, replace(ALONE, **changed)  # type: ignore[arg-type]  # numbers all of them


def test_what_is_kept_is_the_median_of_the_ratios_within_the_rounds() -> None:
    fast = replace(ALONE, per_s=2_000.0)
    assert kept([beside(per_s=950.0), (fast, fast), beside(per_s=100.0)]) == 0.95


def test_each_thing_that_is_missed_is_told() -> None:
    assert misses("flood", [beside(per_s=900.0)]) == []
    assert "0.89 of their throughput" in misses("flood", [beside(per_s=890.0)])[0]
    assert "0.50 of a fixed rate" in misses("flood", [beside(in_time=0.5)])[0]
    assert "513 MiB" in misses("flood", [beside(memory=CEILING + (1 << 20))])[0]


def test_the_table_says_whether_the_target_is_met() -> None:
    assert table({"flood": [beside(per_s=950.0)]}).endswith("met.")
    assert "flood: honest callers keep 0.10" in table({"flood": [beside(per_s=100.0)]})
