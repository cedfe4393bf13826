from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.supervisor import recordings
from gateway.supervisor.recordings import Calls, Recordings
from gateway.telemetry.recent import RecentCalls
from gateway.telemetry.recorder import Recorded, file_of

NOW = 1_700_000_000.0
HOUR = 3600.0


def write(folder: Path, *ages_s: float) -> None:
    for age_s in ages_s:
        at = NOW - age_s
        line = Recorded(at, 1, "edge", "127.0.0.1", "http", "GET", "a", f"/{age_s:.0f}", [])
        with file_of(folder, at).open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")


def targets(found: Calls) -> list[str]:
    return [one.target for one in found.recorded]


def held(whole_for_s: float, *ages_s: float) -> RecentCalls:
    """In a worker's memory; targets are `/held-AGE`."""
    lines = [
        msgspec.json.encode(Recorded(NOW - age_s, 1, "edge", "127.0.0.1", "http", "GET", "a", f"/held-{age_s:.0f}", []))
        for age_s in ages_s
    ]
    return RecentCalls(NOW - whole_for_s, b"".join(line + b"\n" for line in lines))


def test_the_newest_of_the_asked_time_are_read_in_order(tmp_path: Path) -> None:
    write(tmp_path, 30 * HOUR, 3 * HOUR, 1800.0, 20.0, 10.0)
    read = Recordings(tmp_path, lambda: NOW)
    assert targets(read.latest(HOUR, 100)) == ["/1800", "/20", "/10"]
    assert targets(read.latest(HOUR, 2)) == ["/20", "/10"]
    assert targets(read.latest(10 * HOUR, 100)) == ["/10800", "/1800", "/20", "/10"]
    assert read.latest(1.0, 100) == ([], 0.0)


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


def test_what_is_held_in_memory_goes_before_what_lies_on_disk(tmp_path: Path) -> None:
    write(tmp_path, 2 * HOUR, 90.0, 20.0, 10.0)
    read = Recordings(tmp_path, lambda: NOW)
    # The first worker began earlier; of all calls there is one since the second one did.
    recent = [held(100.0, 95.0, 30.0, 20.0), held(40.0, 35.0, 5.0)]
    found = read.latest(3 * HOUR, 100, recent)
    assert targets(found) == ["/7200", "/90", "/held-35", "/held-30", "/held-20", "/held-5"]
    assert found.whole_from_s == NOW - 40.0
    assert targets(read.latest(3 * HOUR, 3, recent)) == ["/held-30", "/held-20", "/held-5"]
    assert targets(read.latest(25.0, 100, recent)) == ["/held-20", "/held-5"]


@pytest.mark.parametrize("is_there", [True, False])
def test_an_empty_or_absent_folder_has_no_calls(tmp_path: Path, is_there: bool) -> None:
    folder = tmp_path if is_there else tmp_path / "none"
    read = Recordings(folder, lambda: NOW)
    read.prune()
    assert read.latest(HOUR, 10) == ([], 0.0)
