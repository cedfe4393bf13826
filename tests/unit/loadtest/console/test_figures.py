import pytest

from loadtest.console.figures import Figure, growth_of, median_of, table


def test_a_figure_above_its_bound_is_missed_and_said_so() -> None:
    lines = table([Figure("paint", 1.4, 1.5, "s"), Figure("heap", 151.0, 150.0, "MB"), Figure("CPU", 9.0, None, "%")])
    assert [line.split("|")[-2].strip() for line in lines.splitlines()[2:]] == ["met", "**missed**", ""]
    assert "| heap | 151 MB | 150 MB |" in lines


def test_the_median_counts_and_the_extremes_are_told() -> None:
    figure = median_of("paint", [3.0, 1.0, 1.2], 1.5, "s")
    assert (figure.value, figure.is_met) == (1.2, True)
    assert figure.note == "3 runs, 1 to 3"


def test_what_grows_all_the_time_is_no_cache_that_fills() -> None:
    assert growth_of([10.0, 30.0, 30.0, 30.0, 30.0]) == 0.0
    assert growth_of([10.0, 30.0, 30.0, 20.0, 20.0]) == 0.0
    assert growth_of([10.0, 20.0, 30.0, 40.0, 50.0]) == pytest.approx(0.8)
