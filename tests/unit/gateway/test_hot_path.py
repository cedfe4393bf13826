"""Machine code of a checkout runs while it is of its sources, and never when it is not."""

from pathlib import Path

import pytest

from gateway import hot_path
from gateway.hot_path import FOLDER, PACKAGES, STAMP, HotPath, digest, of_this_process

interpreted_only = pytest.mark.skipif(of_this_process().is_compiled, reason="asks what an interpreted gateway starts")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """With machine code, which is none: only its stamp is asked for."""
    for package in PACKAGES:
        (tmp_path / package / "inner").mkdir(parents=True)
        (tmp_path / package / "inner" / "call.py").write_text(f"# {package}\n")
    (tmp_path / FOLDER).mkdir(parents=True)
    (tmp_path / FOLDER / STAMP).write_text(digest(tmp_path))
    return tmp_path


@interpreted_only
def test_machine_code_of_these_sources_is_looked_for_first(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/opt/own")
    found = hot_path.hot_path(checkout)
    assert (found.word, found.why) == ("compiled", "")
    environment = found.environment()
    assert environment is not None
    assert environment["PYTHONPATH"] == f"{checkout / FOLDER}:/opt/own"


@interpreted_only
@pytest.mark.parametrize("change", ["written", "added", "removed", "renamed", "data"])
def test_whatever_changed_in_the_sources_it_is_left_alone(change: str, checkout: Path) -> None:
    call = checkout / "meshway" / "inner" / "call.py"
    if change == "written":
        call.write_text("# another\n")
    elif change == "added":
        (call.parent / "new.py").touch()
    elif change == "removed":
        call.unlink()
    elif change == "renamed":
        call.rename(call.with_name("calls.py"))
    else:
        (call.parent / "words.json").write_text("{}")
    found = hot_path.hot_path(checkout)
    assert found.word == "interpreted"
    assert "make compiled" in found.why
    assert found.environment() is None


@interpreted_only
def test_what_python_keeps_beside_the_sources_is_none_of_them(checkout: Path) -> None:
    kept = checkout / "gateway" / "__pycache__" / "call.cpython-311.pyc"
    kept.parent.mkdir()
    kept.touch()
    (checkout / "gateway" / "inner" / "call.py").touch()  # another time, the same bytes
    assert hot_path.hot_path(checkout).is_compiled


@interpreted_only
def test_it_can_be_told_to_leave_it_alone(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHWAY_INTERPRETED", "1")
    found = hot_path.hot_path(checkout)
    assert (found.word, found.why) == ("interpreted", "MESHWAY_INTERPRETED=1 says so")


@interpreted_only
def test_without_machine_code_there_is_nothing_to_tell(tmp_path: Path) -> None:
    assert hot_path.hot_path(tmp_path) == HotPath(is_compiled=False)


@interpreted_only
def test_of_another_python_it_is_left_alone(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.version", "3.99.0")
    assert not hot_path.hot_path(checkout).is_compiled
