from loadtest.registry import figures
from loadtest.registry.figures import EMBEDDED, ETCD, FOLLOWED, REGISTRATIONS, SHARED, ZOOKEEPER, Run
from loadtest.registry.scale import Scale
from loadtest.registry.spread import Spread


def runs_of(per_s: float, cpu_us: float, own_us: float) -> list[Run]:
    return [Run(per_s, cpu_us, own_us), Run(per_s * 2, cpu_us * 2, own_us * 2), Run(per_s, cpu_us, own_us)]


def cells(lines: list[str], what: str) -> list[str]:
    return next(row for row in ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines) if row[0] == what)


def test_a_figure_stands_beside_its_bound_and_beside_the_others() -> None:
    runs = {SHARED: runs_of(9_000, 60, 45), ETCD: runs_of(3_000, 120, 120), ZOOKEEPER: runs_of(18_000, 30, 30)}
    lines = figures.of_rows({FOLLOWED: runs})
    rate = cells(lines, "registrations with 100 followers, PostgreSQL")
    assert rate[1:] == ["9,000/s", "≥ 8,000/s", "3.00", "0.50", "met"]
    whole = cells(lines, "– with 100 followers")
    assert whole[1:] == ["0.50 × etcd", "≤ 1.00 × etcd", "0.50", "2.00", "met"]


def test_the_registrys_own_share_is_judged_and_all_of_its_cost_compared() -> None:
    runs = {SHARED: runs_of(9_000, 120, 90.5), ETCD: runs_of(3_000, 120, 120)}
    (share,) = [line for line in figures.of_rows({FOLLOWED: runs}) if "registry's CPU" in line]
    assert cells([share], "– registry's CPU")[1:] == ["90.5 µs", "≤ 90.0 µs", "1.00", "–", "**missed**"]


def test_a_row_that_was_not_asked_is_no_figure() -> None:
    assert figures.of_rows({REGISTRATIONS: {EMBEDDED: runs_of(1, 1, 1)}}) == []


def test_every_figure_that_is_no_rate_is_told_too() -> None:
    scale = Scale(100_000, 299.0, 401.0, 0.9, 5.5, 1.0, 1000, 1.0, 0, 60.0)
    lines = figures.of_spreads(Spread(1, 50.0, 80), Spread(1, 51.0, 80)) + figures.of_scale(scale)
    assert [line.split("|")[-2].strip() for line in lines] == [
        "met",
        "**missed**",
        "met",
        "**missed**",
        "met",
        "**missed**",
    ]
    assert figures.table(lines).count("\n") == 3 + len(lines)
