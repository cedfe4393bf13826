"""What is written while a run goes on: the sections are of the test's own, the page is a real one."""

from pathlib import Path

import pytest

from loadtest import bench
from loadtest.sections import NAMES, SECTIONS, Section
from loadtest.targets import at_most


def test_every_section_has_a_name_of_its_own_and_a_whole_run_takes_less_than_half_an_hour() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert sum(section.takes_s() for section in SECTIONS) < 30 * 60


def test_what_can_not_be_measured_is_said_and_the_next_section_is_measured_all_the_same(tmp_path: Path) -> None:
    page = tmp_path / "RESULTS.md"

    def breaks(rounds: int, seconds: int) -> str:
        raise RuntimeError("no such proxy")

    def works(rounds: int, seconds: int) -> str:
        return str(at_most("cost", 1.0, rounds / seconds, "×"))

    assert not bench.run(Section("full", "what breaks", breaks, 1, 0), 1, 1, page)
    assert bench.run(Section("bare get", "what works", works, 1, 0), 2, 4, page)
    text = page.read_text()
    assert "| bare get | cost | ≤ 1 × | 0.5 | met |" in text
    assert "**Not measured:** RuntimeError: no such proxy" in text
    assert "2 rounds of 4 s" in text


def test_a_list_measures_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    bench.main(["--list", "--only", "TCP", "UDP"])
    told = capsys.readouterr()
    assert [line.split()[0] for line in told.out.splitlines()] == ["TCP", "UDP"]
    assert told.err.startswith("2 sections, about ")
