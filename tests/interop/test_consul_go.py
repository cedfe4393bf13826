"""The Go client of Consul, as it is, against a registry process. Wants Go; `make interop`."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.parts.planes import Registry
from tests.parts.processes import ROOT

PROGRAM: Final = ROOT / "tests" / "interop" / "consul_go"
BUILD_S: Final = 600
WALK_S: Final = 120

pytestmark = pytest.mark.interop


def test_the_go_client_walks_a_service_s_life(tmp_path: Path) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("no Go on this machine")
    walk = tmp_path / "walk"
    build = [go, "build", "-o", str(walk), "."]
    subprocess.run(build, cwd=PROGRAM, env=os.environ | {"GOFLAGS": "-buildvcs=false"}, check=True, timeout=BUILD_S)
    registry = Registry(tmp_path)
    try:
        walked = subprocess.run(
            [str(walk), registry.url.removeprefix("http://")],
            check=False,
            capture_output=True,
            text=True,
            timeout=WALK_S,
        )
    finally:
        registry.close()
    assert walked.returncode == 0, walked.stdout + walked.stderr
    assert walked.stdout.endswith("done\n")
