from pathlib import Path

import pytest

from tools import audit

REPORT = '{"auditReportVersion": 2, "vulnerabilities": {"left-pad": {"severity": "high"}}}'


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


@pytest.mark.parametrize(
    ("code", "output", "exit_code"),
    [
        (0, '{"auditReportVersion": 2, "vulnerabilities": {}}', 0),
        (1, REPORT, 1),
        (1, '{"message": "405 Method Not Allowed", "statusCode": 405}', 3),
        (1, "npm error code ENOTFOUND", 3),
    ],
)
def test_a_report_of_npm_is_told_from_a_registry_that_has_none(code: int, output: str, exit_code: int) -> None:
    said, exits = audit.verdict_of_npm(code, output)
    assert exits == exit_code
    assert ("SKIPPED" in said) == (exit_code == 3)


def test_without_the_programs_it_is_skipped_loudly_and_fails_where_that_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert audit.main([]) == 0
    assert capsys.readouterr().out.count("SKIPPED") == 2
    assert audit.main(["--strict"]) == 3


@pytest.mark.parametrize(
    ("name", "says"), [("pip-audit", "Found 1 known vulnerability"), ("npm", REPORT)], ids=["pip-audit", "npm"]
)
def test_its_verdict_is_the_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, says: str) -> None:
    program = tmp_path / name
    program.write_text(f"#!/bin/sh\necho '{says}'\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setattr("shutil.which", lambda wanted: str(program) if wanted == name else None)
    assert audit.main([]) == 1
