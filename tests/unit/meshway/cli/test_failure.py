"""An error is what, why and mend, a line each."""

from meshway.cli.failure import INVALID, CliError


def test_an_error_is_three_lines_with_the_details_between() -> None:
    error = CliError(INVALID, "cannot publish", why="it was changed", mend="meshway diff", details=("a.yaml:1:2: x",))
    assert error.text() == "error: cannot publish\n  a.yaml:1:2: x\nwhy:   it was changed\nmend:  meshway diff"


def test_what_is_not_known_takes_no_line() -> None:
    assert CliError(1, "no").text() == "error: no"


def test_the_problem_itself_is_shown_only_when_asked_for() -> None:
    error = CliError(1, "no", verbose="{}")
    assert "{}" not in error.text()
    assert error.text(verbose=True).endswith("\n{}")
