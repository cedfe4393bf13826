from meshway.outbound.health import Verdict


def results(verdict: Verdict, text: str) -> str:
    """What each result (`+`, `-`) changed: `P`, `F` or `.`."""
    said = ""
    for result in text:
        changed = verdict.take(result == "+")
        said += ("P" if verdict.is_passing else "F") if changed else "."
    return said


def test_the_first_result_decides() -> None:
    assert results(Verdict(3, 2), "+") == "P"
    assert results(Verdict(3, 2), "-") == "F"


def test_it_takes_a_row_of_failures_to_fail_and_of_successes_to_pass() -> None:
    assert results(Verdict(3, 2), "+--+---++--") == "P.....F.P.."


def test_a_success_between_failures_begins_the_row_anew() -> None:
    assert results(Verdict(2, 3), "+-+-+-+--") == "P.......F"
