"""The command `meshway` as a person runs it: a process with its exit code, stdout and stderr."""

import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple

from tests.parts.command_forks import command_forks
from tests.parts.processes import ROOT, python


class Ended(NamedTuple):
    code: int
    out: str
    err: str


def meshway_at_terminal(
    answer: str, *arguments: str, env: dict[str, str], cwd: Path, meanwhile: Callable[[], object] = lambda: None
) -> tuple[int, str]:
    """With a terminal as stdin, on which somebody types the answer once the command asks, and after `meanwhile`; the
    exit code, and stdout and stderr in one.
    """
    ours, terminal = pty.openpty()
    try:
        process = subprocess.Popen(
            python("-m", "meshway.cli.main", *arguments),
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | env,
            cwd=cwd,
        )
        assert process.stdout is not None
        said = b""
        while not said.endswith(b"? ") and (more := os.read(process.stdout.fileno(), 1)):
            said += more
        meanwhile()
        os.write(ours, f"{answer}\n".encode())
        rest, _ = process.communicate(timeout=60)
        return process.returncode, (said + rest).decode()
    finally:
        os.close(ours)
        os.close(terminal)


def meshway(
    *arguments: str, stdin: str = "", env: dict[str, str] | None = None, cwd: Path = ROOT, within_s: float = 60.0
) -> Ended:
    """Runs it to its end, within 60 s unless told. stdin is no terminal. Variables of the developer's own mesh do not
    count."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MESHWAY_")}
    full = clean | {"COLUMNS": "100", "NO_COLOR": "1", "MESHWAY_CONFIG": os.devnull} | (env or {})
    with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
        given.write(stdin.encode())
        given.seek(0)
        code = command_forks().run(arguments, full, cwd, (given, out, err), within_s)
        for said in (out, err):
            said.seek(0)
        return Ended(code, out.read().decode(), err.read().decode())
