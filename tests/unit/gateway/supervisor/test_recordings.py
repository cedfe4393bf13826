from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.supervisor import recordings
from gateway.supervisor.recordings import Recordings
from gateway.telemetry.recorder import Recorded, file_of

NOW = 1_700_000_000.0
HOUR = 3600.0


def write(folder: Path, *ages_s: float) -> None:
    for age_s in ages_s:
        at = NOW - age_s
        line = Recorded(at, 1, "edge", "127.0.0.1", "http", "GET", "a", f"/{age_s:.0f}", [])
        with file_of(folder, at).open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")


def targets(found: list[Recorded]) -> list[str]:
    return [one.target for one in found]


def test_the_newest_of_the_asked_time_are_read_in_order(tmp_path: Path) -> None:
    write(tmp_path, 30 * HOUR, 3 * HOUR, 1800.0, 20.0, 10.0)
    read = Recordings(tmp_path, lambda: NOW)
    assert targets(read.latest(HOUR, 100)) == ["/1800", "/20", "/10"]
    assert targets(read.latest(HOUR, 2)) == ["/20", "/10"]
    assert targets(read.latest(10 * HOUR, 100)) == ["/10800", "/1800", "/20", "/10"]
    assert read.latest(1.0, 100) == []


def test_a_line_that_a_crash_left_half_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, 10.0)
    with file_of(tmp_path, NOW).open("ab") as file:
        file.write(b'{"at": 17000')
    assert targets(Recordings(tmp_path, lambda: NOW).latest(HOUR, 10)) == ["/10"]


def test_what_is_old_goes_and_then_the_oldest_of_what_is_too_much(tmp_path: Path, monkeypatch: Any) -> None:
    write(tmp_path, 50 * HOUR, 26 * HOUR, 5 * HOUR, 10.0)
    read = Recordings(tmp_path, lambda: NOW)
    read.prune()
    assert targets(read.latest(24 * HOUR, 10)) == [f"/{5 * HOUR:.0f}", "/10"]
    assert len(list(tmp_path.iterdir())) == 2
    monkeypatch.setattr(recordings, "MOST_BYTES", 300)
    read.prune()
    assert targets(read.latest(24 * HOUR, 10)) == ["/10"]


@pytest.mark.parametrize("is_there", [True, False])
def test_an_empty_or_absent_folder_has_no_calls(tmp_path: Path, is_there: bool) -> None:
    folder = tmp_path if is_there else tmp_path / "none"
    read = Recordings(folder, lambda: NOW)
    read.prune()
    assert read.latest(HOUR, 10) == []
