"""Failures of a command become text and exit codes."""

import sys
from pathlib import Path

import pytest
import typer

from meshway.cli.failure import INTERRUPTED, NOT_FOUND, OUR_FAULT, CliError
from meshway.cli.guard import guarded


def code_of(error: BaseException) -> int:
    @guarded
    def command() -> None:
        raise error

    with pytest.raises(typer.Exit) as ended:
        command()
    return ended.value.exit_code


def test_a_told_failure_ends_with_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of(CliError(NOT_FOUND, "not there")) == NOT_FOUND
    assert capsys.readouterr().err == "error: not there\n"


def test_an_interrupt_ends_with_130() -> None:
    assert code_of(KeyboardInterrupt()) == INTERRUPTED


def test_the_exit_of_a_command_is_its_own() -> None:
    assert code_of(typer.Exit(1)) == 1


def test_our_own_fault_leaves_a_trace_in_a_file_and_none_on_the_screen(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["meshway", "get", "routes"])
    assert code_of(ZeroDivisionError("division by zero")) == OUR_FAULT
    told = capsys.readouterr().err
    (trace,) = tmp_path.iterdir()
    assert "Traceback" not in told
    assert str(trace) in told
    assert "meshway get routes" in trace.read_text()
    assert "ZeroDivisionError" in trace.read_text()
