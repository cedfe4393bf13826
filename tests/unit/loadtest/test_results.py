from pathlib import Path

import pytest

from loadtest import results
from loadtest.targets import at_most

ORDER = ["bare get", "full", "TCP"]
MET = f"| table |\n\n{at_most('bare get', 0.36, 0.31, 'of envoy')}"
MISSED = f"{at_most('full', 0.33, 0.79, 'of envoy')}"


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "RESULTS.md"
    monkeypatch.setattr(results, "RESULTS", path)
    return path


def test_each_section_is_written_in_its_place_and_leaves_the_others_as_they_are(page: Path) -> None:
    results.write_head("# Results\n\na machine")
    results.write_section("TCP", "third", ORDER)
    results.write_registry("ours\n\n### Figures to reach\n\n| a |")
    results.write_section("bare get", "first", ORDER)
    results.write_section("full", "second", ORDER)
    results.write_section("bare get", "first, again", ORDER)
    registry = "## The registry\n\nours\n\n### Figures to reach\n\n| a |\n"
    sections = "## bare get\n\nfirst, again\n\n## full\n\nsecond\n\n## TCP\n\nthird\n\n"
    assert page.read_text() == f"# Results\n\na machine\n\n{sections}{registry}"


def test_a_new_run_keeps_what_an_older_one_found_until_it_has_found_it_itself(page: Path) -> None:
    results.write_head("# Results\n\nyesterday")
    results.write_section("full", "of yesterday", ORDER)
    results.write_head("# Results\n\ntoday")
    results.write_section("bare get", "of today", ORDER)
    assert page.read_text() == "# Results\n\ntoday\n\n## bare get\n\nof today\n\n## full\n\nof yesterday\n"


def test_all_targets_are_listed_before_the_sections_and_anew_each_time(page: Path) -> None:
    results.write_head("# Results")
    results.write_section("full", MISSED, ORDER)
    results.write_section("bare get", MET, ORDER)
    results.write_registry(MISSED)  # it has a table of its own
    text = page.read_text()
    assert text.count("## Targets") == 1
    table = text.partition("## Targets\n\n")[2].partition("\n\n## bare get")[0].splitlines()
    assert table[2:] == [
        "| bare get | bare get | ≤ 0.36 of envoy | 0.31 | met |",
        "| full | full | ≤ 0.33 of envoy | 0.79 | **MISSED** |",
    ]


def test_a_page_may_begin_with_the_registry(page: Path) -> None:
    results.write_registry("ours")
    results.write_section("bare get", "first", ORDER)
    assert page.read_text() == "# Results\n\n## bare get\n\nfirst\n\n## The registry\n\nours\n"
