"""Nacos's Java client of the HTTP generation, as it is, against a registry process. Wants Java 17 and Maven;
`make interop`.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.parts.planes import Registry
from tests.parts.processes import ROOT

PROGRAM: Final = ROOT / "tests" / "interop" / "nacos_java"
BUILD_S: Final = 600
WALK_S: Final = 120

pytestmark = pytest.mark.interop


def test_the_java_client_walks_an_instance_s_life(tmp_path: Path) -> None:
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} on this machine")
    built = tmp_path / "nacos_java"
    shutil.copytree(PROGRAM, built, ignore=shutil.ignore_patterns("target"))
    subprocess.run(["mvn", "-q", "-B", "package"], cwd=built, check=True, timeout=BUILD_S)
    registry = Registry(tmp_path)
    try:
        # Its caches and logs go below the home folder unless told.
        homes = [f"-Duser.home={tmp_path}", f"-DJM.LOG.PATH={tmp_path}"]
        classes = f"{built / 'target' / 'walk.jar'}:{built / 'target' / 'dependency'}/*"
        walked = subprocess.run(
            ["java", "-Xmx128m", *homes, "-cp", classes, "example.Walk", registry.url.removeprefix("http://")],
            check=False,
            capture_output=True,
            text=True,
            timeout=WALK_S,
        )
    finally:
        registry.close()
    assert walked.returncode == 0, walked.stdout + walked.stderr
    assert walked.stdout.endswith("done\n")
