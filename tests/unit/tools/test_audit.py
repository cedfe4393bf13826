from pathlib import Path

import pytest

from tools import audit


@pytest.mark.parametrize(
    ("code", "output", "exit_code"),
    [
        (0, "No known vulnerabilities found", 0),
        (1, "Found 1 known vulnerability in 1 package", 1),
        (1, "ERROR:pip_audit._cli:ConnectionError: pypi.org", 3),
        (2, "usage: pip-audit", 1),
    ],
)
def test_only_advisories_that_cannot_be_fetched_are_skipped(code: int, output: str, exit_code: int) -> None:
    said, exits = audit.verdict(code, output)
    assert exits == exit_code
    assert ("SKIPPED" in said) == (exit_code == 3)


def test_without_the_program_it_is_skipped_loudly_and_fails_where_that_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert audit.main([]) == 0
    assert "SKIPPED" in capsys.readouterr().out
    assert audit.main(["--strict"]) == 3


def test_its_verdict_is_the_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "pip-audit"
    program.write_text("#!/bin/sh\necho Found 1 known vulnerability\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    assert audit.main([]) == 1
