"""One `up` a data folder; the second is told where the first runs."""

from pathlib import Path

import msgspec
import pytest

from meshway.cli.failure import CONFLICT, CliError
from meshway.cli.running import Ready, RunFolder, write_whole

READY = Ready(
    registry="http://r", edge="http://e", mesh="http://m", admin="http://a", pids={"registry": 1, "gateway": 2}
)


def test_the_ready_file_has_these_members_and_no_others(tmp_path: Path) -> None:
    write_whole(tmp_path / "deep" / "ready.json", READY)
    assert msgspec.json.decode((tmp_path / "deep" / "ready.json").read_bytes()) == {
        "registry": "http://r",
        "edge": "http://e",
        "mesh": "http://m",
        "admin": "http://a",
        "edge_tls": None,
        "mesh_tls": None,
        "dns": None,
        "token": None,
        "pids": {"registry": 1, "gateway": 2},
    }
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["ready.json"]


def test_the_second_is_told_where_the_first_runs(tmp_path: Path) -> None:
    first = RunFolder(tmp_path)
    first.take()
    with pytest.raises(CliError) as starting:
        RunFolder(tmp_path).take()
    assert "still starting" in starting.value.what
    first.note(READY)
    with pytest.raises(CliError) as refused:
        RunFolder(tmp_path).take()
    assert refused.value.code == CONFLICT
    assert "registry http://r, edge http://e, mesh http://m" in refused.value.what
    first.leave()
    RunFolder(tmp_path).take()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CliError) as refused:
        RunFolder(tmp_path / "file").take()
    assert "--data" in (refused.value.mend or "")
