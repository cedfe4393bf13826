"""What is committed belongs to everybody: no place on somebody's machine, nothing left for later."""

import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.parts.processes import ROOT

LATER: Final = re.compile(r"\b(?:TODO|FIXME|XXX)\b")
# Folders of a person or a build machine. System folders (/usr, /etc, /tmp, /dev, /proc, /sys) are everybody's.
SOMEBODYS: Final = re.compile(r"(?<![\w.:/])/(?:home|Users|root|work(?:space)?|mnt|srv/build)/[\w.-]+|[A-Z]:\\Users\\")


def committed() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout: what is committed cannot be told")
    own = Path(__file__).relative_to(ROOT).as_posix()  # it says what is not to be said
    return [name for name in listed.stdout.decode().split("\0") if name not in ("", own) and (ROOT / name).is_file()]


def matches(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for name in committed():
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if pattern.search(line):
                found.append(f"{name}:{number}: {line.strip()[:100]}")
    return found


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    assert matches(SOMEBODYS) == []


def test_no_file_leaves_something_for_later() -> None:
    assert matches(LATER) == []


@pytest.mark.parametrize(
    "line", ["see /home/lin/meshway/x", "'/workspace/meshway'", r"C:\Users\lin", "open('/root/x')"]
)
def test_such_places_are_found(line: str) -> None:
    assert SOMEBODYS.search(line)


@pytest.mark.parametrize("line", ["/usr/bin/env python", "http://x/home/page", "/tmp/x", "a/root/b", "./home/x"])
def test_everybodys_places_are_not(line: str) -> None:
    assert SOMEBODYS.search(line) is None
