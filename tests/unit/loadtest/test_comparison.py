from dataclasses import replace

from loadtest.comparison import Profile, Rows, ratio, table
from loadtest.measure import Run
from loadtest.targets import read

RUN = Run(requests=1_000, errors=0, requests_per_s=500.0, cpu_us=20.0, p50_ms=1.0, p99_ms=2.0, rss_mb=50.0)


def rows(ours: list[float], theirs: list[float]) -> Rows:
    return {
        "meshway": [replace(RUN, cpu_us=us) for us in ours],
        "envoy": [replace(RUN, cpu_us=us) for us in theirs],
    }


def test_the_ratio_is_the_median_of_those_within_the_rounds() -> None:
    assert ratio(rows([10.0, 40.0, 12.0], [20.0, 80.0, 12.0]), "envoy") == 0.5


def test_a_target_says_what_it_is_a_multiple_of() -> None:
    profile = Profile("bare get", "bare", targets={"envoy": 0.36}, plain=0.45)
    (told,) = read(table(profile, rows([10.0], [20.0])))
    assert (told.bound, told.reached) == ("≤ 0.36 × envoy's CPU (0.45 with a plain-built Python)", "0.5")
    assert not told.is_met
