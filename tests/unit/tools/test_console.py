"""The console is built when its sources changed, with whatever npm the machine has, and says what is wrong."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts.processes import ROOT
from tools import console

# An npm in shell that notes how it was called: `ci` makes node_modules, `run build` makes dist.
NPM = """#!/bin/sh
echo "$@" >> "{calls}"
case "$1 $2" in
  ci*) mkdir -p node_modules ;;
  "run build") {build} ;;
esac
"""
BUILDS = "mkdir -p dist && echo '<!doctype html>' > dist/index.html"


class Checkout:
    """The real tool in a checkout of a small console; npm and node are the given ones alone."""

    def __init__(self, folder: Path) -> None:
        self.root, self.bin, self.calls = folder / "meshway", folder / "bin", folder / "calls"
        (self.root / "tools").mkdir(parents=True)
        self.bin.mkdir()
        for name in ("console.py", "environment.py", "node.lock"):
            shutil.copy(ROOT / "tools" / name, self.root / "tools" / name)
        self.ui = self.root / "admin_ui"
        (self.ui / "src").mkdir(parents=True)
        for name in ("index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts"):
            (self.ui / name).write_text(name)
        (self.ui / "src" / "main.tsx").write_text("main")
        self.program("node", "#!/bin/sh\n")
        self.npm()

    def program(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def npm(self, build: str = BUILDS) -> None:
        self.program("npm", NPM.format(calls=self.calls, build=build))

    def build(self) -> tuple[int, str]:
        command = [sys.executable, str(self.root / "tools" / "console.py"), "build"]
        path = f"{self.bin}:/usr/bin:/bin"
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env={"PATH": path})
        return run.returncode, run.stderr

    def npm_calls(self) -> list[str]:
        called = self.calls.read_text().splitlines() if self.calls.exists() else []
        self.calls.unlink(missing_ok=True)
        return [call.partition(" --")[0] for call in called]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_it_is_built_once(checkout: Checkout) -> None:
    assert checkout.build() == (0, "")
    assert checkout.npm_calls() == ["ci", "run build"]
    assert checkout.build() == (0, "")
    assert checkout.npm_calls() == []


def test_a_changed_source_builds_again_without_fetching_anew(checkout: Checkout) -> None:
    checkout.build()
    checkout.npm_calls()
    (checkout.ui / "src" / "main.tsx").write_text("changed")
    assert checkout.build() == (0, "")
    assert checkout.npm_calls() == ["run build"]


def test_a_changed_lock_fetches_anew(checkout: Checkout) -> None:
    checkout.build()
    checkout.npm_calls()
    (checkout.ui / "package-lock.json").write_text("other versions")
    checkout.build()
    assert checkout.npm_calls() == ["ci", "run build"]


def test_a_test_of_the_console_builds_nothing(checkout: Checkout) -> None:
    checkout.build()
    checkout.npm_calls()
    (checkout.ui / "src" / "main.test.tsx").write_text("a test")
    checkout.build()
    assert checkout.npm_calls() == []


def test_a_build_that_fails_shows_why_and_is_tried_again(checkout: Checkout) -> None:
    checkout.npm(build="echo 'main.tsx(1,1): error TS1005' >&2; exit 2")
    code, said = checkout.build()
    assert code == 1
    assert "the console does not compile" in said
    assert "error TS1005" in said
    assert "mend:" in said
    checkout.npm()
    assert checkout.build() == (0, "")


def test_words_of_the_description_change_no_type() -> None:
    one = {"paths": {"/a": {"get": {"summary": "A.", "description": "Long."}}}}
    other = {"paths": {"/a": {"get": {"summary": "B.", "description": "Longer."}}}}
    assert console.mark_of(one) == console.mark_of(other)
    assert console.mark_of(one) != console.mark_of({"paths": {"/b": {"get": {}}}})


def test_a_field_called_description_is_a_type() -> None:
    with_field = {"properties": {"description": {"type": "string"}}}
    assert console.mark_of(with_field) != console.mark_of({"properties": {}})
