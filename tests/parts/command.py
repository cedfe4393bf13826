"""The command `meshway` as a person runs it: a process with its exit code, stdout and stderr."""

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.parts.processes import ROOT, python


class Ended(NamedTuple):
    code: int
    out: str
    err: str


def meshway(*arguments: str, stdin: str = "", env: dict[str, str] | None = None, cwd: Path = ROOT) -> Ended:
    """Runs it to its end, at most 60 s. stdin is no terminal. Variables of the developer's own mesh do not count."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MESHWAY_")}
    ended = subprocess.run(
        python("-m", "meshway.cli.main", *arguments),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        env=clean | {"COLUMNS": "100", "NO_COLOR": "1"} | (env or {}),
        cwd=cwd,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)
