"""The command starts quickly: what is heavy comes with the command that needs it."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from meshway.cli.main import make_app, misplaced

HEAVY = (
    "httpx",
    "yaml",
    "fastapi",
    "pydantic",
    "sqlalchemy",
    "uvicorn",
    "uvloop",
    "alembic",
    "re2",
    "gateway",
    "registry",
)


def test_starting_loads_no_plane_and_no_client() -> None:
    code = f"import sys, meshway.cli.main; print([name for name in {HEAVY} if name in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert loaded.stdout.strip() == "[]"


def test_a_question_to_the_registry_loads_no_other_command() -> None:
    asked = 'sys.argv = ["meshway", "get", "services", "--registry", "http://127.0.0.1:1"]'
    not_needed = ("rich", "asyncio", "cryptography", "meshway.cli.planes", "meshway.cli.agent", "meshway.cli.demo")
    code = f"""import sys, atexit
atexit.register(lambda: print([name for name in {not_needed} if name in sys.modules]))
{asked}
from meshway.cli.main import main
main()"""
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert "does not answer" in loaded.stderr, loaded
    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("written", "mend"),
    [
        ("--context gone get routes", "meshway get routes --context gone"),
        ("--context=gone get routes", "meshway get routes --context=gone"),
        ("-n shop -A get routes", "meshway get routes -n shop -A"),
        ("--yes --context gone", "meshway COMMAND --yes --context gone"),
        ("--context", "meshway COMMAND --context"),
    ],
)
def test_a_common_flag_before_the_command_is_told_where_it_belongs(written: str, mend: str) -> None:
    error = misplaced(written.split())
    assert error is not None
    flag = written.split()[0].partition("=")[0]
    assert (error.code, error.what, error.mend) == (2, f"{flag} belongs behind the command", mend)


@pytest.mark.parametrize(
    "written", ["", "get routes --context gone", "--help", "--install-completion", "--contxt x get"]
)
def test_what_stands_right_is_left_alone(written: str) -> None:
    assert misplaced(written.split()) is None


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    yield name, command
    for inner, one in getattr(command, "commands", {}).items():
        yield from _commands(one, f"{name} {inner}")


def test_no_flag_of_a_command_means_two_things() -> None:
    doubles = {
        name: flag
        for name, command in _commands(typer.main.get_command(make_app()), "meshway")
        for flag, times in Counter(
            flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)
        ).items()
        if times > 1
    }
    assert doubles == {}
